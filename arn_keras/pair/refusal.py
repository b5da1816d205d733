"""What the ends of a keyed pair refuse, and the two numbers that they check first."""

from ..errors import ArnError  # relative: a keyed bundle has a copy of this file and of errors.py

#: Message numbers are below this: an unsigned 64-bit integer.
END = 2**64


class KeyingError(ArnError, ValueError):
    """A key, counter, window, message number or header that cannot be used."""


class RefusedMessageError(KeyingError):
    """A message that a receiver must not take: forged, a replay, too old, or another pair's."""


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
