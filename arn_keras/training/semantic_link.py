"""The base link of Section III as a Keras model: trained end to end over the noisy channel."""

import keras

from arn_keras.channel.awgn import AWGN
from arn_keras.system import full_precision, unit_interval
from arn_keras.training.noisy_link import NoisyLink, signal_shape


@keras.saving.register_keras_serializable("arn_keras")
class SemanticLink(NoisyLink):
    """The base link s -> y -> y + n -> s_hat, Eq. (4)-(8).

    `fit(sources)` learns to give back the sources; `fit(sources, targets)` learns another task.

    Args:
        transmitter: Keras model from s to the signal y, of mean power 1, real, [batch, ...].
        receiver: Keras model from a received signal to s_hat.
        seed: integer seed of noise and order.
    """

    parts = ("transmitter", "receiver")

    def __init__(self, transmitter, receiver, seed=0, **kwargs):
        super().__init__(seed=seed, **kwargs)
        signal_shape(transmitter, receiver)
        self.transmitter = transmitter
        self.receiver = receiver
        self.channel = AWGN(seed, name="bob_channel")

    def call(self, source, training=False):
        """Source s to estimate s_hat over the noisy channel."""
        signal = full_precision(self.transmitter(unit_interval(source), training=training))
        received = self.channel(signal, self.draw_snr_db(signal))
        return self.receiver(received, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs):
        """The compiled loss against the targets, by default the sources themselves (Eq. 21)."""
        target = unit_interval(x) if y is None else y
        return super().compute_loss(x, target, y_pred, *args, **kwargs)
