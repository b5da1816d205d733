"""What a trained transmitter module is compared with: perturbations of the same power, untrained.

Each is called as a transmitter module is, signal y -> z, so it goes through the same block diagram
and the same measurement. The base link's receiver has no module for them.
"""

import keras
import numpy as np
from keras import ops

from arn_keras.measure.fgsm import fgsm
from arn_keras.power import db_to_ratio, mean_power, paused


class RandomNoise:
    """White Gaussian perturbation scaled to power P in every source: what power alone buys.

    Args:
        psr_db: P in dB relative to signal power 1.
        seed: integer seed; the n-th call draws the same for the same seed.
        pauses: whether places of the signal that are all zeros stay so.
    """

    def __init__(self, psr_db, seed, pauses=False):
        self._pauses = pauses
        self._amplitude = float(np.sqrt(db_to_ratio(psr_db)))
        self._generator = keras.random.SeedGenerator(seed)

    def __call__(self, signal, training=False):
        """y to z = y + sqrt(P) n / rms(n)."""
        noise = keras.random.normal(ops.shape(signal), seed=self._generator)
        level = ops.sqrt(mean_power(noise))
        level = ops.reshape(level, (-1,) + (1,) * (len(signal.shape) - 1))
        noise = self._amplitude * noise / level
        return signal + (paused(noise, signal) if self._pauses else noise)


class FastGradientSign:
    """The perturbation of Eq. (3) against the classifiers that a pair is trained against.

    The label is the one these classifiers read from y, so that Alice needs to know none; of
    several, the logits are averaged.

    Args:
        classifiers: Keras models from y_eve to logits.
        psr_db: P in dB relative to signal power 1.
        pauses: whether places of the signal that are all zeros stay so.
    """

    def __init__(self, classifiers, psr_db, pauses=False):
        self._pauses = pauses
        self._classifiers = list(classifiers)
        self._psr_db = psr_db

    def __call__(self, signal, training=False):
        """y to z = y + delta."""
        labels = ops.argmax(self._logits(signal), axis=-1)
        delta = fgsm(self._logits, signal, labels, self._psr_db)
        return signal + (paused(delta, signal) if self._pauses else delta)

    def _logits(self, signal, training=False):
        logits = [classifier(signal, training=False) for classifier in self._classifiers]
        return sum(logits) / len(logits)
