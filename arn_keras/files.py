"""Files that are whole or absent, and arrays too large for memory in files without a name.

A file is written under another name beside its place and renamed, so a program killed at any
moment leaves nothing that looks finished but is not.
"""

import contextlib
import json
import math
import os
import pathlib
import tempfile

from arn_keras.errors import RunDirError

#: How the name of a file begins that is being written.
TEMPORARY = ".tmp."
#: Bytes of arrays up to which they are held in memory, and an epoch is gathered from there.
IN_MEMORY_BYTES = 1 << 28


@contextlib.contextmanager
def atomic_file(path):
    """Yields a temporary path beside `path`, and renames it when the block ends well."""
    path = pathlib.Path(path)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}.{path.name}")
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, value):
    """Writes JSON atomically; NaN and infinity are refused, for no JSON reader must know them."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path):
    """Reads JSON.

    Raises:
        RunDirError: if the file is damaged or cannot be read.
    """
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as error:
        raise RunDirError(f"{path}: expected a whole JSON file: {error}") from None


def flush(path):
    """Puts a file's content on the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def fit_in_memory(size):
    """Whether arrays of so many bytes are held in memory."""
    return size <= IN_MEMORY_BYTES


def empty_rows(shape):
    """An array of float32 to be filled: in memory, or a map of a scratch file if it is too large.

    The file has no name and goes with the array, also if the process is killed.

    Args:
        shape: of the array.
    """
    import numpy as np

    if fit_in_memory(4 * math.prod(shape)):
        return np.empty(shape, np.float32)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float32, "w+", shape=tuple(shape))
