"""The key schedule of a keyed pair: from 32 secret bytes to the rotation of each message.

HKDF-SHA256 (RFC 5869) and ChaCha20 (RFC 8439) come from the `cryptography` package, HMAC-SHA256
(RFC 2104) from the standard library. For another implementation, with L = "arn-keras keyed v2 " and
B = one byte with the length of `modules`, `modules`, `label` in UTF-8:

    identity   = HKDF(key, no salt, info = L + "identity" + B, 8 bytes)              public
    mark       = HKDF(key, salt = identity, info = L + "header", 32 bytes)           secret
    chain[0]   = HKDF(key, salt = identity, info = L + "chain", 32 bytes)            secret
    chain[e+1] = HKDF(chain[e], salt = identity, info = L + "step", 32 bytes)        secret
    stream     = HKDF(chain[e], salt = identity, info = L + input, 32 bytes)         secret
    keystream  = ChaCha20(stream, block counter 0, nonce = 4 zero bytes, message as 8 bytes LE)
    signs[r, i] = 1 - 2 bit[r n + i],   bit[k] = (keystream[k // 8] >> (k % 8)) & 1
    rotation   = what `haar_draw` makes of the keystream
    header     = identity, message as 8 bytes LE, tag                                32 bytes
    tag        = the first 16 bytes of HMAC-SHA256(mark, identity, message as 8 bytes LE)

LE: least significant byte first. e = message // 1024 is the message's epoch; `input` is "signs" or
"rotation", the module's input that the keystream is for. `modules` are the bytes that name the
modules a key is for (of an edge bundle, the 32 of its pair's identity), or none; `label` names the
transmitter or the direction, so that one shared secret serves several. Other modules or another
label: another identity and another keystream. The package takes counter and nonce as one value of
16 bytes: 8 zero bytes, then the message number.

The chain is a one-way ratchet: from chain[e] nothing before epoch e can be computed (`key_file`).
The tag proves that a number comes from who has the key. Left out: the analog signal itself is not
authenticated. `tests/keystream_vectors.json` fixes all of this in numbers.
"""

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np

from . import haar_draw  # relative: a keyed bundle has copies of these files
from .refusal import KeyingError, RefusedMessageError, checked_identity, checked_number

KEY_BYTES, TAG_BYTES, HEADER_BYTES = 32, 16, 32
#: Messages under one link of the chain.
EPOCH = 1024
#: Epochs by which a message may be ahead of the key: a step takes 10 us.
STEPS = 1 << 20
_LABEL = b"arn-keras keyed v2 "


@dataclass(frozen=True)
class Header:
    """What travels in the clear with each message.

    Args:
        pair: public identity of the pair, 8 bytes.
        message: message number, 0 to 2^64 - 1.
        tag: 16 bytes that only who has the key can make.
    """

    pair: bytes
    message: int
    tag: bytes

    def __post_init__(self):
        checked_identity(self.pair)
        checked_number(self.message)
        if not isinstance(self.tag, bytes) or len(self.tag) != TAG_BYTES:
            raise KeyingError(f"expected a tag of {TAG_BYTES} bytes, got {self.tag!r}")

    def pack(self):
        """The 32 bytes on the wire."""
        return _named(self.pair, self.message) + self.tag

    @classmethod
    def unpack(cls, wire):
        """A header from its 32 bytes; KeyingError for any other number of bytes."""
        if not isinstance(wire, (bytes, bytearray)):
            raise KeyingError(f"expected a header of bytes, got {type(wire).__name__}")
        if len(wire) != HEADER_BYTES:
            of_old = ": that of format 1, which has no tag and can be forged" * (len(wire) == 16)
            raise KeyingError(f"expected a header of {HEADER_BYTES} bytes, got {len(wire)}{of_old}")
        wire = bytes(wire)
        return cls(wire[:8], int.from_bytes(wire[8:16], "little"), wire[16:])


