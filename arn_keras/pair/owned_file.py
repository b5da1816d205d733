"""A small file that one process owns, and replaces durably: Alice's counter, Bob's window.

It holds one line: a word, the pair's identity, a number, how far the key was stepped then, a
checksum. Who opens it holds a lock on `<path>.lock` for as long. A lock can be removed, a file
renamed or linked while it is open; so each time before the number is raised, under a lock on the
folder that nobody can remove, the file must hold what this process wrote there last, under one
name, and the lock must still be the one at its path. Whoever loses that race is refused.

Left out: a file restored from a backup, or copied to another machine, is not told from the real
one, but for a number behind a ratcheted key (`key_file`). Locks are POSIX's `flock`.
"""

import contextlib
import os
import re
import stat
import threading
import time
import zlib

from .refusal import KeyingError, checked_identity

_SECONDS = 10.0  # a folder is held for a write; who holds it for longer must not stop Alice


class OwnedFile:
    """The file, opened and locked.

    Args:
        path: its place; `OwnedFile.create` makes it.
        pair: identity of the pair, 8 bytes.
        word: what it is, "counter" or "window".

    Attributes:
        number: what the file holds.
        epoch: of the key when that was written.

    Raises:
        KeyingError: no file, a damaged one, another pair's, linked, or open elsewhere.
    """

    def __init__(self, path, pair, word):
        self.path, self.word, self.pair = real_path(path), word, checked_identity(pair)
        self._process, self.thread_lock = os.getpid(), threading.Lock()
        if not os.path.lexists(self.path):
            raise KeyingError(
                f"expected a message {word}'s file, got none: {path} (it is made together with a "
                "new key)"
            )
        self._lock_file = _locked(self.path, word)
        try:
            self.number, self.epoch = self._read()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_temporary(self.path))  # of a process that was killed
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise KeyingError(
                    f"expected a writable folder for the {word}, got {error.strerror}: "
                    f"{_temporary(self.path)}"
                ) from None
            raise

    @classmethod
    def create(cls, path, pair, word):
        """Writes a new file that begins at 0, once, together with a new key; else KeyingError."""
        path, record = real_path(path), _record(word, checked_identity(pair), 0, 0)
        with _locked(path, word):
            if os.path.lexists(path):
                raise KeyingError(f"expected no file where a new {word} goes, got one: {path}")
            write_durably(path, record)

    def check_open(self):
        """Refuses a closed file and a forked process, whose copy nobody else knows of."""
        if self._lock_file.closed or os.getpid() != self._process:
            raise KeyingError(f"expected an open {self.word} in the process that opened it")

    def raise_to(self, number, epoch=0):
        """Writes a higher number; it is on the disk when this returns.

        Args:
            number: the number.
            epoch: that the key has been stepped to.

        Raises:
            KeyingError: the file is no longer this process's own.
            OSError: it could not be written.
        """
        with _locked_folder(os.path.dirname(self.path)):
            self._check_owned()
            epoch = max(epoch, self.epoch)
            write_durably(self.path, _record(self.word, self.pair, number, epoch))
            self.number, self.epoch = number, epoch

    def close(self):
        """Gives the file free for another process."""
        self._lock_file.close()

    def _check_owned(self):
        lock, at_path = os.fstat(self._lock_file.fileno()), _stat(f"{self.path}.lock")
        if at_path is None or (at_path.st_dev, at_path.st_ino) != (lock.st_dev, lock.st_ino):
            self._refuse(f"its lock {self.path}.lock removed or replaced")
        if _stat(self.path) is None:
            self._refuse("its file gone")
        if (found := self._read()) != (self.number, self.epoch):
            self._refuse(f"its file at {found[0]} instead of {self.number}")

    def _refuse(self, what):
        raise KeyingError(
            f"expected a {self.word} that nobody else touches, got {what}: close it everywhere, "
            "then open it once"
        )

    def _read(self):
        content = read_small(self.path, f"a message {self.word}'s file")
        # The first format had no epoch.
        pattern = rb"arn-keras-%b-[12] ([0-9a-f]{16}) (\d{20})(?: (\d{20}))? [0-9a-f]{8}\n"
        match = re.fullmatch(pattern % self.word.encode(), content)
        identity, *numbers = match.groups() if match else (b"",)
        numbers = [int(each) for each in numbers if each]
        identity = bytes.fromhex(identity.decode())
        if content != _record(self.word, identity, *numbers):
            raise KeyingError(
                f"expected a whole message {self.word}'s file, got a damaged one: {self.path} "
                f"(take a new key and a new {self.word}; starting again would repeat message "
                "numbers)"
            )
        if identity != self.pair:
            raise KeyingError(
                f"expected the {self.word} of pair {self.pair.hex()}, got that of {identity.hex()}"
            )
        return (*numbers, 0)[:2]


def read_small(path, what):
    """The bytes of a small regular file under one name; of a device or a pipe not one is read.

    Args:
        path: the file.
        what: it is, for the error.

    Raises:
        KeyingError: with what was found.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise KeyingError(f"expected {what}, got {error.strerror}: {path}") from None
    try:  # not `open`, which has an error of its own for a folder
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise KeyingError(f"expected {what}, got no regular file: {path}")
        if found.st_nlink > 1:
            raise KeyingError(f"expected {what} under one name, got {found.st_nlink}: {path}")
        with open(handle, "rb", closefd=False) as file:
            return file.read(4096)
    finally:
        os.close(handle)


def real_path(path):
    """A file's own path, behind all symbolic links; KeyingError for what names no file."""
    try:
        if b"\0" in os.fsencode(path):
            raise ValueError
        return os.path.realpath(os.fsdecode(path))
    except (TypeError, ValueError):
        raise KeyingError(f"expected the path of a file, got {path!r}") from None


def write_durably(path, content):
    """Replaces a file by one of this content and mode 0600; file and folder are on the disk."""
    folder, temporary = os.path.dirname(path) or ".", _temporary(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary(path):
    """One name, so that whoever is killed leaves at most one file, which the next one takes."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.new")


def _record(word, pair, *numbers):
    fields = " ".join(f"{number:020d}" for number in numbers)
    line = f"arn-keras-{word}-{len(numbers)} {pair.hex()} {fields} ".encode()
    return line + f"{zlib.crc32(line):08x}\n".encode()


def _stat(path):
    with contextlib.suppress(OSError):
        return os.stat(path, follow_symlinks=False)


def _flock(file, word, path, until=0.0):
    try:
        import fcntl
    except ImportError:
        raise KeyingError(f"expected a system with POSIX locks for a {word}, got none") from None
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = f"a {word} nobody else uses, got one in use: {path}"
        except OSError as error:
            until, reason = (
                0,
                f"a file system with working locks for a {word}, got {error.strerror}",
            )
        if time.monotonic() >= until:
            raise KeyingError(f"expected {reason}")
        time.sleep(0.001)


def _locked(path, word):
    try:
        # Without O_NONBLOCK a pipe in its place would be waited for.
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(f"{path}.lock", flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise KeyingError(
            f"expected a writable folder for the {word}, got {error.strerror}: {path}.lock"
        ) from None
    file = open(handle, "wb", buffering=0)  # noqa: SIM115 - open as long as its owner is
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise KeyingError(f"expected a lock, got no regular file: {path}.lock")
        _flock(file, word, path)
    except BaseException:
        file.close()
        raise
    return file


@contextlib.contextmanager
def _locked_folder(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        _flock(handle, "folder", folder, time.monotonic() + _SECONDS)
        yield
    finally:
        os.close(handle)
