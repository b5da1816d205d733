"""Callbacks of every `fit`: epochs that count on from call to call, and a way back from a NaN."""

import keras
import numpy as np

from arn_keras.errors import ConfigError, DataError, TrainingDiverged


class CountedEpochs(keras.callbacks.Callback):
    """Gives each epoch its number in the life of the link, from which its noise and order follow.

    Keras counts from 0 in each call of `fit`; here a loop of `fit(epochs=1)` is one longer `fit`.

    Args:
        counted: whether an epoch's number is that of those before it, also where a callback has
            brought them back; else it is Keras's.
        batches: `batches.EpochBatches` whose order follows from it, or None.
    """

    def __init__(self, counted, batches=None):
        super().__init__()
        self._counted, self._batches = counted, batches

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the noise and the order of this epoch."""
        self.model.epoch = int(self.model.epochs_done.numpy()) if self._counted else epoch
        self.model.reseed(self.model.epoch)
        self.model.in_epoch = True
        if self._batches is not None:
            self._batches.on_epoch_begin(self.model.epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Counts it."""
        self.model.in_epoch = False
        self.model.epochs_done.assign(self.model.epoch + 1)


class KeepLastGood(keras.callbacks.Callback):
    """Stops where a loss term is no number, with all state of the last good epoch.

    Weights alone would not do: the moments of an optimiser that saw a NaN are NaN for good.
    """

    def on_train_begin(self, logs=None):
        """Keeps what there is."""
        self._keep()

    def on_epoch_begin(self, epoch, logs=None):
        """No batch of this epoch was seen."""
        self._trained = False

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the terms.

        Raises:
            TrainingDiverged: if one is NaN or infinite.
        """
        self._trained = True
        terms = [(name, logs[name]) for name in self.model.terms if name in (logs or {})]
        bad = [name for name, value in terms if not np.all(np.isfinite(value))]
        if bad:
            for variable, value in self._good:
                variable.assign(value)
            raise TrainingDiverged(
                f"{self.model.name}: {', '.join(bad)} became NaN or infinite in epoch "
                f"{self.model.epoch + 1}; the weights of the last good epoch are kept"
            )

    def on_epoch_end(self, epoch, logs=None):
        """Keeps the state of a good epoch.

        Raises:
            DataError: for an epoch without a batch, which Keras takes for a good one.
        """
        if not self._trained:
            raise DataError("expected at least one batch an epoch, got none")
        self._keep()

    def _keep(self):
        self._good = [(variable, variable.numpy()) for variable in self.model.moving_variables()]


def as_list(callbacks):
    """Callbacks as a list: none, one, or several.

    Raises:
        ConfigError: for what is no callback.
    """
    if callbacks is None:
        return []
    found = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for each in found:
        if not isinstance(each, keras.callbacks.Callback):
            got = getattr(each, "__name__", type(each).__name__)
            raise ConfigError(f"expected Keras callbacks, got {got}")
    return found