class PairKey:
    """The key that Alice and Bob share. Its repr shows the public identity alone.

    Args:
        key: 32 secret bytes.
        modules: bytes that name the modules it is for, at most 255.
        label: of the transmitter or direction it is for.

    Attributes:
        identity: 8 public bytes.
        epoch: the first epoch that it still opens.

    Raises:
        KeyingError: the key has another length.
    """

    __slots__ = ("_chain", "_mark", "_streams", "epoch", "identity")

    def __init__(self, key, modules=b"", label=""):
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            size = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
            raise KeyingError(f"expected a key of {KEY_BYTES} bytes, got {size}")
        self.identity = _hkdf(key, None, b"identity" + bound(modules, label), 8)
        self._mark = _hkdf(key, self.identity, b"header")
        self._chain, self.epoch, self._streams = _hkdf(key, self.identity, b"chain"), 0, {}

    @classmethod
    def stepped(cls, identity, epoch, chain, mark):
        """A key that was stepped before, from what `secrets` gave."""
        key = cls.__new__(cls)
        key.identity, key.epoch, key._chain, key._mark, key._streams = (
            identity,
            epoch,
            chain,
            mark,
            {},
        )
        return key

    def secrets(self, epoch):
        """(epoch, chain[epoch], mark): all that is needed from an epoch on, and nothing before."""
        chain = self._chain
        if epoch - self.epoch > STEPS:
            raise KeyingError(f"expected at most {STEPS} epochs ahead of the key, got {epoch}")
        for _ in range(epoch - self.epoch):
            chain = _hkdf(chain, self.identity, b"step")
        return epoch, chain, self._mark

    def forget(self, epoch):
        """Steps to an epoch: what is before it cannot be computed any more."""
        if epoch > self.epoch:
            self.epoch, self._chain, _ = self.secrets(epoch)
            self._streams = {key: each for key, each in self._streams.items() if key[0] >= epoch}

    def header(self, message):
        """The header of a message."""
        return Header(self.identity, message, self._tag(message))

    def check(self, header):
        """Whether a header is from who has this key.

        Raises:
            RefusedMessageError: it is another pair's, or forged.
        """
        if header.pair != self.identity:
            raise RefusedMessageError(
                f"expected a message of pair {self.identity.hex()}, got one of {header.pair.hex()}"
            )
        if not hmac.compare_digest(header.tag, self._tag(header.message)):
            raise RefusedMessageError(
                f"expected a header by who has the key, got a forged or damaged one: message "
                f"{header.message}"
            )

    def signs(self, message, n, rounds):
        """The signs of one message, whatever was sent before: float32 of +-1, [rounds, n]."""
        return drawn(self.stream(message, "signs"), message, "signs", (rounds, n))

    def rotation(self, message, n):
        """The rotation of one message, exactly uniform (`haar_draw`): float32, [n, n]."""
        return drawn(self.stream(message, "rotation"), message, "rotation", (n, n))

    def stream(self, message, name):
        """The secret of a message's epoch, for the module's input of this name; 32 bytes."""
        epoch = checked_number(message) // EPOCH
        if epoch < self.epoch:
            raise RefusedMessageError(
                f"expected a message from {self.epoch * EPOCH} on, got {message}: its key is "
                "forgotten"
            )
        stream = self._streams.get((epoch, name))
        if stream is None:
            _, chain, _ = self.secrets(epoch)
            stream = _hkdf(chain, self.identity, name.encode())
            if len(self._streams) >= 8:
                self._streams = {}
            self._streams[epoch, name] = stream
        return stream

    def _tag(self, message):
        named = _named(self.identity, checked_number(message))
        return hmac.digest(self._mark, named, "sha256")[:TAG_BYTES]

    def __repr__(self):
        return f"PairKey(identity={self.identity.hex()}, key=<hidden>)"

    def __reduce__(self):
        raise TypeError("expected a key to stay in its process, got a request to serialise it")


def drawn(stream, message, name, shape):
    """What a module's input takes for a message.

    Args:
        stream: 32 bytes, of the message's epoch and this input.
        message: message number, 0 to 2^64 - 1.
        name: "signs" or "rotation".
        shape: of the input for one message, (rounds, n) or (n, n).

    Returns:
        float32 array of this shape.

    Raises:
        KeyingError: there is no such input, or no such shape.
    """
    return unfolded(_keystream(stream, message, keystream_bytes(name, shape)), name, shape)


def keystream_bytes(name, shape):
    """Bytes of keystream that the input of this name and shape takes for a message."""
    if name not in ("signs", "rotation") or len(shape) != 2 or min(shape) < 1:
        raise KeyingError(f"expected signs or a rotation, n >= 1, got {name!r} of {tuple(shape)}")
    if name == "rotation":
        return haar_draw.keystream_bytes(shape[0])
    return (shape[0] * shape[1] + 7) // 8


def unfolded(keystream, name, shape):
    """What the input of this name takes, float32 array of this shape, from its keystream."""
    if name == "rotation":
        return haar_draw.haar_rotation(keystream, shape[0]).astype(np.float32)
    count = shape[0] * shape[1]
    bits = np.unpackbits(np.frombuffer(keystream, np.uint8), count=count, bitorder="little")
    return (1 - 2 * bits.astype(np.float32)).reshape(shape)


def _keystream(stream, message, count):
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    nonce = bytes(8) + int(message).to_bytes(8, "little")
    cipher = Cipher(algorithms.ChaCha20(stream, nonce), mode=None).encryptor()
    return cipher.update(bytes(count))


def bound(modules, label):
    """What a key is bound to, in bytes: B above."""
    if len(modules) > 255:
        raise KeyingError(f"expected modules of at most 255 bytes, got {len(modules)}")
    try:
        return bytes([len(modules)]) + modules + label.encode()
    except (AttributeError, UnicodeEncodeError):
        raise KeyingError(f"expected a label of text, got {label!r}") from None


def bound_digest(modules, label):
    """8 bytes that tell what a key is bound to without the key."""
    return hashlib.sha256(bound(modules, label)).digest()[:8]


def _named(pair, message):
    return pair + int(message).to_bytes(8, "little")


def _hkdf(key, salt, info, length=32):
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length=length, salt=salt, info=_LABEL + info).derive(key)
