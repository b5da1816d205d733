"""A training state that survives a kill at any moment: one whole file an epoch.

Keras's `BackupAndRestore` writes weights and epoch in two files, neither atomically: killed
between them it resumes at the wrong epoch. Here the epoch is part of the one file's name.
"""

import pathlib
import re

import keras

from arn_keras.rundir import atomic_file

_NAME = re.compile(r"epoch-(\d{6})\.weights\.h5")


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves weights and optimiser state after each epoch, keeping the newest.

    Args:
        directory: where the state is kept; made if missing.
    """

    def __init__(self, directory):
        super().__init__()
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
        """Writes this epoch's state, then removes older ones."""
        older = self._saved()
        with atomic_file(self._directory / f"epoch-{epoch + 1:06d}.weights.h5") as temporary:
            self.model.save_weights(temporary, overwrite=True)
        for path in older:
            path.unlink()

    def _saved(self):
        return sorted(p for p in self._directory.iterdir() if _NAME.fullmatch(p.name))
