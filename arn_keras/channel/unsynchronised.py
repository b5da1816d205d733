"""A listener who knows neither the carrier's phase nor where a symbol begins.

    heard(t) = e^(j phi) z(t - tau) + n(t),   phi uniform in [0, 2 pi), tau in whole samples

Alice's frames are on her own clock, and Bob has undone both, as from a preamble; whoever has none
finds them herself. Both are drawn for each frame. A frame is one period of its signal (`pulse`), so
a delay turns it round. Left out: fractions of a sample, frequency offset.
"""

import math

import keras
import tensorflow as tf
from keras import ops

from arn_keras import iq
from arn_keras.channel.awgn import draw_uniform
from arn_keras.channel.listener import Listener, ear


@keras.saving.register_keras_serializable("arn_keras")
class Unsynchronised(Listener):
    """An ear behind an unknown phase and an unknown delay of less than a symbol.

    Args:
        air: what the air does then, a `Listener`.
        samples_per_symbol: the delay is uniform over them.
        seed: see `Listener`.
    """

    def __init__(self, air, samples_per_symbol, seed: int = 0, **kwargs):
        super().__init__(seed, air.snr_offset_db, **kwargs)
        self.air, self.samples_per_symbol = ear(air, seed, "air"), samples_per_symbol
        self.seed_generator = self.air.seed_generator  # one stream: nothing is drawn twice

    def call(self, signal, snr_db):
        """Turns, delays, and sends through the air; [batch, 2 n], I, Q, ... to the same shape."""
        return self.air(self._moved(signal), snr_db=snr_db)

    def hear(self, signal, snr_db):
        """As of the air: how well a listener hears depends on neither."""
        signal = ops.convert_to_tensor(signal, self.compute_dtype)
        return self.air.hear(self._moved(signal), snr_db)

    def _moved(self, signal):
        drawn = draw_uniform([2, ops.shape(signal)[0]], signal.dtype, self.seed_generator)
        phase, delay = tf.unstack(drawn)
        delay = ops.cast(delay * self.samples_per_symbol, "int32")
        return moved(signal, 2 * math.pi * phase, delay)

    def synchronised(self):
        """The air alone."""
        return self.air

    def get_config(self):
        """Configuration for saving."""
        config = super().get_config()
        del config["snr_offset_db"]  # the air's
        air = keras.saving.serialize_keras_object(self.air)
        return {**config, "air": air, "samples_per_symbol": self.samples_per_symbol}

    @classmethod
    def from_config(cls, config):
        """Made again."""
        return cls(**{**config, "air": keras.saving.deserialize_keras_object(config["air"])})


def moved(signal, phase, delay):
    """Frames turned by a phase and turned round by a delay, e^(j phi) z(t - tau).

    Args:
        signal: z, real tensor [batch, 2 n], I, Q, ...
        phase: in radians, [batch].
        delay: in whole samples, int32 [batch].
    """
    pairs = iq.pairs(signal)
    samples = pairs.shape[1]
    place = (tf.range(samples) - delay[:, None]) % samples
    phasor = ops.stack([ops.cos(phase), ops.sin(phase)], axis=-1)
    return iq.interleaved(iq.times(tf.gather(pairs, place, batch_dims=1), phasor[:, None]))
