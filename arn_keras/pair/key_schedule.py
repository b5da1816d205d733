"""The key schedule of a keyed pair: from 32 secret bytes to the signs of each message.

HKDF-SHA256 (RFC 5869) and ChaCha20 (RFC 8439) come from the `cryptography` package. For another
implementation, with label = "arn-keras keyed v1 ":

    identity  = HKDF(key, no salt,         info = label + "identity" + modules, 8 bytes)   public
    stream    = HKDF(key, salt = identity, info = label + "keystream", 32 bytes)     secret
    keystream = ChaCha20(stream, block counter 0, nonce = 4 zero bytes, message as 8 bytes LE)
    signs[r, i] = 1 - 2 bit[r n + i],   bit[k] = (keystream[k // 8] >> (k % 8)) & 1
    header    = identity, message as 8 bytes LE                                      16 bytes

LE: least significant byte first. `modules` are the bytes that name the modules a key is for (of an
edge bundle, the 32 of its pair's identity), or none: the ends of two bundles refuse each other's
messages also under one key, and share no keystream. The package takes counter and nonce as one
value of 16 bytes: 8 zero bytes, then the message number. Each message has its own nonce, so its own
keystream.

Left out: authentication. A header is not signed, so who can transmit can have Bob decode noise, or
move his window with a forged high number; a bit interface wants authenticated encryption instead.
`tests/keystream_vectors.json` fixes all of this in numbers.
"""

import os
import stat
import warnings
from dataclasses import dataclass

import numpy as np

from .message_number import (  # relative: a keyed bundle has copies of both files
    KeyingError,
    MessageCounter,
    RefusedMessageError,
    checked_identity,
    checked_number,
)

KEY_BYTES = 32
_LABEL = b"arn-keras keyed v1 "


def generate_key():
    """A new key: 32 bytes of the operating system's randomness."""
    return os.urandom(KEY_BYTES)


@dataclass(frozen=True)
class Header:
    """What travels in the clear with each message.

    Args:
        pair: public identity of the pair, 8 bytes.
        message: message number, 0 to 2^64 - 1.
    """

    pair: bytes
    message: int

    def __post_init__(self):
        checked_identity(self.pair)
        checked_number(self.message)

    def pack(self):
        """The 16 bytes on the wire."""
        return self.pair + int(self.message).to_bytes(8, "little")

    @classmethod
    def unpack(cls, wire):
        """A header from its 16 bytes; KeyingError for any other number of bytes."""
        if len(wire) != 16:
            raise KeyingError(f"expected a header of 16 bytes, got {len(wire)}")
        return cls(bytes(wire[:8]), int.from_bytes(wire[8:], "little"))


