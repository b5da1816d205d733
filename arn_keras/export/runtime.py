"""Runs a bundle's pair of modules on a device: Alice's before the channel, Bob's behind it.

One file, copied into every bundle; it needs numpy and ai-edge-litert, nothing else.

    with Pair.load("bundle", precision="int8") as pair:
        sent = pair.alice.protect(signal)       # y -> z, Eq. (9), (15), (16)
        cleaned = pair.bob.clean(received)      # y_bob -> y_clean, Eq. (12), (17), (18)

A keyed pair needs `cryptography` too, and the bundle's copies of the key schedule beside this file.
The 16 bytes of the header travel with the message, in the clear:

    with Pair.load("bundle", key="pair.key", counter="pair.key.counter") as pair:
        header, sent = pair.alice.protect(signal)
        cleaned = pair.bob.clean(received, header)

Signals are float32, one (`signal_shape`) or a batch of them, with mean square 1 per real symbol as
the transmitter puts them out. SHA-256 finds damage, not a forger: against one, export with
`--sign` and load with `public_key` (then `cryptography` is needed too).

    python runtime.py --selftest
    python runtime.py --new-key ../pair.key     # and Alice's counter, ../pair.key.counter
"""

import argparse
import contextlib
import functools
import hashlib
import importlib
import io
import json
import pathlib
import sys
import types

import numpy as np

FORMAT, PROTECTIONS = 1, ("arn", "keyed", "arn+keyed", "purge")
ROLES = ("transmitter", "receiver")
_ARRAY = np.ndarray
# Of each float32, the byte with its sign.
_FIRST_BYTES = slice(3 if sys.byteorder == "little" else 0, None, 4)


class BundleError(ValueError):
    """A bundle that is damaged, forged, of another pair, or not for this runtime."""


class SignalError(ValueError):
    """A signal that the module does not take."""


class KeyingError(ValueError):
    """A key, a counter or a header that cannot be used; nothing is sent."""


class RefusedMessageError(KeyingError):
    """A message that Bob must not take: a replay, too old, or of another key or pair."""


