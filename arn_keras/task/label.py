"""Bob is to name a label of the source: L2 is the cross-entropy of his logits (in nats)."""

from arn_keras.task.task import Measure, Task


class Label(Task):
    """Bob is to name a label; it need not be the private one."""

    measures = (Measure("accuracy", "Bob acc.", ".4f", better="higher"),)
    blind_field = "accuracy_commonest"

    @property
    def link_loss(self):
        """Cross-entropy of logits."""
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @property
    def task_loss(self):
        """The same, as L2 of Eq. (19)."""
        return self.link_loss

    def blind(self, targets, count):
        """Logits of the labels' frequencies."""
        import numpy as np

        share = np.bincount(np.ravel(targets)) / np.size(targets)
        return np.broadcast_to(np.log(share + 1e-9), (count, len(share)))

    def meter(self):
        """A new `AccuracyMeter`."""
        return AccuracyMeter()


class AccuracyMeter:
    """Share of sources whose label has the largest logit."""

    def __init__(self):
        self._hits = 0

    def add(self, target, estimate):
        """Adds a batch: labels [batch] or [batch, 1], and logits [batch, labels]."""
        import numpy as np

        guess = np.argmax(np.asarray(estimate), axis=-1)
        self._hits += int(np.sum(guess == np.reshape(np.asarray(target), guess.shape)))

    def fields(self, sources):
        """The row's fields over so many sources."""
        return {"accuracy": self._hits / sources}


LABEL = Label()