class PairKey:
    """The key that Alice and Bob share. Its repr shows the public identity alone.

    Args:
        key: 32 secret bytes.
        modules: bytes that name the modules it is for.

    Raises:
        KeyingError: the key has another length.
    """

    __slots__ = ("_stream", "identity")

    def __init__(self, key, modules=b""):
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            size = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
            raise KeyingError(f"expected a key of {KEY_BYTES} bytes, got {size}")
        self.identity = _hkdf(key, None, b"identity" + modules, 8)
        self._stream = _hkdf(key, self.identity, b"keystream", 32)

    def signs(self, message, n, rounds):
        """The signs of one message, whatever was sent before: the two ends guard their numbers.

        Args:
            message: message number, 0 to 2^64 - 1.
            n: real symbols a message.
            rounds: R.

        Returns:
            float32 array of +-1, [rounds, n].
        """
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

        if n < 1 or rounds < 1:
            raise KeyingError(f"expected n >= 1 and rounds >= 1, got n = {n}, rounds = {rounds}")
        nonce = bytes(8) + checked_number(message).to_bytes(8, "little")
        cipher = Cipher(algorithms.ChaCha20(self._stream, nonce), mode=None).encryptor()
        keystream = cipher.update(bytes((rounds * n + 7) // 8))
        bits = np.unpackbits(np.frombuffer(keystream, np.uint8), bitorder="little")
        return (1 - 2 * bits[: rounds * n].astype(np.float32)).reshape(rounds, n)

    def __repr__(self):
        return f"PairKey(identity={self.identity.hex()}, key=<hidden>)"

    def __reduce__(self):
        raise TypeError("expected a key to stay in its process, got a request to serialise it")


def _hkdf(key, salt, info, length):
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length=length, salt=salt, info=_LABEL + info).derive(key)


def write_key(path):
    """Makes a new key and writes it: 64 hexadecimal digits and a newline, mode 0600.

    Raises:
        KeyingError: the file exists; a key is never overwritten.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyingError(f"expected no file where a new key goes, got one: {path}") from None
    try:
        with open(handle, "w", encoding="ascii") as file:
            file.write(generate_key().hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(path)
        raise


def make_key(path, modules=b""):
    """Makes a new key, and the counter `<path>.counter` that the transmitter alone gets.

    Raises:
        KeyingError: one of the files exists; neither is ever overwritten.
    """
    counter = f"{path}.counter"
    if os.path.lexists(counter):
        raise KeyingError(f"expected no file where a new counter goes, got one: {counter}")
    write_key(path)
    try:
        MessageCounter.create(counter, read_key(path, modules).identity)
    except BaseException:
        os.unlink(path)
        raise


def read_key(path, modules=b""):
    """The pair's key from a file of 64 hexadecimal digits and at most one newline.

    Warns if the group or others may use the file.

    Raises:
        KeyingError: no readable file, or not 64 hexadecimal digits.
    """
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(2 * KEY_BYTES + 2).removesuffix(b"\n")
    except OSError as error:
        raise KeyingError(f"expected a key file, got {error.strerror}: {path}") from None
    if mode & 0o077:
        warnings.warn(
            f"expected a key file only its owner may use, got mode {mode:04o}: chmod 600 {path}",
            stacklevel=2,
        )
    # The errors say nothing of the content: it may be most of a key.
    if len(text) != 2 * KEY_BYTES:
        got = "fewer" if len(text) < 2 * KEY_BYTES else "more"
        raise KeyingError(f"expected a key file of 64 hexadecimal digits, got {got}: {path}")
    if set(text) - set(b"0123456789abcdefABCDEF"):
        raise KeyingError(f"expected a key file of hexadecimal digits, got others: {path}")
    return PairKey(bytes.fromhex(text.decode("ascii")), modules)


class TransmitterKeys:
    """Alice's end: a fresh message number and its signs for each message.

    Args:
        key: PairKey.
        counter: MessageCounter of the same pair.

    Raises:
        KeyingError: the counter is another pair's.
    """

    def __init__(self, key, counter):
        if counter.pair != key.identity:
            raise KeyingError(
                f"expected the counter of pair {key.identity.hex()}, got that of "
                f"{counter.pair.hex()}"
            )
        self._key, self._counter = key, counter

    def next(self, n, rounds):
        """Header and signs of the next message, ([rounds, n], float32); never the same twice.

        On any error nothing is returned, so nothing can be sent.
        """
        header = Header(self._key.identity, self._counter.next())
        return header, self._key.signs(header.message, n, rounds)


class ReceiverKeys:
    """Bob's end: the signs of a message he may take.

    Args:
        key: PairKey.
        window: ReplayWindow.
    """

    def __init__(self, key, window):
        self._key, self._window = key, window

    def check(self, header):
        """Raises as `signs` would; takes nothing.

        Raises:
            RefusedMessageError: another pair's header, a replay, or too old a number.
        """
        if header.pair != self._key.identity:
            raise RefusedMessageError(
                f"expected a message of pair {self._key.identity.hex()}, got one of "
                f"{header.pair.hex()}"
            )
        self._window.check(header.message)

    def signs(self, header, n, rounds):
        """Signs for a header, [rounds, n], float32; its number is taken once and for all.

        Raises:
            RefusedMessageError: another pair's header, a replay, or too old a number.
        """
        self.check(header)
        signs = self._key.signs(header.message, n, rounds)
        self._window.accept(header.message)
        return signs
