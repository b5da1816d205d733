"""Files that are whole or absent, and read only if they are what they should be.

A file is written under another name beside its place and renamed, so a program killed at any
moment leaves nothing that looks finished but is not. What is read may be a stranger's: a pipe, a
device or a file of gigabytes is refused before a byte of it is read. Arrays too large for memory
lie in files without a name.
"""

import contextlib
import errno
import io
import json
import math
import os
import pathlib
import stat
import tempfile

from arn_keras.errors import RunDirError

#: How the name of a file begins that is being written.
TEMPORARY = ".tmp."
#: Bytes of arrays up to which they are held in memory, and an epoch is gathered from there.
IN_MEMORY_BYTES = 1 << 28
#: Bytes that a file has at most that is read whole, unless its reader says otherwise.
LIMIT_BYTES = 1 << 30


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


def write_bytes(path, content):
    """Writes a file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path, value):
    """Writes JSON atomically; NaN and infinity are refused, for no JSON reader must know them."""
    write_bytes(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def write_arrays(path, arrays):
    """Writes an `.npz` file of {name: array} atomically."""
    import numpy as np

    content = io.BytesIO()  # on a full disk the zip file's own end would be written to nowhere
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getbuffer())


def read_bytes(path, error=RunDirError, limit=LIMIT_BYTES, what="a readable file"):
    """The content of a regular file.

    Args:
        path: the file.
        error: subclass of `ArnError` to be raised.
        limit: bytes that it has at most.
        what: is expected, for the error's sake.

    Raises:
        error: if it is no regular file, larger, or cannot be read.
    """
    try:
        with checked(path, limit) as file:
            return file.read(limit + 1)
    except OSError as reason:
        raise error(f"{path}: expected {what}: {reason.strerror}") from None


@contextlib.contextmanager
def checked(path, limit=None):
    """A regular file opened for reading; of a pipe or a device not one byte is read.

    Args:
        path: the file.
        limit: bytes that it has at most, or None.

    Raises:
        OSError: if it is anything else, or larger, or cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if limit is not None and found.st_size > limit:
            reason = f"expected at most {limit} bytes, got {found.st_size}"
            raise OSError(errno.EFBIG, reason, str(path))
        with open(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def checked_path(path):
    """The path, for a library that opens it itself. Raises: as `checked`."""
    with checked(path):
        return path


def read_json(path, error=RunDirError):
    """Reads JSON.

    Raises:
        error: if the file is damaged or cannot be read.
    """
    try:
        return json.loads(read_bytes(path, error))
    except (ValueError, RecursionError) as reason:
        if isinstance(reason, error):
            raise
        raise error(f"{path}: expected a whole JSON file: {reason}") from None


def read_arrays(path, error=RunDirError, limit=LIMIT_BYTES):
    """The arrays of an `.npz` file, {name: array}, without pickle.

    Raises:
        error: if it is no such file, damaged, or its arrays take more than `limit` bytes.
    """
    import zipfile

    import numpy as np

    try:
        with checked(path, limit) as file, np.load(file, allow_pickle=False) as archive:
            size = sum(entry.file_size for entry in archive.zip.infolist())
            if size > limit:
                raise ValueError(f"expected at most {limit} bytes, got {size}")
            return {name: np.asarray(archive[name]) for name in archive.files}
    except Exception as reason:  # NumPy, zip, zlib and others each raise their own
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        words = words.strip().splitlines()[0]
        if not isinstance(reason, OSError) and not zipfile.is_zipfile(path):
            words = "it is no zip file, or its end is missing"
        raise error(f"{path}: expected an .npz file of arrays: {words}") from None


def memory_bytes():
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def flush(path):
    """Puts a file's content on the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def fit_in_memory(size):
    """Whether arrays of so many bytes are held in memory."""
    return size <= IN_MEMORY_BYTES


def empty_rows(shape, dtype="float32"):
    """An array to be filled: in memory, or a map of a scratch file if it is too large.

    The file has no name and goes with the array, also if the process is killed.

    Args:
        shape, dtype: of the array.

    Raises:
        RunDirError: if the scratch folder has no room for it.
    """
    import numpy as np

    dtype = np.dtype(dtype)
    size = dtype.itemsize * math.prod(shape)
    if fit_in_memory(size):
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(dir=os.environ.get("TMPDIR")) as file:
        try:
            _reserve(file, size)
        except OSError as error:
            raise RunDirError(
                f"expected room for {size} bytes of scratch, got {error.strerror}: choose a folder "
                "for it with TMPDIR"
            ) from None
        return np.memmap(file, dtype, "w+", shape=tuple(shape))


def _reserve(file, size):
    """Takes the room of a file: a map that meets a full disk later ends the process (SIGBUS)."""
    if hasattr(os, "posix_fallocate"):
        return os.posix_fallocate(file.fileno(), 0, size)
    for start in range(0, size, 1 << 24):  # macOS
        file.write(bytes(min(1 << 24, size - start)))
    return file.flush()
