"""What a sweep costs before it is run: floating-point operations, and seconds on this machine.

A fully connected layer of W weights takes 2 W operations a source forward, 2 W more to pass a
gradient through it, 2 W more to train it. Nothing else is counted, so the time is a lower bound
divided by `EFFICIENCY`, the share of NumPy's matrix-product rate that a sweep reaches (measured:
0.65 where TensorFlow's products are as fast, 1.1 where they are twice as fast).
"""

import itertools
import time

import numpy as np

from arn_keras.eve import ENSEMBLE
from arn_keras.link.symbols import default_symbols

EFFICIENCY = 0.6
START_SECONDS = 20.0  # a worker loads TensorFlow and compiles its step


def _dense(*sizes):
    return sum(a * b for a, b in itertools.pairwise(sizes))


class Cost:
    """Operations of the tasks of one data set.

    Args:
        pixels: values of one source.
        train, test: number of training and test sources.
        classes: number of labels.
        config: resolved `run.config.Config`.
    """

    def __init__(self, pixels, train, test, classes, config):
        k = default_symbols((pixels,))
        self._train, self._test, self._config = train, test, config
        self._transmitter = _dense(pixels, 256, 256, k)
        self._receiver = _dense(k, 256, 256, pixels)
        self._arn = _dense(k, 256, 256, k)
        convolution = k // 2 * 7 * 16 + k // 4 * 7 * 16 * 32 + k // 4 * 32 * 64 + 64 * classes
        self._classifier = {
            "eve": _dense(k, 256, 128, 64, classes),
            "eve_conv": convolution,
            "eve_wide": _dense(k, 512, classes),
            "substitute": _dense(k, 128, classes),
            **{stage: _dense(k, *hidden, classes) for stage, hidden in ENSEMBLE.items()},
        }

    def stage(self, stage):
        """Operations to train a base stage."""
        if stage == "link":
            weights = self._transmitter + self._receiver
            return 6 * weights * self._train * self._config.link_epochs
        return 6 * self._classifier[stage] * self._train * self._config.eve_epochs

    def pair(self, classifier_stages):
        """Operations to train a pair against these classifiers."""
        frozen = self._receiver + sum(self._classifier[stage] for stage in classifier_stages)
        return (6 * 2 * self._arn + 4 * frozen) * self._train * self._config.epochs

    def rows(self, number):
        """Operations to measure this many rows."""
        network = self._transmitter + 2 * self._arn + self._receiver + 2 * self._classifier["eve"]
        return 2 * network * self._test * number


def operations_a_second(size=512, seconds=0.2):
    """Rate of one core in float32 matrix products, measured now."""
    from threadpoolctl import threadpool_limits

    left = np.ones((size, size), np.float32)
    with threadpool_limits(1):
        left @ left
        start, products = time.process_time(), 0
        while time.process_time() - start < seconds:
            left @ left
            products += 1
        return 2 * size**3 * products / (time.process_time() - start)


def seconds(operations, workers, rate):
    """Estimated time of a sweep on a number of single-threaded workers."""
    return START_SECONDS + operations / (rate * EFFICIENCY * workers)
