"""A keyed rotation of a modem's symbols: they are taken out of the samples, rotated, shaped again.

    a = P^T y,   z = P Q a',   a' = a scaled so that z has power 1,   P^T P = I

P's columns are the pulse at the times of a frame's symbols (`pulse`), on Alice's own clock. Over
the samples, Q would spread the band over all that the sampling rate allows; over the symbols z has
the spectrum of the pulse whatever Q is, and the norm that Q keeps. Bob's y_clean = P Q^T P^T y_bob
drops the noise that is no symbol's, which no receiver of this pulse looks at; the rest stays white.
"""

import dataclasses
import functools
import math

import keras
import numpy as np
from keras import layers, ops

from arn_keras.pulse import circulant, root_raised_cosine, symbols_of


@keras.saving.register_keras_serializable("arn_keras")
class Symbols(layers.Layer):
    """The symbols of a frame's samples, P^T y, or the samples of symbols, P a.

    Args:
        samples: complex samples of a frame, n.
        samples_per_symbol: divides n.
        roll_off: of the pulse.
        gain: that the result is multiplied by.
        shaped: whether to make samples of symbols.
    """

    def __init__(self, samples, samples_per_symbol, roll_off, gain=1.0, shaped=False, **kwargs):
        super().__init__(**{"dtype": keras.config.floatx(), **kwargs})
        self.samples, self.samples_per_symbol = samples, samples_per_symbol
        self.roll_off, self.gain, self.shaped = roll_off, gain, shaped
        pulse = root_raised_cosine(samples, samples_per_symbol, roll_off)
        # I and Q alike: real [2 n, 2 s], interleaved as the signal is.
        matrix = gain * np.kron(circulant(pulse)[::samples_per_symbol].T, np.eye(2))
        self.input_spec = layers.InputSpec(shape=(None, matrix.shape[shaped]))
        self._matrix = (matrix.T if shaped else matrix).astype("float32")

    def call(self, signal):
        """[batch, 2 n] to [batch, 2 s], or back."""
        return ops.matmul(signal, ops.cast(self._matrix, signal.dtype))

    def get_config(self):
        """Configuration for saving."""
        names = ("samples", "samples_per_symbol", "roll_off", "gain", "shaped")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def over_symbols(rotation, samples_per_symbol, roll_off):
    """A rotation of a modem's symbols.

    Args:
        rotation: `keyed.Rotation` of reals, which acts on I and Q of the symbols.
        samples_per_symbol, roll_off: of the modem.

    Returns:
        `keyed.Rotation` of signals [2 n], interleaved I/Q.
    """
    build = functools.partial(
        _build, rotation=rotation, samples_per_symbol=samples_per_symbol, roll_off=roll_off
    )
    return dataclasses.replace(
        rotation,
        name=f"{rotation.name} over symbols",
        for_many=None,  # symbols are few
        build_transmitter=functools.partial(build, at_alice=True),
        build_receiver=functools.partial(build, at_alice=False),
    )


def _build(signal_shape, *, rotation, samples_per_symbol, roll_off, at_alice):
    """Alice's or Bob's module around the rotation's own, which is of the symbols' reals."""
    frame = signal_shape[0] // 2, samples_per_symbol, roll_off
    reals = 2 * symbols_of(*frame[:2])
    build = rotation.build_transmitter if at_alice else rotation.build_receiver
    names = ("signal", "sent") if at_alice else ("received", "cleaned")
    signal = keras.Input(tuple(signal_shape), name=names[0])
    keys = keras.Input(rotation.key_shape(reals), name=rotation.key_input)
    inner = build((reals,))
    # Alice's own scaling makes reals of mean square 1, and samples are so many times more.
    gain = math.sqrt(samples_per_symbol) if at_alice else 1.0
    symbols = inner([Symbols(*frame, name="symbols")(signal), keys])
    samples = Symbols(*frame, gain=gain, shaped=True, name=names[1])(symbols)
    return keras.Model([signal, keys], samples, name=inner.name)
