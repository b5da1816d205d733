"""Message numbers: never given twice by a transmitter, never taken twice by a receiver.

A number chooses the keystream, and a keystream used twice is the one mistake that opens a keyed
pair. So Alice's counter is durable: a block of numbers is on the disk before any of them is used,
and what a crash leaves of a block is lost, not used again. Bob takes numbers in any order and with
gaps through the sliding window of IPsec (RFC 4303, section 3.4.3; RFC 6479).

Left out: a counter file restored from a backup, or copied to another machine, repeats its numbers,
and no program can see that; take a new key then. Bob's window lives in memory: after a restart he
takes an old message once more. One key serves one transmitter and one direction.
"""

import os
import re
import tempfile
import threading
import zlib

from ..errors import ArnError  # relative: a keyed bundle has a copy of this file and of errors.py

#: Message numbers are below this: an unsigned 64-bit integer.
END = 2**64


class KeyingError(ArnError, ValueError):
    """A key, counter, message number or header that cannot be used."""


class RefusedMessageError(KeyingError):
    """A message that a receiver must not take: a replay, too old, or another pair's."""


def checked_number(number):
    """The message number itself, if it is an integer from 0 to 2^64 - 1; else KeyingError."""
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise KeyingError(f"expected an integer message number, got {type(number).__name__}")
    if not 0 <= (number := number.__index__()) < END:
        raise KeyingError(f"expected a message number from 0 to 2^64 - 1, got {number}")
    return number


def checked_identity(pair):
    """The pair identity itself, if it is 8 bytes; else KeyingError."""
    if not isinstance(pair, bytes) or len(pair) != 8:
        got = f"{len(pair)} bytes" if isinstance(pair, bytes) else type(pair).__name__
        raise KeyingError(f"expected a pair identity of 8 bytes, got {got}")
    return pair


class MessageCounter:
    """Alice's durable counter: each call of `next` gives a number never given before.

    The file holds the pair it belongs to and the first number not yet reserved, with a checksum.
    It is replaced atomically, file and directory are flushed to the disk, and a lock on
    `<path>.lock` keeps it to one process (POSIX, local file system). A damaged or missing file is
    refused: a counter that starts again would repeat its numbers.

    Args:
        path: the counter's file, made by `MessageCounter.create`.
        pair: identity of the pair, 8 bytes.
        block: numbers reserved at a time; a crash loses at most so many.

    Raises:
        KeyingError: no file, a damaged one, another pair's, or one that another counter holds.
    """

    def __init__(self, path, pair, block=1024):
        if block < 1:
            raise KeyingError(f"expected a block of at least 1 number, got {block}")
        self.path, self.pair = os.path.realpath(path), checked_identity(pair)
        self.block = block
        self._process, self._thread_lock = os.getpid(), threading.Lock()
        if not os.path.lexists(self.path):
            raise KeyingError(
                f"expected a message counter's file, got none: {path} (it is made together "
                "with a new key)"
            )
        self._lock_file = _locked(self.path)
        try:
            self._next = self._reserved = self._read()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path, pair):
        """Writes a new counter file that starts at 0, once, together with a new key.

        Raises:
            KeyingError: the file exists, or another counter holds it.
        """
        path, record = os.path.realpath(path), _record(checked_identity(pair), 0)
        with _locked(path):
            if os.path.lexists(path):
                raise KeyingError(f"expected no file where a new counter goes, got one: {path}")
            _write_durably(path, record)

    def next(self):
        """A fresh message number, 0 to 2^64 - 1.

        Raises:
            KeyingError: all numbers are used, or this process did not open the counter.
            OSError: a new block could not be written; no number is given.
        """
        with self._thread_lock:
            if self._lock_file.closed or os.getpid() != self._process:
                raise KeyingError("expected an open counter in the process that opened it")
            if self._next == self._reserved:
                if self._reserved == END:
                    raise KeyingError("expected a key with unused message numbers, got all used")
                reserved = min(self._reserved + self.block, END)
                _write_durably(self.path, _record(self.pair, reserved))
                self._reserved = reserved
            self._next += 1
            return self._next - 1

    def close(self):
        """Gives the file free for another process; the rest of the reserved block is lost."""
        self._lock_file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self):
        with open(self.path, "rb") as file:
            content = file.read()
        match = re.fullmatch(rb"arn-keras-counter-1 ([0-9a-f]{16}) (\d{20}) [0-9a-f]{8}\n", content)
        if not match or content != _record(bytes.fromhex(match[1].decode()), int(match[2])):
            raise KeyingError(
                f"expected a whole message counter's file, got a damaged one: {self.path} (take a "
                "new key and a new counter; starting again would repeat message numbers)"
            )
        if bytes.fromhex(match[1].decode()) != self.pair:
            raise KeyingError(
                f"expected the counter of pair {self.pair.hex()}, got that of {match[1].decode()}"
            )
        return int(match[2])


def _record(pair, reserved):
    line = f"arn-keras-counter-1 {pair.hex()} {reserved:020d} ".encode()
    return line + f"{zlib.crc32(line):08x}\n".encode()


def _locked(path):
    import fcntl

    try:
        file = open(f"{path}.lock", "ab")  # noqa: SIM115 - open as long as the counter is
    except OSError as error:
        raise KeyingError(
            f"expected a writable folder for the counter, got {error.strerror}: {path}"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise KeyingError(f"expected a counter nobody else uses, got one in use: {path}") from None
    return file


def _write_durably(path, content):
    directory, name = os.path.split(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class ReplayWindow:
    """Bob's sliding window over message numbers.

    A number above the highest accepted one is new, however large the gap. One among the last
    `size` is new unless it was accepted before. Anything older is refused, seen or not.

    Args:
        size: how far behind the highest accepted number a late message may come.
    """

    def __init__(self, size=1024):
        if size < 1:
            raise KeyingError(f"expected a window of at least 1 number, got {size}")
        self.size = size
        self._highest, self._accepted = -1, 0  # bit i of _accepted: number _highest - i
        self._lock = threading.Lock()

    def check(self, number):
        """Raises RefusedMessageError unless `accept` would take the number; changes nothing."""
        number = checked_number(number)
        behind = self._highest - number
        if behind >= self.size:
            raise RefusedMessageError(
                f"expected a message number above {self._highest - self.size}, got {number}: "
                "too old"
            )
        if behind >= 0 and self._accepted >> behind & 1:
            raise RefusedMessageError(f"expected a new message number, got {number}: a replay")

    def accept(self, number):
        """Checks a number and records it, in one step also between threads.

        Raises:
            RefusedMessageError: the number was accepted before, or is too old.
        """
        number = checked_number(number)
        with self._lock:
            self.check(number)
            ahead = max(0, number - self._highest)
            if ahead:
                # A shift by the whole gap would take memory without bound.
                kept = self._accepted << ahead if ahead < self.size else 0
                self._accepted, self._highest = kept & (1 << self.size) - 1, number
            self._accepted |= 1 << self._highest - number
