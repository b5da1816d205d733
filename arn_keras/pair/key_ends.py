"""The two guarded ends of a key: Alice draws fresh numbers, Bob takes each one once."""

import threading

from .key_schedule import EPOCH, drawn
from .refusal import END, KeyingError


class TransmitterKeys:
    """Alice's end: a fresh message number and its keys for each message.

    Args:
        key: `PairKey`.
        counter: `MessageCounter` of the same pair.
        file: `KeyFile` of the key, to be stepped; None leaves the key as it is.

    Raises:
        KeyingError: the counter is another pair's, behind the key, or has gone on with a later one.
    """

    def __init__(self, key, counter, file=None):
        if counter.pair != key.identity:
            raise KeyingError(
                f"expected the counter of pair {key.identity.hex()}, got that of "
                f"{counter.pair.hex()}"
            )
        _check_same_age("counter", counter.ahead, counter.epoch, key)
        self._key, self._counter, self._file = key, counter, file
        self._lock = threading.Lock()
        if file:
            file.hold(self, counter.ahead // EPOCH)

    def next(self, name, shape):
        """Header and keys of the next message, for an input of this name and shape.

        On any error nothing is returned, so nothing can be sent.
        """
        self._counter.check_open()  # first: a forked child's lock may be held for ever
        with self._lock:  # so that no thread's step takes the key from another one's message
            if self._file:  # first, so that no kill leaves the key behind its counter
                self._file.step(self, min(self._counter.ahead, END - 1))
            message = self._counter.next(self._key.epoch)
            stream = self._key.stream(message, name)
        return self._key.header(message), drawn(stream, message, name, shape)


class ReceiverKeys:
    """Bob's end: the keys of messages that he may take.

    Args:
        key: `PairKey`.
        window: `ReplayWindow`.
        file: `KeyFile` of the key, to be stepped; None leaves the key as it is.

    Raises:
        KeyingError: the window is behind the key, or has gone on with a later one.
    """

    def __init__(self, key, window, file=None):
        if window.durable:
            _check_same_age("window", window.reached, window.epoch, key)
        self._key, self._window, self._file = key, window, file
        if file:
            file.hold(self, key.epoch)

    def check(self, header):
        """Raises as `accept` would; takes nothing.

        Raises:
            RefusedMessageError: another pair's header, a forged one, a replay, too old a number.
        """
        self._key.check(header)
        self._window.check(header.message)

    def keys(self, header, name, shape):
        """Keys for a header that was checked, for an input of this name and shape."""
        stream = self._key.stream(header.message, name)
        return drawn(stream, header.message, name, shape)

    def accept(self, headers):
        """Takes the messages of these headers, all or none, once and for all.

        Raises:
            RefusedMessageError: one was taken before, or is too old.
            KeyingError, OSError: window or key file cannot be written; none is taken.
        """
        numbers = [header.message for header in headers]

        def step():
            if self._file:
                self._file.step(self, self._window.lowest_after(numbers))
            return self._key.epoch

        self._window.accept(*numbers, before=step)


def _check_same_age(word, number, epoch, key):
    """Refuses a counter or window older than the key, and a key older than they knew it."""
    if epoch > key.epoch:
        raise KeyingError(
            f"expected the key that this {word} has gone on with, which opens messages from "
            f"{epoch * EPOCH} on, got an older one, from {key.epoch * EPOCH} on: a backup? It "
            "opens the past; destroy it and take a new key"
        )
    if number < key.epoch * EPOCH:
        raise KeyingError(
            f"expected a {word} that is not behind its key, got {number}, the key from "
            f"{key.epoch * EPOCH} on: restored from a backup? Take a new key"
        )
