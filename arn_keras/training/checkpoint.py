"""A training state that survives a kill at any moment: one whole file.

Keras's `BackupAndRestore` writes weights and epoch in two files, neither atomically: killed
between them it resumes at the wrong epoch. Here the epoch is part of the one file's name.
"""

import math
import pathlib
import re
import time

import keras

from arn_keras.files import atomic_file

_NAME = re.compile(r"epoch-(\d{6})\.weights\.h5")


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves weights and optimiser state at the ends of epochs, keeping the newest.

    Args:
        directory: where the state is kept; made if missing.
        seconds: least time between two states: where epochs are short, saving each would take
            longer than training it again.
    """

    def __init__(self, directory, seconds=1.0):
        super().__init__()
        self._seconds = seconds
        self._saved_at = -math.inf
        self._directory = pathlib.Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)

    def restore(self, model):
        """Loads the newest state into a built and compiled model.

        Returns:
            Number of finished epochs, for `fit(initial_epoch=...)`.
        """
        saved = self._saved()
        if not saved:
            return 0
        model.optimizer.build(model.trainable_variables)
        model.load_weights(saved[-1])
        return int(_NAME.fullmatch(saved[-1].name)[1])

    def on_epoch_end(self, epoch, logs=None):
        """Writes this epoch's state if it is time to, then removes older ones."""
        if time.monotonic() < self._saved_at + self._seconds:
            return
        older = self._saved()
        with atomic_file(self._directory / f"epoch-{epoch + 1:06d}.weights.h5") as temporary:
            self.model.save_weights(temporary, overwrite=True)
        for path in older:
            path.unlink()
        self._saved_at = time.monotonic()

    def _saved(self):
        return sorted(p for p in self._directory.iterdir() if _NAME.fullmatch(p.name))
