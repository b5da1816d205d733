"""Keras models from files that may be anyone's.

Safe mode: a file with code of its own (a Lambda) is refused, not run. Only a regular file that was
looked at first is given to Keras, which would fetch `hf://...` too. What is not covered: a model
that asks for more memory than the machine has costs what it can get before it is refused.
"""

import zipfile

from arn_keras.errors import RunDirError
from arn_keras.machine.files import checked_path


def load(path, error=RunDirError, what="a whole Keras model"):
    """The model of a `.keras` file.

    Args:
        path: the file.
        error: subclass of `ArnError` to be raised.
        what: is expected, for the error.

    Raises:
        error: if it is no such file, damaged, or cannot be loaded.
    """
    import keras

    try:
        checked_path(path)
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip file, or its end is missing")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except OSError as reason:
        words = reason.strerror or str(reason)
    except Exception as reason:  # zip, HDF5, JSON and Keras each raise their own
        words = str(reason)
    words = (words.strip().splitlines() or ["no reason was given"])[0]
    words = words.partition(" If you trust")[0]  # no command of ours takes safe_mode=False
    raise error(f"{path}: expected {what}: {words}") from None
