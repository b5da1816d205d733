"""SQLite files that may be anyone's (sqlite.org/fileformat.html).

What SQLite would follow of the files beside one is looked at first: a rollback's record may end in
the name of another file, common to several databases, and SQLite removes that, whatever it is.
"""

import contextlib
import errno
import os
import sqlite3

from arn_keras.errors import RunDirError
from arn_keras.machine.files import checked, checked_path

# A rollback's record ends in these bytes if it names another.
_MAGIC = bytes.fromhex("d9d505f920a163d7")
# What says nothing of the file's content: busy, locked, memory, rights, device, room, name.
_OUTSIDE = {3, 5, 6, 7, 8, 10, 13, 14, 22}


def rollback(path):
    """SQLite's own record of a transaction that is not finished."""
    return path.with_name(f"{path.name}-journal")


def _check_beside(path):
    """OSError where what lies beside a file is not what one process alone leaves there."""
    for end in ("-wal", "-shm"):
        if os.path.lexists(f"{path}{end}"):
            raise OSError(errno.EINVAL, f"expected no {path.name}{end} beside it")
    with contextlib.suppress(FileNotFoundError), checked(rollback(path)) as file:
        file.seek(-min(len(_MAGIC), file.seek(0, os.SEEK_END)), os.SEEK_END)
        if file.read() == _MAGIC:
            raise OSError(errno.EINVAL, f"{path.name}-journal names another file")


@contextlib.contextmanager
def opened(path, mode="rw"):
    """A connection for one transaction: a file replaced or removed meanwhile is not written to.

    Args:
        path: of the file.
        mode: SQLite's, "rw" or "rwc".

    Raises:
        RunDirError: if it cannot be read or written, or what lies beside it may do harm.
    """
    asked, path = path, path.resolve()  # SQLite goes by the file itself, and what lies beside that
    try:
        if path.exists():
            checked_path(path)
        _check_beside(path)
        address = f"{path.absolute().as_uri()}?mode={mode}"
        with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as found:
            found.text_factory = bytes
            yield found
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunDirError(f"{asked}: cannot be read or written: {reason}") from None


def fetched(connection, query):
    """Rows of a query as far as they can be read, and the error that ended them, or None.

    Raises:
        sqlite3.Error: that says nothing of the file's content.
    """
    rows = []
    try:
        rows.extend(connection.execute(query))
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in _OUTSIDE:
            raise
        return rows, error
    return rows, None
