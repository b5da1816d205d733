"""A training state that survives a kill at any moment: one whole file, named after its content.

Keras's `BackupAndRestore` writes weights and epoch in two files, neither atomically: killed
between them it resumes at the wrong epoch. Here the epoch is part of the one file's name, and so is
the file's SHA-256: a state that was changed or cut off would give another pair without a word, so
it is not used, and the stage begins again.

The file holds arrays, not HDF5: that library ends the process where it meets a full disk.
"""

import hashlib
import io
import math
import pathlib
import re
import time

import keras
import numpy as np

from arn_keras.errors import RunDirError
from arn_keras.machine.files import read_arrays, read_bytes, write_bytes

_NAME = re.compile(r"epoch-(\d{6})\.([0-9a-f]{16})\.npz")


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves weights and optimiser state at the ends of epochs, keeping the newest.

    Args:
        directory: where the state is kept; made if missing.
        seconds: least time between two states: where epochs are short, saving each would take
            longer than training it again.
        say: called with a line for the user if a state cannot be used.
    """

    def __init__(self, directory, seconds=1.0, say=print):
        super().__init__()
        self._seconds, self._say = seconds, say
        self._saved_at = -math.inf
        self._directory = pathlib.Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)

    def restore(self, model):
        """Loads the newest state into a built and compiled model.

        Returns:
            Number of finished epochs, for `fit(initial_epoch=...)`.
        """
        model.optimizer.build(model.trainable_variables)
        for path in reversed(self._saved()):
            epochs, digest = _NAME.fullmatch(path.name).groups()
            variables = _variables(model)
            try:
                arrays = list(_whole(path, digest).values())
                for variable, array in zip(variables, arrays, strict=True):
                    if tuple(variable.shape) != array.shape:
                        raise RunDirError(f"{path}: expected the state of this model")
            except (RunDirError, ValueError):
                self._say(f"note: {path}: damaged, or of another model; its stage begins again")
                path.unlink()
                continue
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)
            return int(epochs)
        return 0

    def on_epoch_end(self, epoch, logs=None):
        """Writes this epoch's state if it is time to, then removes older ones."""
        if time.monotonic() < self._saved_at + self._seconds:
            return
        older, content = self._saved(), io.BytesIO()
        np.savez(content, *(np.asarray(each) for each in _variables(self.model)))
        digest = hashlib.sha256(content.getbuffer()).hexdigest()[:16]
        write_bytes(self._directory / f"epoch-{epoch + 1:06d}.{digest}.npz", content.getbuffer())
        for path in older:
            path.unlink()
        self._saved_at = time.monotonic()

    def _saved(self):
        return sorted(p for p in self._directory.iterdir() if _NAME.fullmatch(p.name))


def _variables(model):
    # Of a game also the rivals' optimisers, which Keras does not count among a model's variables.
    further = model.moving_variables() if hasattr(model, "moving_variables") else ()
    found = [*model.variables, *model.optimizer.variables, *further]
    return list({id(each): each for each in found}.values())


def _whole(path, digest):
    if hashlib.sha256(read_bytes(path)).hexdigest()[:16] != digest:
        raise RunDirError(f"{path}: damaged")
    return read_arrays(path)
