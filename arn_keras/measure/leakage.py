"""How much an eavesdropper knows: accuracy, and usable information about the label in nats.

    leakage = H(label) - min over T of CE(softmax(logits / T), label),   at least 0

The cross-entropy of a classifier is above the conditional entropy, so this is a lower bound of the
mutual information and what this Eve can use of it (Xu et al., ICLR 2020). One temperature is fitted
on the test labels (Guo et al., ICML 2017): an over-confident Eve is not counted as a fooled one.
"""

import numpy as np

TEMPERATURES = np.logspace(-1, 2.5, 36)


def entropy(labels, classes):
    """Entropy of the label in nats, from its frequencies."""
    return _entropy(np.bincount(labels, minlength=classes))


def _entropy(counts):
    share = counts[counts > 0] / counts.sum()
    return -float(np.sum(share * np.log(share)))


def majority_rate(labels):
    """Accuracy of an Eve who hears nothing: the share of the most frequent label."""
    return float(np.bincount(labels).max() / len(labels))


def cross_entropy(logits, labels):
    """Mean cross-entropy in nats of softmax(logits) and the true labels."""
    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    truth = np.take_along_axis(logits, np.asarray(labels)[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - truth))


def accuracy(logits, labels):
    """Share of sources whose true label has the largest logit."""
    return float(np.mean(np.argmax(logits, axis=1) == labels))


class Leakage:
    """Usable information about the label, summed over batches; the formula is at the top.

    Args:
        classes: number of labels.
    """

    def __init__(self, classes):
        self._counts = np.zeros(classes, int)
        self._losses = np.zeros(len(TEMPERATURES))

    def add(self, logits, labels):
        """Counts a batch.

        Args:
            logits: Eve's, [sources, classes]; log-probabilities will do.
            labels: true labels, integers, [sources].

        Raises:
            ArithmeticError: if a logit is NaN or infinite.
        """
        logits = np.asarray(logits, np.float64)
        if not np.all(np.isfinite(logits)):
            raise ArithmeticError("expected finite logits, got NaN or infinity")
        losses = [cross_entropy(logits / temperature, labels) for temperature in TEMPERATURES]
        self._losses += len(labels) * np.array(losses)
        self._counts += np.bincount(labels, minlength=len(self._counts))

    @property
    def nats(self):
        """The leakage, from 0 to the label's entropy."""
        return max(0.0, _entropy(self._counts) - float(self._losses.min()) / self._counts.sum())


def leakage_nats(logits, labels):
    """The leakage in nats of one batch that holds all sources; arguments as `Leakage.add`."""
    leakage = Leakage(logits.shape[1])
    leakage.add(logits, labels)
    return leakage.nats
