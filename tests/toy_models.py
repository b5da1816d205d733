"""The Keras models of `toy_rooms`, loaded only when one is wanted."""

import keras
import numpy as np
from keras import layers, ops

from arn_keras import Listener
from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung

K = 12


def linear(signal):
    """A block: one matrix."""
    return layers.Dense(signal.shape[-1], kernel_initializer="zeros", name="residual")(signal)


def build_logistic(signal_shape, classes):
    """An Eve: logistic regression."""
    overheard = keras.Input(signal_shape)
    return keras.Model(overheard, layers.Dense(classes)(overheard))


def flip(signal_shape):
    """Both modules of a protection without a secret: every other symbol with the other sign."""
    signs = 1.0 - 2.0 * (np.arange(signal_shape[0]) % 2)

    def build(name, output):
        signal = keras.Input(signal_shape, name=name)
        return keras.Model(signal, layers.Rescaling(signs.tolist(), name=output)(signal))

    return build("signal", "sent"), build("received", "cleaned")


def build_link():
    """Transmitter and receiver of eight numbers."""
    norm = layers.UnitNormalization(), layers.Rescaling(K**0.5)
    transmitter = keras.Sequential([keras.Input((8,)), layers.Dense(K), *norm])
    return transmitter, keras.Sequential([keras.Input((K,)), layers.Dense(8)])


def first_symbol(tap, effort):
    """An Eve who looks at the sign of the first symbol only."""
    heard = tap.test()[:, 0]
    return [Finding("first symbol", np.stack([-heard, heard], axis=1))]


FIRST_SYMBOL = Rung(first_symbol, "an Eve who looks at one symbol")


@keras.saving.register_keras_serializable("toys")
class Half(Listener):
    """Sends half of every signal's amplitude, without noise."""

    def call(self, signal, snr_db):
        return 0.5 * signal + 0.0 * ops.mean(self.heard_snr_db(signal, snr_db))
