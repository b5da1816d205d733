"""A trained eavesdropper: the best epoch of her training, by the test sources that she hears.

That favours Eve: so should an audit.
"""

import dataclasses
import math

import keras
import numpy as np

from arn_keras.measure.leakage import accuracy, cross_entropy
from arn_keras.training.transmit import in_batches


@dataclasses.dataclass(frozen=True)
class Attack:
    """A trained eavesdropper and what she says of the test sources.

    Attributes:
        classifier: her weights of the best epoch.
        logits: on the overheard test signals, [sources, classes].
        curve: [epoch, test accuracy, test cross-entropy in nats] of each measured epoch.
    """

    classifier: keras.Model
    logits: np.ndarray
    curve: list


def predict(classifier, inputs):
    """Logits of a classifier, [sources, classes]."""
    return in_batches(lambda batch: classifier(batch, training=False), inputs)


class Best(keras.callbacks.Callback):
    """Measures Eve every few epochs on what she overhears of the test sources; keeps the best."""

    def __init__(self, overheard, labels, every):
        super().__init__()
        self._overheard, self._labels, self._every = overheard, labels, every
        self._curve, self._lowest = [], math.inf

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self._every and epoch + 1 < self.params["epochs"]:
            return
        logits = predict(self.model.classifier, self._overheard)
        loss = cross_entropy(logits, self._labels)
        self._curve.append([epoch + 1, accuracy(logits, self._labels), loss])
        if loss < self._lowest:
            self._lowest, self._logits = loss, logits
            self._weights = self.model.classifier.get_weights()

    def attack(self):
        """The eavesdropper of the best epoch."""
        classifier = self.model.classifier
        classifier.set_weights(self._weights)
        return Attack(classifier, self._logits, self._curve)