class Pair:
    """The two modules of a bundle: `alice`, `bob` (None where not asked for), its `manifest`.

    `identity`, 64 hexadecimal digits, names the pair: the same at Alice's and at Bob's.
    """

    def __init__(self, manifest, alice, bob):
        self.manifest, self.alice, self.bob = manifest, alice, bob
        self.identity = manifest["pair"]

    @classmethod
    def load(
        cls,
        bundle,
        precision=None,
        role=None,
        threads=1,
        public_key=None,
        identity=None,
        key=None,
        counter=None,
    ):
        """Loads and verifies a bundle.

        Args:
            bundle: its directory; for one role, the files of the other may be missing.
            precision: one of the bundle's; by default its first.
            role: "transmitter" or "receiver", where the device needs only that one.
            threads: threads of each module's interpreter.
            public_key: PEM file of the Ed25519 key that must have signed the bundle.
            identity: of the pair that the other end of the link has.
            key: for a keyed pair, the file of the key that both ends share.
            counter: for Alice of a keyed pair, the file of her message counter; one key has one.

        Raises:
            BundleError: if anything is not as it was exported, or is another pair's.
            KeyingError: if key or counter cannot be used, or are another pair's.
        """
        if role not in (None, *ROLES):
            raise BundleError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
        manifest = read_manifest(bundle, public_key)
        try:
            if identity not in (None, manifest["pair"]):
                raise BundleError(f"expected pair {identity}, got a bundle of {manifest['pair']}")
            ends = [
                load_modules(bundle, manifest, name, precision, threads)
                if role in (None, name)
                else None
                for name in ROLES
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"manifest.json: expected what was exported: {error!r}") from None
        if "keyed" in manifest:
            return cls(manifest, *_keyed_ends(ends, manifest["pair"], key, counter))
        if key is not None or counter is not None:
            raise KeyingError("expected no key and no counter for a pair without keyed modules")
        return cls(manifest, *(end and end[0] for end in ends))

    def close(self):
        """Frees both interpreters."""
        for module in (self.alice, self.bob):
            if module is not None:
                module.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class _Module:
    """One module; calls from several threads run side by side, each on an interpreter of its own.

    `shape` of a signal; `signs_shape`, (rounds, symbols), of a keyed module, else None;
    `quantization`: (scale, zero point) of input and of output where they are int8, else None.
    """

    signs_shape = None

    def __init__(self, model, entry, threads):
        self.shape, self._dtype = tuple(entry["signal_shape"]), np.dtype(entry["dtype"])
        self._real = self._dtype.kind == "f"
        self._model, self._file, self._threads = model, entry["file"], threads
        interpreter = self._interpreter()
        inputs, (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
        (signature,) = interpreter.get_signature_list().values()
        ends = [(tuple(end["shape"].tolist()), end["dtype"]) for end in (*inputs, taken)]
        names, asked = [entry["input"]], [((1, *self.shape), self._dtype.type)] * 2
        if "signs_shape" in entry:
            self.signs_shape = tuple(entry["signs_shape"])
            names.append("signs")
            asked.insert(1, ((1, *self.signs_shape), np.float32))
        if (ends, signature) != (asked, {"inputs": names, "outputs": [entry["output"]]}):
            raise BundleError(
                f"{self._file}: expected what the manifest says, got {ends}, {signature}"
            )
        given, *signs = inputs
        self.quantization = None if self._real else (given["quantization"], taken["quantization"])
        self._given, self._taken = given["index"], taken["index"]
        self._signs = signs[0]["index"] if signs else None
        self._idle = [self._calls(interpreter)]

    def _interpreter(self):
        from ai_edge_litert.interpreter import Interpreter

        if self._model is None:
            raise RuntimeError("expected an open pair, got one that was closed")
        try:
            interpreter = Interpreter(model_content=self._model, num_threads=self._threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{self._file}: LiteRT cannot run it: {error}") from None
        return interpreter

    @staticmethod
    def _calls(interpreter):
        # Looked up once: at int8 speed a look-up for each signal counts.
        return interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def run(self, signal, signs=None):
        """Checks a signal, or a batch of them, and runs the module on it.

        A keyed module asks `signs`, a function of the row, for its signs, once for each row.
        """
        # A type of numbers is nearly always the one object that stands for it: the short way.
        if type(signal) is not _ARRAY or signal.dtype is not self._dtype:
            self._check_type(signal)
        single = signal.shape == self.shape
        if not single and (signal.ndim == 0 or signal.shape[1:] != self.shape):
            raise SignalError(f"expected shape {self.shape} or a batch of it, got {signal.shape}")
        if self._real:
            # NaN and infinity begin with 7f or ff, else only values above 1.7e38: to look at the
            # first bytes takes a third of the time of numpy.isfinite, which counts at int8 speed.
            first = signal.tobytes()[_FIRST_BYTES]
            bad = (127 in first or 255 in first) and np.count_nonzero(~np.isfinite(signal))
            if bad:
                raise SignalError(f"expected finite values, got {bad} NaN or infinite")
        try:
            calls = self._idle.pop()  # one operation: no other thread gets the same
        except IndexError:
            calls = self._calls(self._interpreter())
        put, invoke, get = calls
        if single:
            put(self._given, signal[None])
            if signs is not None:
                put(self._signs, signs(0)[None])
            invoke()
            output = get(self._taken)[0]
        else:
            output = np.empty(signal.shape, self._dtype)
            for row in range(len(signal)):
                put(self._given, signal[row : row + 1])
                if signs is not None:
                    put(self._signs, signs(row)[None])
                invoke()
                output[row] = get(self._taken)[0]
        self._idle.append(calls)
        return output

    def _check_type(self, signal):
        if not isinstance(signal, _ARRAY) or signal.dtype != self._dtype:
            kind = getattr(signal, "dtype", type(signal).__name__)
            raise SignalError(f"expected an array of {self._dtype}, got {kind}")

    def quantize(self, signal):
        """float32 to the module's int8 input (precision "int8-io")."""
        scale, zero = self.quantization[0]
        return np.clip(np.rint(signal / np.float32(scale)) + zero, -128, 127).astype(np.int8)

    def dequantize(self, signal):
        """The module's int8 output to float32 (precision "int8-io")."""
        scale, zero = self.quantization[1]
        return (signal.astype(np.float32) - zero) * np.float32(scale)

    def close(self):
        """Frees the interpreters."""
        self._model = None
        self._idle.clear()


class Alice(_Module):
    """The transmitter's module; `protect` takes y, one or a batch, and gives z = y + delta."""

    protect = _Module.run


class Bob(_Module):
    """The receiver's module; `clean` takes y_bob, one or a batch, and gives y_bob - r."""

    clean = _Module.run


class _KeyedEnd:
    """One end of a keyed pair: its rotation, its keys, and its ARN if the pair has one.

    `key_identity`: the 8 bytes that a header of this key begins with.
    """

    quantization = None

    def __init__(self, modules, keys, key_identity, held=()):
        self.key_identity = key_identity
        self._rotation, self._arn = modules[-1], modules[0] if len(modules) > 1 else None
        self._keys, self._modules, self._held = keys, modules, held
        self._rounds, self._symbols = self._rotation.signs_shape

    def close(self):
        """Frees the interpreters, and the counter's file for another process."""
        for each in (*self._modules, *self._held):
            each.close()


class KeyedAlice(_KeyedEnd):
    """The transmitter's end of a keyed pair."""

    def protect(self, signal):
        """Protects y, one or a batch, each under a message number never used before.

        Returns:
            (header, z): the message's 16 bytes, to be sent with it; of a batch a list of them.

        Raises:
            SignalError, KeyingError, OSError: nothing is to be sent; a number may be lost.
        """
        headers = []

        def signs(row):
            header, drawn = self._keys.next(self._symbols, self._rounds)
            headers.append(header.pack())
            return drawn

        if self._arn is not None:
            signal = self._arn.run(signal)
        with _keying():
            sent = self._rotation.run(signal, signs)
        return (headers if sent.shape != self._rotation.shape else headers[0]), sent


class KeyedBob(_KeyedEnd):
    """The receiver's end of a keyed pair."""

    def clean(self, received, header):
        """Cleans y_bob, one with its header, or a batch with a list of them; in any order.

        Raises:
            RefusedMessageError: a replay, too old, or another pair's; nothing of a batch is taken.
            SignalError, KeyingError: nothing is taken either.
        """
        wires = [header] if isinstance(header, (bytes, bytearray)) else list(header)
        messages = 1 if (shape := np.shape(received)) in ((), self._rotation.shape) else shape[0]
        with _keying() as (keys, _):
            if len(wires) != messages:
                raise KeyingError(f"expected a header for each message, got {len(wires)}")
            headers = [keys.Header.unpack(wire) for wire in wires]
            if len(set(headers)) != len(headers):
                raise RefusedMessageError("expected each message once in a batch, got a replay")
            for each in headers:
                self._keys.check(each)
            cleaned = self._rotation.run(
                received, lambda row: self._keys.signs(headers[row], self._symbols, self._rounds)
            )
        return cleaned if self._arn is None else self._arn.run(cleaned)


def _keyed_ends(ends, pair, key, counter):
    at_alice, at_bob = ends
    if key is None:
        raise KeyingError("expected a key file for a keyed pair, got none")
    if at_alice and counter is None:
        raise KeyingError("expected the file of Alice's message counter, got none")
    with _keying() as (keys, numbers):
        shared = keys.read_key(key, bytes.fromhex(pair))
        alice = bob = None
        if at_bob:
            window = numbers.ReplayWindow()
            bob = KeyedBob(at_bob, keys.ReceiverKeys(shared, window), shared.identity)
        if at_alice:
            counter = numbers.MessageCounter(counter, shared.identity)
            own = keys.TransmitterKeys(shared, counter)
            alice = KeyedAlice(at_alice, own, shared.identity, [counter])
    return alice, bob


@contextlib.contextmanager
def _keying():
    """The key schedule, `key_schedule` and `message_number`; its errors come as this file's."""
    keys, numbers = _key_schedule()
    try:
        yield keys, numbers
    except keys.RefusedMessageError as error:
        raise RefusedMessageError(str(error)) from None
    except keys.KeyingError as error:
        raise KeyingError(str(error)) from None
    except ImportError:
        raise KeyingError("expected the package cryptography, for a keyed pair") from None


@functools.cache
def _key_schedule():
    """The copies beside this file, or the originals where this file is the project's own."""
    package, here = "_arn_keras_bundle", pathlib.Path(__file__).absolute().parent
    for name, original in ((package, here.parent), (f"{package}.pair", here.parent / "pair")):
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = [str(here), str(original)]
    try:
        names = ("key_schedule", "message_number")
        return tuple(importlib.import_module(f"{package}.pair.{name}") for name in names)
    except ImportError as error:
        raise KeyingError(f"expected the bundle's {error.name} beside runtime.py") from None


def digest(manifest):
    """SHA-256 of a manifest without its own `digest`: of its JSON, keys sorted, no blanks."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(bundle, public_key=None):
    """The manifest of a bundle, whole, of a known format, and signed if a key is given."""
    content = _read(pathlib.Path(bundle) / "manifest.json")
    if public_key is not None:
        _check_signature(content, _read(pathlib.Path(bundle) / "manifest.json.sig"), public_key)
    try:
        manifest = json.loads(content)
        whole = manifest["digest"] == digest(manifest)
    except (ValueError, TypeError, KeyError, RecursionError):
        whole = False
    if not whole:
        raise BundleError("manifest.json: damaged: not the digest it was written with")
    found = manifest.get("format"), manifest.get("protection")
    if found[0] != FORMAT or found[1] not in PROTECTIONS:
        raise BundleError(
            f"expected a bundle of format {FORMAT}, protection {', '.join(PROTECTIONS)}, got "
            f"{found[0]}, {found[1]!r}: use the runtime.py that came with it"
        )
    return manifest


def load_modules(bundle, manifest, role, precision=None, threads=1):
    """The modules of one end, the ARN's before the keyed one's; the precision is the ARN's."""
    modules = []
    if manifest["modules"]:
        kind = dict(zip(ROLES, (Alice, Bob), strict=True))[role]
        modules.append(kind(*read_module(bundle, manifest, role, precision), threads))
    elif precision not in (None, *manifest["precisions"]):
        raise BundleError(f"expected a precision of {manifest['precisions']}, got {precision!r}")
    if "keyed" in manifest:
        modules.append(_Module(*read_entry(bundle, manifest, manifest["keyed"][role]), threads))
    return modules


def read_module(bundle, manifest, role, precision=None):
    """The verified bytes of one module's `.tflite` file, and its entry in the manifest."""
    choices = manifest["modules"][role]
    precision = precision or manifest["precisions"][0]
    if precision not in choices:
        raise BundleError(f"expected a precision of {', '.join(choices)}, got {precision!r}")
    return read_entry(bundle, manifest, choices[precision])


def read_entry(bundle, manifest, entry):
    """The verified bytes of the module of this entry of the manifest, and the entry."""
    if entry["pair"] != manifest["pair"]:
        raise BundleError(
            f"{entry['file']}: of pair {entry['pair']}, in a bundle of pair {manifest['pair']}"
        )
    return read_file(bundle, entry), entry


def read_file(bundle, entry):
    """The verified bytes of a file that the manifest lists."""
    content = _read(pathlib.Path(bundle) / entry["file"])
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise BundleError(f"{entry['file']}: damaged, or of another pair: its SHA-256 differs")
    return content


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: expected a readable file: {error.strerror}") from None


def _check_signature(content, signature, public_key):
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise BundleError("expected the package cryptography, to check a signature") from None
    try:
        load_pem_public_key(_read(pathlib.Path(public_key))).verify(signature, content)
    except (ValueError, TypeError, AttributeError):  # not PEM; a key of another kind
        raise BundleError(f"{public_key}: expected an Ed25519 public key in PEM") from None
    except InvalidSignature:
        raise BundleError("manifest.json.sig: not a signature of this bundle by this key") from None


def signs_of(pair, shape, messages, key=bytes(range(32))):
    """Signs of messages 0, 1, ... under a key, by default the test vectors' that everybody knows.

    Args:
        pair: the pair's identity.
        shape: of one message's signs, (rounds, symbols).
        messages: how many.
        key: 32 bytes.
    """
    rounds, symbols = shape
    with _keying() as (keys, _):
        shared = keys.PairKey(key, bytes.fromhex(pair))
        return [shared.signs(message, symbols, rounds) for message in range(messages)]


def selftest(bundle, public_key=None):
    """Verifies every file, and repeats the exporting machine's answers, single and in a batch.

    Yields:
        (precision or "keyed", largest absolute difference); BundleError where it is not within
        tolerance.
    """
    manifest = read_manifest(bundle, public_key)
    files = {entry["file"]: read_file(bundle, entry) for entry in manifest["files"]}
    with np.load(io.BytesIO(files["vectors.npz"]), allow_pickle=False) as stored:
        vectors = dict(stored)
    names = list(manifest["precisions"]) if manifest["modules"] else []
    for name in [*names, "keyed"] if "keyed" in manifest else names:
        keyed, differences = name == "keyed", []
        for role, ends in zip(ROLES, (("signal", "sent"), ("received", "cleaned")), strict=True):
            signals, answers = (vectors[f"{end}.{name}"] for end in ends)
            answers = answers.astype(float)  # a difference of int8 may exceed int8
            module = load_modules(bundle, manifest, role, None if keyed else name)[-keyed]
            of_row, of_each = None, [None] * len(signals)
            if keyed:
                signs = signs_of(manifest["pair"], module.signs_shape, len(signals))
                of_row, of_each = signs.__getitem__, [lambda _, one=one: one for one in signs]
            singles = [module.run(*each) for each in zip(signals, of_each, strict=True)]
            differences += [module.run(signals, of_row) - answers, singles - answers]
            module.close()
        worst = float(np.max(np.abs(differences)))
        allowed = manifest["selftest_tolerance"][name]
        if not worst <= allowed:
            raise BundleError(f"{name}: expected the answers within {allowed}, got {worst}")
        yield name, worst


def new_key(bundle, path, public_key=None):
    """Makes a key for a keyed bundle, and Alice's counter `<path>.counter`; overwrites neither.

    Returns:
        The key's public identity, with which each header begins.
    """
    manifest = read_manifest(bundle, public_key)
    if "keyed" not in manifest:
        raise KeyingError("expected a bundle with keyed modules, got one without")
    if pathlib.Path(bundle).resolve() in pathlib.Path(path).resolve().parents:
        raise KeyingError("expected a place outside the bundle, which is copied to others")
    pair = bytes.fromhex(manifest["pair"])
    with _keying() as (keys, _):
        keys.make_key(path, pair)
        return keys.read_key(path, pair).identity.hex()


def main(arguments=None):
    """`python runtime.py --selftest`, or `--new-key FILE`; returns the exit status."""
    parser = argparse.ArgumentParser(description="Checks a bundle on the device it runs on.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--selftest", action="store_true")
    action.add_argument("--new-key", metavar="FILE", help="make a key, and FILE.counter for Alice")
    parser.add_argument("--bundle", default=pathlib.Path(__file__).parent, help="default: here")
    parser.add_argument("--public-key", help="PEM file of the key that must have signed the bundle")
    given = parser.parse_args(arguments)
    try:
        if given.new_key:
            identity = new_key(given.bundle, given.new_key, given.public_key)
            print(f"key {identity}: {given.new_key}, for both ends and nobody else")
            print(f"counter: {given.new_key}.counter, for the transmitter alone; never copy it")
            return 0
        for name, worst in selftest(given.bundle, given.public_key):
            print(f"{name:<8} ok, largest difference {worst:.1e}")
    except (BundleError, KeyingError, OSError) as error:
        print(f"runtime.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
