"""Signals whose leak is known, for tests of eavesdroppers."""

from types import SimpleNamespace

import keras
import numpy as np

from arn_keras.audit.effort import Effort
from arn_keras.audit.wiretap import Wiretap
from arn_keras.channel.awgn import AWGN
from arn_keras.data.dataset import Dataset, Split
from arn_keras.pair.chain import Protection
from arn_keras.run.config import Config
from arn_keras.scenario.letter import Letter
from arn_keras.task.image import IMAGE

SYMBOLS, CLASSES, TRAINING, TEST = 16, 4, 800, 1000
TINY = Effort("tiny", 1, 1, 1, 1, (200,), (4,), (0.3,), True, 800, (1, 64, 256), (1,))
PROTOTYPES = 1.0 - 2.0 * np.array(
    [[(i & j).bit_count() % 2 for j in range(SYMBOLS)] for i in (1, 2, 4, 8)]
)


def unit_power(signals):
    """Signals of mean square exactly 1."""
    return signals / np.sqrt(np.mean(signals**2, axis=1, keepdims=True))


def matched_filter():
    """The best Eve there is for white noise: the nearest prototype."""
    classifier = keras.Sequential([keras.Input((SYMBOLS,)), keras.layers.Dense(CLASSES)])
    classifier.set_weights([PROTOTYPES.T, np.zeros(CLASSES)])
    return classifier


def wiretap(leaks=True, protection=None, gain=None, snr_db=10.0, seed=0):
    """A link whose signal is its label's prototype (or nothing of it) and a little of its own.

    Args:
        leaks: whether the signal has to do with its label.
        protection: `Protection`.
        gain: amplitude of each label's signals, [classes].
    """
    rng = np.random.default_rng(seed)
    labels = [np.arange(count) % CLASSES for count in (TRAINING, TEST)]
    shown = [each if leaks else rng.permutation(each) for each in labels]
    signals = [
        unit_power(PROTOTYPES[each] + 0.5 * rng.normal(size=(len(each), SYMBOLS))) for each in shown
    ]
    if gain is not None:
        signals = [
            y * np.asarray(gain)[each][:, None] for y, each in zip(signals, labels, strict=True)
        ]
    signals = tuple(each.astype("float32") for each in signals)
    images = [(1 / (1 + np.exp(-y))).reshape(-1, 4, 4, 1).astype("float32") for y in signals]
    receiver = keras.Sequential(
        [
            keras.Input((SYMBOLS,)),
            keras.layers.Activation("sigmoid"),
            keras.layers.Reshape((4, 4, 1)),
        ]
    )
    splits = [Split(image, label) for image, label in zip(images, labels, strict=True)]
    problem = SimpleNamespace(
        receiver=receiver,
        classifier=lambda stage: matched_filter(),
        dataset=Dataset("wiretap", *splits, CLASSES),
        scenario=Letter(),
        task=IMAGE,
        channels={"bob_channel": AWGN(), "eve_channel": AWGN()},
        config=Config(),
        air=None,
    )
    return Wiretap(
        problem,
        signals,
        snr_db=snr_db,
        psr_db=-10.0,
        protection=protection or Protection("none"),
        seed=seed,
    )
