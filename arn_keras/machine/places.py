"""Directories that one process works in at a time, and that are replaced whole or not at all.

A lock is `flock`'s: it ends with its process, however that ends. A directory is replaced in two
renames; the first is taken back if the second fails, or by the next program if a kill came between.
"""

import contextlib
import os
import shutil
import time

from arn_keras.errors import RunDirError

_SECONDS_TO_END = 2.0  # for the processes of a killed program


def lock(path, error=RunDirError):
    """Locks a file, made if missing, or a directory; waits for a process that is ending.

    Returns:
        A handle; the lock is given free when it is closed.

    Raises:
        OSError: if it cannot be opened.
        error: if another process holds it, or the file system has no working locks.
    """
    import fcntl

    how = os.O_RDONLY if os.path.isdir(path) else os.O_WRONLY | os.O_CREAT
    handle = os.open(path, how | os.O_NONBLOCK)  # or a pipe in its place would be waited for
    until = time.monotonic() + _SECONDS_TO_END
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() < until:
                time.sleep(0.02)
                continue
            reason = "another process is at work in it"
        except OSError as found:
            reason = f"expected a file system with working locks, got {found.strerror}"
        os.close(handle)
        folder = path if how == os.O_RDONLY else os.path.dirname(path)
        raise error(f"{folder}: {reason}")


def own_directory(folder, error=RunDirError):
    """Makes a directory if there is none; what may be a stranger's link to another is not taken.

    What works in a directory also empties it.

    Raises:
        OSError: if it cannot be made.
        error: if it is a link.
    """
    if folder.is_symlink():
        raise error(f"{folder}: expected a directory of its own, got a link")
    folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def staging(place, error=RunDirError):
    """A directory beside a place, for what is to stand there: locked, and gone afterwards.

    What a killed program left in it goes first.

    Args:
        place: a `pathlib.Path`.
        error: subclass of `ArnError` to be raised.

    Raises:
        OSError: if it cannot be written.
        error: as `lock`.
    """
    folder = place.with_name(f".partial.{place.name}")
    while True:
        own_directory(folder, error)
        held = lock(folder, error)
        if _is_open_at(held, folder):
            break
        os.close(held)  # who had it before has removed it
    try:
        restore_directory(place)
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _is_open_at(handle, path):
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False


def replace_directory(fresh, place):
    """Puts a directory into the place of another, or of none, or leaves all as it was.

    A kill in the middle leaves the other one aside, for `restore_directory`.

    Args:
        fresh: the new directory, on the file system of its place.
        place: where it goes, an absolute path.
    """
    restore_directory(place)
    aside = _aside(place)
    if place.exists():
        os.rename(place, aside)
    try:
        os.rename(fresh, place)
    except OSError:
        restore_directory(place)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def restore_directory(place):
    """Finishes or takes back what a killed `replace_directory` had begun."""
    aside = _aside(place)
    if not aside.exists():
        return
    if place.exists():
        shutil.rmtree(aside)
    else:
        os.rename(aside, place)


def _aside(place):
    return place.with_name(f".replaced.{place.name}")
