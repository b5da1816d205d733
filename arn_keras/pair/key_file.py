"""A key on the disk, and the ratchet that forgets it piece by piece.

A new key's file holds its 64 hexadecimal digits. Once the first epoch of messages is over, its end
replaces it, durably, by a line from which the past cannot be computed: what the key is bound to,
the epoch, chain[epoch] and mark of `key_schedule`, and a checksum. Both ends do so on their own, by
the numbers of the messages; Bob keeps what his window can still take. So each end, and each label,
has a file of its own: an end that finds its file stepped by another is refused.

Left out: what a disk keeps of a replaced file (journals, wear levelling, backups) is out of reach.
"""

import hashlib
import os
import re
import stat
import threading
import warnings
import zlib

from .key_schedule import EPOCH, KEY_BYTES, PairKey, bound_digest
from .message_number import MessageCounter, ReplayWindow
from .owned_file import read_small, real_path, write_durably
from .refusal import KeyingError

_STEPPED = re.compile(
    rb"(arn-keras-key-2 ([0-9a-f]{16}) ([0-9a-f]{16}) (\d{20}) ([0-9a-f]{64}) ([0-9a-f]{64}) )"
    rb"([0-9a-f]{8})\n"
)


def generate_key():
    """A new key: 32 bytes of the operating system's randomness."""
    return os.urandom(KEY_BYTES)


def write_key(path, content=None):
    """Makes a new key's file, mode 0600: by default 64 hexadecimal digits of a new one, a newline.

    Raises:
        KeyingError: the file exists; a key is never overwritten. There is no such folder.
    """
    content = generate_key().hex().encode() + b"\n" if content is None else content
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyingError(f"expected no file where a new key goes, got one: {path}") from None
    except OSError as error:
        raise KeyingError(
            f"expected a writable place for a new key, got {error.strerror}: {path}"
        ) from None
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(path)
        raise


def make_key(path, modules=b"", labels=("",)):
    """Makes a new key, and for each label the transmitter's counter and the receiver's window.

    With labels each has a key file of its own, and what they were derived from is on no disk: left
    in the file of a direction that is silent, it would open the past of all others.

    Args:
        path: of the key; the others are `<path>.counter` and `<path>.window`. With a label they
            are `<path>.<label>`, `<path>.<label>.counter` and `<path>.<label>.window`.
        modules: bytes that name the modules it is for.
        labels: of transmitters or directions.

    Returns:
        The key's public identities, one a label.

    Raises:
        KeyingError: one of the files exists; none is ever overwritten.
    """
    kinds = {"counter": MessageCounter, "window": ReplayWindow}
    stems = {label: f"{path}.{label}" if label else path for label in labels}
    if len(stems) < len(labels):
        raise KeyingError(f"expected each label once, got {', '.join(map(repr, labels))}")
    root, keys = generate_key(), []
    for label, stem in stems.items():
        keys.append(PairKey(root, modules, label))
        if "/" in label or os.sep in label or "\0" in label:
            raise KeyingError(f"expected a label that can be part of a file's name, got {label!r}")
        for name in kinds:
            if os.path.lexists(taken := f"{stem}.{name}"):
                raise KeyingError(f"expected no file where a new {name} goes, got one: {taken}")
    made = []
    try:
        for key, (label, stem) in zip(keys, stems.items(), strict=True):
            bare = root.hex().encode() + b"\n"
            write_key(stem, _line(key, bound_digest(modules, label), 0) if label else bare)
            made.append(stem)
            for name, kind in kinds.items():
                kind.create(f"{stem}.{name}", key.identity)
                made.append(f"{stem}.{name}")
    except BaseException:
        for each in made:
            os.unlink(each)
        raise
    return [key.identity for key in keys]


def read_key(path, modules=b"", label=""):
    """The pair's key from its file. Warns if the group or others may use the file.

    Args:
        path: the file.
        modules: bytes that name the modules it is for.
        label: of the transmitter or direction.

    Raises:
        KeyingError: no readable file, or no key; bound to something else.
    """
    return _parsed(_content(path), path, modules, label)


def _content(path):
    # Under a second name the old key would stay when this one is stepped.
    content = read_small(real_path(path), "a key file")
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        warnings.warn(
            f"expected a key file only its owner may use, got mode {mode:04o}: chmod 600 {path}",
            stacklevel=3,
        )
    return content


def _parsed(content, path, modules, label):
    if content.startswith(b"arn-keras-key-"):
        return _stepped(content, path, modules, label)
    # The errors say nothing of the content: it may be most of a key.
    text = content.removesuffix(b"\n")
    if len(text) != 2 * KEY_BYTES:
        got = "fewer" if len(text) < 2 * KEY_BYTES else "more"
        raise KeyingError(f"expected a key file of 64 hexadecimal digits, got {got}: {path}")
    if set(text) - set(b"0123456789abcdefABCDEF"):
        raise KeyingError(f"expected a key file of hexadecimal digits, got others: {path}")
    return PairKey(bytes.fromhex(text.decode("ascii")), modules, label)


def _stepped(content, path, modules, label):
    match = _STEPPED.fullmatch(content)
    if not match or f"{zlib.crc32(match[1]):08x}".encode() != match[7]:
        raise KeyingError(f"expected a whole key file, got a damaged one: {path}")
    binding, identity, chain, mark = (bytes.fromhex(match[i].decode()) for i in (2, 3, 5, 6))
    if binding != bound_digest(modules, label):
        raise KeyingError(f"expected a key of this bundle and label, got one for another: {path}")
    return PairKey.stepped(identity, int(match[4]), chain, mark)


def _line(key, binding, epoch):
    _, chain, mark = key.secrets(epoch)
    named = f"arn-keras-key-2 {binding.hex()} {key.identity.hex()} {epoch:020d}"
    line = f"{named} {chain.hex()} {mark.hex()} ".encode()
    return line + f"{zlib.crc32(line):08x}\n".encode()


class KeyFile:
    """A key and its file, which the ends that hold it step forward.

    Args:
        path: the file.
        modules: bytes that name the modules the key is for.
        label: of the transmitter or direction.

    Attributes:
        key: `PairKey`.

    Raises:
        KeyingError: as `read_key`.
    """

    def __init__(self, path, modules=b"", label=""):
        self.path, self._bound = real_path(path), bound_digest(modules, label)
        content = _content(path)
        self.key = _parsed(content, path, modules, label)
        self._digest = hashlib.sha256(content).digest()
        self._needed, self._lock = {}, threading.Lock()

    def hold(self, end, epoch):
        """An end says that it needs the key from this epoch on."""
        self._needed[end] = max(epoch, self._needed.get(end, 0))

    def step(self, end, message):
        """An end needs nothing before this message any more: steps as far as all ends allow.

        Raises:
            KeyingError: another process has stepped or replaced the file.
            OSError: the file could not be replaced; nothing is forgotten.
        """
        with self._lock:  # each end has its own thread
            self.hold(end, message // EPOCH)
            epoch = min(self._needed.values())
            if epoch > self.key.epoch:
                self._step(epoch)

    def _step(self, epoch):
        content = read_small(self.path, "a key file")
        if hashlib.sha256(content).digest() != self._digest:
            raise KeyingError(
                f"expected this end's own key file, got one that another end has stepped: "
                f"{self.path} (each end and each label needs a copy)"
            )
        content = _line(self.key, self._bound, epoch)
        write_durably(self.path, content)
        self._digest = hashlib.sha256(content).digest()
        self.key.forget(epoch)
