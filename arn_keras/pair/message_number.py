"""Message numbers: never given twice by a transmitter, never taken twice by a receiver.

A number chooses the keystream, and a keystream used twice is the one mistake that opens a keyed
pair. So Alice's counter is durable: a block of numbers is on the disk before any of them is used,
and what a crash leaves of a block is lost, not used again. Bob takes numbers in any order and with
gaps through the sliding window of IPsec (RFC 4303, section 3.4.3; RFC 6479), and his window is as
durable: that a block may have been taken is on the disk before any of it is.

Left out: a counter file restored from a backup, or copied to another machine, repeats its numbers.
A ratcheted key (`key_file`) finds that out when the counter is behind it, else no program can; take
a new key then. One key and label serve one transmitter and one direction.
"""

import contextlib
import os
import threading

from .owned_file import OwnedFile
from .refusal import END, KeyingError, RefusedMessageError, checked_number


class MessageCounter:
    """Alice's durable counter: each call of `next` gives a number never given before.

    The file (`owned_file`) holds the first number not yet reserved. A damaged or missing one is
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
        self.block, self._file = block, OwnedFile(path, pair, "counter")
        self.pair = self._file.pair
        self._next = self._file.number

    @staticmethod
    def create(path, pair):
        """Writes a new counter file that starts at 0, once, together with a new key.

        Raises:
            KeyingError: the file exists, or another counter holds it.
        """
        OwnedFile.create(path, pair, "counter")

    @property
    def ahead(self):
        """The number that `next` gives next; it is not taken."""
        return self._next

    def check_open(self):
        """KeyingError if it is closed, or another process opened it."""
        self._file.check_open()

    @property
    def epoch(self):
        """How far the key was stepped when the file was written last."""
        return self._file.epoch

    def next(self, epoch=0):
        """A fresh message number, 0 to 2^64 - 1.

        Args:
            epoch: that the key has been stepped to.

        Raises:
            KeyingError: all numbers are used, the file is no longer this process's own, or this
                process did not open it.
            OSError: a new block could not be written; no number is given.
        """
        self._file.check_open()  # first: a forked child's lock may be held for ever
        with self._file.thread_lock:
            self._file.check_open()
            if self._next == self._file.number:
                if self._next == END:
                    raise KeyingError("expected a key with unused message numbers, got all used")
                self._file.raise_to(min(self._next + self.block, END), epoch)
            self._next += 1
            return self._next - 1

    def close(self):
        """Gives the file free for another process; the rest of the reserved block is lost."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ReplayWindow:
    """Bob's sliding window over message numbers.

    A number above the highest accepted one is new, however large the gap. One among the last
    `size` is new unless it was accepted before. Anything older is refused, seen or not.

    With a file, what it holds is above all numbers that may have been taken: after a crash all
    below are refused, that is the late ones and at most `block` that would have been good. A window
    that is closed leaves the highest number there, so that a restart refuses the late ones alone.

    Args:
        size: how far behind the highest accepted number a late message may come.
        path: the window's file, made by `ReplayWindow.create`; None for a window in memory, which
            a restart empties: an old message is taken once more.
        pair: identity of the pair, 8 bytes, where there is a file.
        block: numbers written ahead at a time.

    Raises:
        KeyingError: no file, a damaged one, another pair's, or one that another window holds.
    """

    def __init__(self, size=1024, path=None, pair=None, block=128):
        if size < 1:
            raise KeyingError(f"expected a window of at least 1 number, got {size}")
        if block < 1:
            raise KeyingError(f"expected a block of at least 1 number, got {block}")
        self.size, self.block = size, block
        self._file = OwnedFile(path, pair, "window") if path is not None else None
        self._lock, self._process = threading.Lock(), os.getpid()
        self._highest = self._file.number - 1 if self._file else -1
        # Bit i: number _highest - i was taken, or may have been before a restart.
        self._accepted = (1 << size) - 1 if self._highest >= 0 else 0

    @staticmethod
    def create(path, pair):
        """Writes a new window file, of which nothing was taken, once, together with a new key.

        Raises:
            KeyingError: the file exists, or another window holds it.
        """
        OwnedFile.create(path, pair, "window")

    @property
    def durable(self):
        """Whether the window has a file."""
        return self._file is not None

    @property
    def reached(self):
        """All numbers that may have been taken are below this one."""
        return self._file.number if self._file else self._highest + 1

    @property
    def epoch(self):
        """How far the key was stepped when the file was written last; 0 without one."""
        return self._file.epoch if self._file else 0

    def lowest_after(self, numbers):
        """The lowest number that could still be taken once these were."""
        return max(0, max(self._highest, *numbers) - self.size + 1)

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

    def accept(self, *numbers, before=None):
        """Checks numbers and records them, all or none, in one step also between threads.

        Args:
            numbers: of the messages, in any order, each once.
            before: called when the numbers are good and on the disk, before they are taken; gives
                the epoch that the key is stepped to; an error of it takes none.

        Raises:
            RefusedMessageError: one was accepted before, or is too old.
            KeyingError: the file is no longer this process's own, or this process did not open it.
            OSError: the file could not be written.
        """
        numbers = [checked_number(number) for number in numbers]
        if not numbers:
            return
        self._check_open()
        with self._lock:
            self._check_open()
            for number in numbers:
                self.check(number)
            if len(set(numbers)) < len(numbers):
                raise RefusedMessageError("expected each message once in a batch, got a replay")
            highest = max(numbers)
            if self._file and highest >= self._file.number:
                self._file.raise_to(min((highest // self.block + 1) * self.block, END))
            epoch = before() if before is not None else 0
            if self._file and epoch > self._file.epoch:
                self._file.raise_to(self._file.number, epoch)
            for number in numbers:
                self._take(number)

    def _take(self, number):
        ahead = max(0, number - self._highest)
        if ahead:
            # A shift by the whole gap would take memory without bound.
            kept = self._accepted << ahead if ahead < self.size else 0
            self._accepted, self._highest = kept & (1 << self.size) - 1, number
        behind = self._highest - number
        if behind < self.size:  # not so where a batch is wider than the window
            self._accepted |= 1 << behind

    def _check_open(self):
        if self._file:
            self._file.check_open()
        if os.getpid() != self._process:
            raise KeyingError("expected a window in the process that opened it, got a forked one")

    def close(self):
        """Writes the highest number taken, and gives the file free for another process."""
        if self._file:
            # Where it cannot be written, what is there refuses more than it must.
            with contextlib.suppress(KeyingError, OSError):
                self._file.check_open()
                with self._lock:
                    if self._highest + 1 < self._file.number:
                        self._file.raise_to(self._highest + 1)
            self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
