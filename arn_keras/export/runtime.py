"""Runs a bundle's pair of modules on a device: Alice's before the channel, Bob's behind it.

One file, copied into every bundle; it needs numpy and ai-edge-litert, nothing else.

    with Pair.load("bundle", precision="int8") as pair:
        sent = pair.alice.protect(signal)       # y -> z, Eq. (9), (15), (16)
        cleaned = pair.bob.clean(received)      # y_bob -> y_clean, Eq. (12), (17), (18)

A keyed pair needs `cryptography` too, and the bundle's copies of the key schedule: their bytes are
checked against the manifest, and those bytes are run. The 32 bytes of the header travel with the
message, in the clear:

    with Pair.load("bundle", role="transmitter", key="a.key", counter="a.key.counter") as pair:
        header, sent = pair.alice.protect(signal)
    with Pair.load("bundle", role="receiver", key="b.key", window="b.key.window") as pair:
        cleaned = pair.bob.clean(received, header)

A pair that is told the SNR takes it with each signal, in dB, one or one for each of a batch:
`pair.alice.protect(signal, snr_db=7.5)`, `pair.bob.clean(received, snr_db=7.5)`. Bob's module may
be told `csi` instead, how well he heard this signal: snr_db + 10 log10 |gain|^2.

Signals are float32, one (`signal_shape`) or a batch of them, with mean square 1 per real symbol as
the transmitter puts them out. SHA-256 finds damage, not a forger: against one, export with
`--sign` and load with `public_key` (then `cryptography` is needed too), by a copy of this file that
you trust and keep outside the bundle: a judge that comes with the accused says what he wants.

A bundle is a folder, a zip file of one, which is unpacked nowhere, or of the Hub, with
`huggingface_hub`: `hf://owner/name[@revision][/folder]`.

    python runtime.py --selftest
    python runtime.py --new-key ../pair.key     # and ../pair.key.counter, ../pair.key.window
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the bundle: a file beside this one must not stand in for a library

import argparse
import contextlib
import ctypes
import functools
import hashlib
import io
import json
import os
import pathlib
import re
import stat
import types
import weakref
import zipfile

import numpy as np

FORMAT = 2
ROLES = ("transmitter", "receiver")
#: What a module may be told beside the signal, both in dB; see `Alice` and `Bob`.
TOLD_INPUTS = ("snr_db", "csi")
#: The code of a keyed bundle in the order in which it is loaded; all but errors.py in one package.
CODE = (
    *("errors", "refusal", "owned_file", "message_number"),
    *("haar_draw", "key_schedule", "key_file", "key_ends"),
)
#: What a manifest and its signature have at most, and any other file, whatever a manifest says.
LIMIT_BYTES, FILE_LIMIT_BYTES = 1 << 24, 1 << 30
#: What is read at once of a zip file, and what its list of files has at most.
PIECE_BYTES = 1 << 20
#: What may lie beside a bundle's files where nobody vouches for them: what export.micro writes, and
#: what Python writes where runtime.py is imported from the bundle itself.
FOLDERS = ("micro", "__pycache__")
#: Least mean square of a signal that is scaled to 1.
LEAST_POWER = 1e-8
#: Largest value of a signal that is of mean square 1 or nearly.
LARGEST = 2.0**19
_ARRAY = np.ndarray
# Of each float32, the byte with its sign.
_FIRST_BYTES = slice(3 if sys.byteorder == "little" else 0, None, 4)


_INTERPRETERS = weakref.WeakSet()


def _keep_interpreters():
    # In a forked process: LiteRT's threads are not there, and freeing what waits for them crashes.
    for interpreter in _INTERPRETERS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(interpreter))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_interpreters)


class BundleError(ValueError):
    """A bundle that is damaged, forged, of another pair, or not for this runtime."""


class SignalError(ValueError):
    """A signal that the module does not take."""


class KeyingError(ValueError):
    """A key, a counter or a header that cannot be used; nothing is sent."""


class RefusedMessageError(KeyingError):
    """A message that Bob must not take: forged, a replay, too old, or of another key or pair."""


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
        window=None,
        label="",
    ):
        """Loads and verifies a bundle.

        Args:
            bundle: its folder, a zip file of it, or `hf://owner/name[@revision][/folder]`; for one
                role, the files of the other may be missing.
            precision: one of the bundle's; by default its first.
            role: "transmitter" or "receiver", where the device needs only that one.
            threads: threads of each module's interpreter.
            public_key: PEM file of the Ed25519 key that must have signed the bundle.
            identity: of the pair that the other end of the link has.
            key: for a keyed pair, this end's own copy of the key's file; it is replaced as the key
                is stepped forward.
            counter: for Alice of a keyed pair, the file of her message counter.
            window: for Bob of a keyed pair, the file of his replay window; without one, a restart
                has him take old messages once more.
            label: of the transmitter or direction, where one key serves several.

        Raises:
            BundleError: if anything is not as it was exported, or is another pair's.
            KeyingError: if key, counter or window cannot be used, or are another pair's.
        """
        if role not in (None, *ROLES):
            raise BundleError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
        manifest = read_manifest(bundle, public_key)
        with _as_exported():
            check_listed(bundle, manifest, public_key)
            if identity not in (None, manifest["pair"]):
                raise BundleError(f"expected pair {identity}, got a bundle of {manifest['pair']}")
            ends = [
                load_modules(bundle, manifest, name, precision, threads)
                if role in (None, name)
                else None
                for name in ROLES
            ]
            code = load_code(bundle, manifest) if manifest.get("keyed") else None
        if code:
            files = key, counter, window, label
            return cls(manifest, *_keyed_ends(code, ends, manifest, *files))
        if (key, counter, window, label) != (None, None, None, ""):
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

    `shape` of a signal; `key_input` and `key_shape`, name and shape of what a keyed module takes
    for one message, else None; `told_input` and `told`: name of what it is told, "snr_db" or "csi",
    and the (lowest, highest) of it in dB, else None;
    `quantization`: (scale, zero point) of input and of output where they are int8, else None.
    """

    key_input = key_shape = told_input = told = None

    def __init__(self, model, entry, threads):
        self.shape, self._dtype = tuple(entry["signal_shape"]), np.dtype(entry["dtype"])
        self._real = self._dtype.kind == "f"
        self._model, self._file, self._threads = model, entry["file"], threads
        interpreter = self._interpreter()
        inputs, (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
        (signature,) = interpreter.get_signature_list().values()
        ends = [(tuple(end["shape"].tolist()), end["dtype"]) for end in (*inputs, taken)]
        names, asked = [entry["input"]], [((1, *self.shape), self._dtype.type)] * 2
        if "key_input" in entry:
            self.key_input, self.key_shape = entry["key_input"], tuple(entry["key_shape"])
            names.append(self.key_input)
            asked.insert(1, ((1, *self.key_shape), np.float32))
        for name in TOLD_INPUTS:
            if name in entry:
                self.told_input, self.told = name, tuple(entry[name])
                names.append(name)
                asked.insert(1, ((1, 1), self._dtype.type))
        # The signature has its names in their own order, the ends are in the module's.
        if (ends, signature) != (asked, {"inputs": sorted(names), "outputs": [entry["output"]]}):
            raise BundleError(
                f"{self._file}: expected what the manifest says, got {ends}, {signature}"
            )
        given, *further = inputs
        self.quantization = None if self._real else (given["quantization"], taken["quantization"])
        self._given, self._taken = given["index"], taken["index"]
        self._further = further[0]["index"] if further else None
        self._level_quantization = further[0]["quantization"] if further else None
        self._idle = [self._calls(interpreter)]
        self._largest, self._is_huge = _limit(entry.get("largest", LARGEST))

    def _interpreter(self):
        from ai_edge_litert.interpreter import Interpreter

        if self._model is None:
            raise RuntimeError("expected an open pair, got one that was closed")
        try:
            interpreter = Interpreter(model_content=self._model, num_threads=self._threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{self._file}: LiteRT cannot run it: {error}") from None
        _INTERPRETERS.add(interpreter)
        return interpreter

    @staticmethod
    def _calls(interpreter):
        # Looked up once: at int8 speed a look-up for each signal counts.
        return interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def check(self, signal):
        """Whether it is one signal, not a batch; SignalError unless `run` takes it."""
        # A type of numbers is nearly always the one object that stands for it: the short way.
        if type(signal) is not _ARRAY or signal.dtype is not self._dtype:
            _check_type(signal, self._dtype)
        single = signal.shape == self.shape
        if not single and (signal.ndim == 0 or signal.shape[1:] != self.shape):
            raise SignalError(f"expected shape {self.shape} or a batch of it, got {signal.shape}")
        if self._real and 1 in signal.tobytes()[_FIRST_BYTES].translate(self._is_huge):
            bad = np.count_nonzero(~np.isfinite(signal))
            if bad:
                raise SignalError(f"expected finite values, got {bad} NaN or infinite")
            raise SignalError(
                f"expected values below {self._largest:g}, mean square 1, "
                f"got {np.max(np.abs(signal)):.3g}"
            )
        return single

    def run(self, signal, further=None):
        """Checks a signal, or a batch of them, and runs the module on it.

        A keyed module, or one that is told the SNR, asks `further`, a function of the row, for its
        second input, once for each row.
        """
        if (further is None) is not (self._further is None):
            wanted = "another input" if further is None else "the signal alone"
            raise SignalError(f"{self._file}: expected {wanted}")
        single = self.check(signal)
        try:
            calls = self._idle.pop()  # one operation: no other thread gets the same
        except IndexError:
            calls = self._calls(self._interpreter())
        put, invoke, get = calls
        try:
            if single:
                put(self._given, signal[None])
                if further is not None:
                    put(self._further, further(0)[None])
                invoke()
                return get(self._taken)[0]
            output = np.empty(signal.shape, self._dtype)
            for row in range(len(signal)):
                put(self._given, signal[row : row + 1])
                if further is not None:
                    put(self._further, further(row)[None])
                invoke()
                output[row] = get(self._taken)[0]
            return output
        finally:
            self._idle.append(calls)

    def quantize(self, signal):
        """float32 to the module's int8 input (precision "int8-io").

        Raises:
            SignalError: another type, NaN, or beyond four times what it was calibrated for: no
                signal of its own.
        """
        scale, zero = self._quantization(signal, np.float32)[0]
        largest, limit = np.max(np.abs(signal), initial=0), 4 * 256 * scale
        if not largest <= limit:
            raise SignalError(f"expected values within {limit:.3g}, got {largest:.3g}")
        return np.clip(np.rint(signal / np.float32(scale)) + zero, -128, 127).astype(np.int8)

    def dequantize(self, signal):
        """The module's int8 output to float32 (precision "int8-io")."""
        scale, zero = self._quantization(signal, np.int8)[1]
        return (signal.astype(np.float32) - zero) * np.float32(scale)

    def _quantization(self, signal, kind):
        if self.quantization is None:
            raise SignalError(f"{self._file}: expected a module of int8, got one of {self._dtype}")
        _check_type(signal, np.dtype(kind))
        return self.quantization

    def close(self):
        """Frees the interpreters."""
        self._model = None
        self._idle.clear()

    def at(self, signal, snr_db=None, csi=None):
        """`run` of a module that may be told an SNR, in dB: one, or one for each of a batch.

        Args:
            signal: see `run`.
            snr_db: the average SNR of Bob's channel.
            csi: the SNR at which this signal was heard, snr_db + 10 log10 |gain|^2.

        Raises:
            SignalError: for none where the module is told it, one where it is not, one that is no
                number, or an snr_db beyond those that the pair was trained for.
        """
        if self.told is None and snr_db is None and csi is None:
            return self.run(signal)
        levels = {"snr_db": snr_db, "csi": csi}
        _refuse_untold(self, levels)
        return self.run(signal, self.levels(signal, levels[self.told_input]))

    def levels(self, signal, level):
        """The module's second input, a function of the row; see `at`."""
        (low, high), name = self.told, self.told_input
        try:
            levels = np.asarray(level, np.float32)
        except (TypeError, ValueError):
            levels = np.array(np.nan)
        batch = () if self.check(signal) else (len(signal),)
        if levels.shape not in ((), batch):
            raise SignalError(f"expected one {name}, or one a signal, got shape {levels.shape}")
        # A fade has no end; what is beyond the range is the module's own affair.
        within = np.isfinite(levels) if name == "csi" else (levels >= low) & (levels <= high)
        if not np.all(within):
            raise SignalError(f"expected {name} from {low:g} to {high:g}, got {level!r:.40}")
        if not self._real:
            scale, zero = self._level_quantization
            levels = np.clip(np.rint(levels / scale) + zero, -128, 127)
        levels = np.broadcast_to(levels.astype(self._dtype), batch or (1,))
        return lambda row: levels[row : row + 1]


def _limit(largest):
    """The least bound, of 2, 8, 32, ..., 2^19, that is not below a value, and what is beyond it.

    That is, for each first byte of a float32 value, whether it is one of the bound and more, NaN or
    infinity; the eighth bit is the sign. Looking it up takes a third of numpy.isfinite's time,
    which counts at int8 speed.
    """
    byte = next(
        each for each in range(0x40, 0x4A) if largest <= 2.0 ** (2 * each - 127) or each == 0x49
    )
    return 2.0 ** (2 * byte - 127), bytes(each & 0x7F >= byte for each in range(256))


def _refuse_untold(module, levels):
    for name, level in levels.items():
        if level is not None and name != module.told_input:
            raise SignalError(f"expected no {name}: the module is not told it")


def _check_type(signal, expected):
    if not isinstance(signal, _ARRAY) or signal.dtype != expected:
        kind = signal.dtype if isinstance(signal, _ARRAY) else type(signal).__name__
        kind = f"a number of {kind}" if isinstance(signal, np.generic) else kind
        raise SignalError(f"expected an array of {expected}, got {kind}")


class Alice(_Module):
    """The transmitter's module; `protect` takes y, one or a batch, and gives z = y + delta."""

    protect = _Module.at


class Bob(_Module):
    """The receiver's module; `clean` takes y_bob, one or a batch, and gives y_bob - r."""

    clean = _Module.at


class _KeyedEnd:
    """One end of a keyed pair: its rotation, its keys, and its ARN if the pair has one.

    `key_identity`: the 8 bytes that a header of this key begins with.
    """

    quantization = None

    def __init__(self, code, modules, keys, key_identity, held=()):
        self.key_identity = key_identity
        self._rotation, self._arn = modules[-1], modules[0] if len(modules) > 1 else None
        self._code, self._keys, self._modules, self._held = code, keys, modules, held
        self._needs = self._rotation.key_input, self._rotation.key_shape

    def _through_arn(self, signal, **levels):
        if self._arn is not None:
            return self._arn.at(signal, **levels)
        _refuse_untold(self._rotation, levels)
        return signal

    def close(self):
        """Frees the interpreters, and the counter's file for another process."""
        for each in (*self._modules, *self._held):
            each.close()


class KeyedAlice(_KeyedEnd):
    """The transmitter's end of a keyed pair."""

    def protect(self, signal, snr_db=None):
        """Protects y, one or a batch, each under a message number never used before.

        Args:
            signal: y.
            snr_db: of a pair whose ARN is told it.

        Returns:
            (header, z): the message's 32 bytes, to be sent with it; of a batch a list of them.

        Raises:
            SignalError: no number was taken.
            KeyingError, OSError: nothing is to be sent; numbers may be lost.
        """
        headers = []

        def keys(row):
            header, drawn = self._keys.next(*self._needs)
            headers.append(header.pack())
            return drawn

        signal = self._through_arn(signal, snr_db=snr_db)
        single = self._rotation.check(signal)
        for each in signal[None] if single else signal:
            # A signal that cannot be scaled to power 1 would be seen to be weak, or be no number.
            power = np.vdot(each, each) / each.size
            if not power >= LEAST_POWER:
                raise SignalError(f"expected a signal of mean square 1, got {power:.3g}: silence")
        with _keying(self._code):
            sent = self._rotation.run(signal, keys)
        return (headers if sent.shape != self._rotation.shape else headers[0]), sent


class KeyedBob(_KeyedEnd):
    """The receiver's end of a keyed pair."""

    def clean(self, received, header, snr_db=None, csi=None):
        """Cleans y_bob, one with its header, or a batch with a list of them; in any order.

        Args:
            received: y_bob.
            header: of the message, 32 bytes.
            snr_db, csi: of a pair whose ARN is told it.

        Raises:
            RefusedMessageError: forged, a replay, too old, or another pair's; nothing of a batch is
                taken.
            SignalError, KeyingError, OSError: nothing is taken either.
        """
        wires = list(header) if isinstance(header, (list, tuple)) else [header]
        messages = 1 if self._rotation.check(received) else len(received)
        with _keying(self._code) as code:
            if len(wires) != messages:
                raise KeyingError(f"expected a header for each message, got {len(wires)}")
            headers = [code.key_schedule.Header.unpack(wire) for wire in wires]
            if len(set(headers)) != len(headers):
                raise RefusedMessageError("expected each message once in a batch, got a replay")
            for each in headers:
                self._keys.check(each)
            cleaned = self._rotation.run(
                received, lambda row: self._keys.keys(headers[row], *self._needs)
            )
            cleaned = self._through_arn(cleaned, snr_db=snr_db, csi=csi)
            self._keys.accept(headers)  # last: what fails above takes no message
        return cleaned


def _keyed_ends(code, ends, manifest, key, counter, window, label):
    at_alice, at_bob = ends
    if key is None:
        raise KeyingError("expected a key file for a keyed pair, got none")
    if at_alice and counter is None:
        raise KeyingError("expected the file of Alice's message counter, got none")
    held = contextlib.ExitStack()
    with _keying(code), held:
        file = code.key_file.KeyFile(key, bytes.fromhex(manifest["pair"]), label)
        shared, numbers = file.key, code.message_number
        alice = bob = None
        if at_bob:
            taken = numbers.ReplayWindow(path=window, pair=shared.identity)
            held.callback(taken.close)
            own = code.key_ends.ReceiverKeys(shared, taken, file)
            bob = KeyedBob(code, at_bob, own, shared.identity, [taken])
        if at_alice:
            count = numbers.MessageCounter(counter, shared.identity)
            held.callback(count.close)
            own = code.key_ends.TransmitterKeys(shared, count, file)
            alice = KeyedAlice(code, at_alice, own, shared.identity, [count])
        held.pop_all()
    return alice, bob


@contextlib.contextmanager
def _keying(code):
    """The bundle's code; its errors come as this file's."""
    try:
        yield code
    except code.refusal.RefusedMessageError as error:
        raise RefusedMessageError(str(error)) from None
    except code.refusal.KeyingError as error:
        raise KeyingError(str(error)) from None
    except ImportError:
        raise KeyingError("expected the package cryptography, for a keyed pair") from None


def load_code(bundle, manifest):
    """The key schedule of a keyed bundle: its verified bytes are run, and no others.

    Returns:
        Namespace of the modules of `CODE`.

    Raises:
        BundleError: a file is missing or not what the manifest says.
    """
    entries = {entry["file"]: entry for entry in manifest["files"]}
    contents = {}
    for name in CODE:
        if f"{name}.py" not in entries:
            raise BundleError(f"manifest.json: expected {name}.py among the files of a keyed pair")
        contents[name] = read_file(bundle, entries[f"{name}.py"])
    digests = b"".join(hashlib.sha256(content).digest() for content in contents.values())
    package = f"_arn_keras_bundle_{hashlib.sha256(digests).hexdigest()}"
    if package not in sys.modules:
        _run_code(package, contents)
    return types.SimpleNamespace(
        **{name: sys.modules[_module_name(package, name)] for name in CODE}
    )


def _module_name(package, name):
    return f"{package}.errors" if name == "errors" else f"{package}.pair.{name}"


def _run_code(package, contents):
    made = {each: types.ModuleType(each) for each in (package, f"{package}.pair")}
    for each in made.values():
        each.__path__ = []  # a package, in which nothing else is found
    for name in CODE:
        full = _module_name(package, name)
        made[full] = module = types.ModuleType(full)
        module.__package__, _, short = full.rpartition(".")
        setattr(made[module.__package__], short, module)
    sys.modules.update(made)
    try:
        for name, content in contents.items():
            full = _module_name(package, name)
            exec(compile(content, f"<bundle>/{name}.py", "exec"), made[full].__dict__)
    except BaseException as error:
        for each in made:
            sys.modules.pop(each, None)
        if isinstance(error, ImportError):
            raise KeyingError(f"expected the package {error.name}, for a keyed pair") from None
        raise


def check_listed(bundle, manifest, public_key=None):
    """Refuses a bundle with a file that the manifest does not list: nothing vouches for it.

    Without a public key there may be `FOLDERS` beside them.

    Raises:
        BundleError: with the file's name.
    """
    entries = [*manifest["files"], *manifest.get("keyed", {}).values()]
    entries += [entry for of_role in manifest["modules"].values() for entry in of_role.values()]
    known = {"manifest.json", "manifest.json.sig", *(entry["file"] for entry in entries)}
    if public_key is None:
        known.update(FOLDERS)
    unlisted = sorted(set(_names(bundle)) - known)
    if unlisted:
        shown = repr(unlisted[0])[1:-1][:100]  # a stranger's name, of any length and with any sign
        raise BundleError(f"{shown}: expected only files that the manifest lists")


def digest(manifest):
    """SHA-256 of a manifest without its own `digest`: of its JSON, keys sorted, no blanks."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(bundle, public_key=None):
    """The manifest of a bundle, whole, of a known format, and signed if a key is given."""
    content = _content(bundle, "manifest.json")
    if public_key is not None:
        _check_signature(content, _content(bundle, "manifest.json.sig"), public_key)
    try:
        manifest = json.loads(content)
        whole = manifest["digest"] == digest(manifest)
    except (ValueError, TypeError, KeyError, RecursionError):
        whole = False
    if not whole:
        raise BundleError("manifest.json: damaged: not the digest it was written with")
    found = manifest.get("format")
    if found != FORMAT:
        why = ", whose headers can be forged and whose code is not signed" * (found == 1)
        raise BundleError(
            f"expected a bundle of format {FORMAT}, got {found!r}{why}: export it again, or use "
            "the runtime.py that came with it"
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
    if manifest.get("keyed"):
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
    if pathlib.PurePath(entry["file"]).name != entry["file"]:
        raise BundleError(f"manifest.json: expected files of the bundle, got {entry['file']!r}")
    content = _content(bundle, entry["file"], min(entry["bytes"], FILE_LIMIT_BYTES))
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise BundleError(f"{entry['file']}: damaged, or of another pair: its SHA-256 differs")
    return content


def _names(bundle):
    """Names of all that a bundle holds; of a zip file with their folders, but for `FOLDERS`."""
    folder = _folder(bundle)
    try:
        if not folder.is_file():
            return [each.name for each in folder.iterdir()]
        with _zipped(folder) as (_, inside):
            parts = [each.partition("/") for each in inside]
            return [
                top if slash and top in FOLDERS else top + slash + rest
                for top, slash, rest in parts
            ]
    except OSError as error:
        raise BundleError(f"{bundle}: expected a bundle: {error.strerror}") from None


def _folder(bundle):
    """The folder of a bundle, or its zip file."""
    if str(bundle).startswith("hf://"):
        return _downloaded(str(bundle))
    return _path(bundle, "a bundle")


def _path(given, of, error=BundleError):
    try:
        if b"\0" not in os.fsencode(given):
            return pathlib.Path(os.fsdecode(given))
    except (TypeError, ValueError):
        pass
    raise error(f"expected the path of {of}, got {given!r}")


class _Piecewise(io.BufferedReader):
    """A file of which no more than a piece is read at once, whatever it says of itself."""

    def read(self, size=-1):
        if size is not None and size > PIECE_BYTES:
            raise zipfile.BadZipFile("it lists too much")
        return super().read(size)


@contextlib.contextmanager
def _zipped(path):
    """A zip file of a bundle, and its entries by name: of the bundle, or of the folder it is in.

    The list is at most a piece of the file. `zipfile.Path` makes folders of the names that it finds
    there, which are a stranger's: some take gigabytes, or for ever.
    """
    try:
        with _regular(path, FILE_LIMIT_BYTES, _Piecewise) as file, zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if len(entries) != len(archive.infolist()):
                raise BundleError(f"{path}: expected each file of a bundle once")
            folder, slash, _ = next(iter(entries), "").partition("/")
            alone = slash and all(each.startswith(folder + slash) for each in entries)
            start = folder + slash if alone else ""  # as `zip -r pair.zip bundle` makes it
            if alone:
                entries.pop(start, None)
            yield archive, {name[len(start) :]: entry for name, entry in entries.items()}
    except BundleError:
        raise
    except Exception as error:  # zip, struct, zlib and others each raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BundleError(
            f"{path}: expected a bundle's folder, or a whole zip file of it: {reason}"
        ) from None


@functools.cache
def _downloaded(address):
    """The folder of a model of the Hub, one revision of it as long as the process runs."""
    match = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/@]+))?((?:/[^/@]+)*)/?", address)
    model, revision, folder = match.groups() if match else ("", None, "")
    parts = folder.split("/")[1:]
    if not model or {".", ".."} & {*parts, *model.split("/")}:
        raise BundleError(f"expected hf://owner/name[@revision][/folder], got {address}")
    try:
        import huggingface_hub
    except ImportError:
        raise BundleError("expected the package huggingface_hub, for a bundle of the Hub") from None
    within = "".join(f"{part}/" for part in parts)
    try:
        info = huggingface_hub.HfApi().model_info(model, revision=revision, files_metadata=True)
        size = sum(each.size or 0 for each in info.siblings if each.rfilename.startswith(within))
        if size > FILE_LIMIT_BYTES:
            raise BundleError(f"{address}: expected at most {FILE_LIMIT_BYTES} bytes, got {size}")
        kept = huggingface_hub.snapshot_download(
            model,
            revision=info.sha,
            allow_patterns=[f"{within}*"],
            ignore_patterns=[".gitattributes"],  # the Hub's own, in no manifest
        )
    except BundleError:
        raise
    except Exception as error:  # of the network, of the Hub, of names: each has its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BundleError(f"{address}: expected a bundle on the Hub: {reason[:200]}") from None
    return pathlib.Path(kept, *parts)


def _content(bundle, name, limit=LIMIT_BYTES):
    """At most `limit` bytes of a file of a bundle."""
    folder = _folder(bundle)
    if not folder.is_file():
        return _read(folder / name, limit)
    with _zipped(folder) as (archive, inside):
        entry = inside.get(name)
        if entry is None:
            raise BundleError(f"{folder}/{name}: expected a readable file of a zip file")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(f"{folder}/{name}: expected a file that is deflated or stored")
        content = bytearray()
        with archive.open(entry) as file:  # whatever size it promises
            while len(content) <= limit and (piece := file.read(PIECE_BYTES)):
                content += piece
    if len(content) > limit:
        raise BundleError(f"{folder}/{name}: damaged: expected at most {limit} bytes")
    return bytes(content)


def _read(path, limit=LIMIT_BYTES):
    """At most `limit` bytes of a regular file."""
    with _regular(path, limit) as file:
        return file.read(limit)


@contextlib.contextmanager
def _regular(path, limit, reader=io.BufferedReader):
    """A regular file of at most `limit` bytes; of a pipe or a device not one byte is read."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with reader(io.FileIO(handle)) as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise BundleError(f"{path}: expected a readable file: not a regular file")
            if found.st_size > limit:
                raise BundleError(f"{path}: damaged: expected at most {limit} bytes")
            yield file
    except OSError as error:
        raise BundleError(f"{path}: expected a readable file: {error.strerror}") from None


@contextlib.contextmanager
def _as_exported():
    """Whatever stumbles over what no exporter writes, it is one error."""
    try:
        yield
    except (BundleError, KeyingError):
        raise
    except Exception as error:  # JSON, zip, NumPy and LiteRT each raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BundleError(f"expected a bundle as it was exported: {reason}") from None


def _check_signature(content, signature, public_key):
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise BundleError("expected the package cryptography, to check a signature") from None
    try:
        load_pem_public_key(_read(_path(public_key, "a public key"))).verify(signature, content)
    except (ValueError, TypeError, AttributeError):  # not PEM; a key of another kind
        raise BundleError(f"{public_key}: expected an Ed25519 public key in PEM") from None
    except InvalidSignature:
        raise BundleError("manifest.json.sig: not a signature of this bundle by this key") from None


def keys_of(bundle, manifest, entry, messages, key=bytes(range(32))):
    """What a keyed module takes for messages 0, 1, ... under a key, by default everybody's.

    Args:
        bundle: its folder, a zip file of it, or an address of the Hub.
        manifest: of the bundle.
        entry: of the module in the manifest.
        messages: how many.
        key: 32 bytes.
    """
    with _keying(load_code(bundle, manifest)) as code:
        shared = code.key_schedule.PairKey(key, bytes.fromhex(manifest["pair"]))
        name, shape = entry["key_input"], tuple(entry["key_shape"])
        return [
            code.key_schedule.drawn(shared.stream(each, name), each, name, shape)
            for each in range(messages)
        ]


def selftest(bundle, public_key=None):
    """Verifies every file, and repeats the exporting machine's answers, single and in a batch.

    Yields:
        (precision or "keyed", largest absolute difference); BundleError where it is not within
        tolerance.
    """
    with _as_exported():
        yield from _selftest(bundle, public_key)


def _selftest(bundle, public_key):
    manifest = read_manifest(bundle, public_key)
    files = {entry["file"]: read_file(bundle, entry) for entry in manifest["files"]}
    vectors = read_vectors(files["vectors.npz"])
    check_listed(bundle, manifest, public_key)
    names = list(manifest["precisions"]) if manifest["modules"] else []
    for name in [*names, "keyed"] if manifest.get("keyed") else names:
        keyed, differences = name == "keyed", []
        for role, ends in zip(ROLES, (("signal", "sent"), ("received", "cleaned")), strict=True):
            signals, answers = (vectors[f"{end}.{name}"] for end in ends)
            answers = answers.astype(float)  # a difference of int8 may exceed int8
            module = load_modules(bundle, manifest, role, None if keyed else name)[-keyed]
            of_row, of_each = None, [None] * len(signals)
            if keyed:
                keys = keys_of(bundle, manifest, manifest["keyed"][role], len(signals))
                of_row = keys.__getitem__
            elif module.told:
                of_row = module.levels(signals, vectors[module.told_input])
            if of_row:
                drawn = map(of_row, range(len(signals)))
                of_each = [lambda _, one=one: one for one in drawn]
            singles = [module.run(*each) for each in zip(signals, of_each, strict=True)]
            differences += [module.run(signals, of_row) - answers, singles - answers]
            module.close()
        worst = float(np.max(np.abs(differences)))
        allowed = manifest["selftest_tolerance"][name]
        if not worst <= allowed:
            raise BundleError(f"{name}: expected the answers within {allowed}, got {worst}")
        yield name, worst


def read_vectors(content):
    """The arrays of a bundle's `vectors.npz`, by its bytes."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        size = sum(each.file_size for each in stored.zip.infolist())
        if size > FILE_LIMIT_BYTES:
            raise BundleError(f"vectors.npz: expected at most {FILE_LIMIT_BYTES} bytes, got {size}")
        return dict(stored)


def new_key(bundle, path, public_key=None, labels=()):
    """Makes a key for a keyed bundle, Alice's counter and Bob's window; overwrites none.

    Args:
        bundle: its folder, a zip file of it, or an address of the Hub.
        path: of the key; `<path>.counter` and `<path>.window` are made too. For each label it is
            `<path>.<label>`, with its own counter and window, instead.
        public_key: PEM file of the Ed25519 key that must have signed the bundle.
        labels: of transmitters or directions.

    Returns:
        The key's public identities, one a label, with which each header begins.
    """
    manifest = read_manifest(bundle, public_key)
    with _as_exported():
        check_listed(bundle, manifest, public_key)
        pair, is_keyed = bytes.fromhex(manifest["pair"]), bool(manifest.get("keyed"))
        code = load_code(bundle, manifest) if is_keyed else None
    if not is_keyed:
        raise KeyingError("expected a bundle with keyed modules, got one without")
    path = _path(path, "a new key", KeyingError)
    if _folder(bundle).resolve() in path.resolve().parents:
        raise KeyingError("expected a place outside the bundle, which is copied to others")
    labels = tuple(labels) or ("",)
    with _keying(code):
        return [identity.hex() for identity in code.key_file.make_key(path, pair, labels)]


def main(arguments=None):
    """`python runtime.py --selftest`, or `--new-key FILE`; returns the exit status."""
    parser = argparse.ArgumentParser(description="Checks a bundle on the device it runs on.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--selftest", action="store_true")
    action.add_argument("--new-key", metavar="FILE", help="make a key, FILE.counter, FILE.window")
    parser.add_argument(
        "--label", action="append", default=[], help="with --new-key, of a transmitter or direction"
    )
    parser.add_argument(
        "--bundle",
        default=pathlib.Path(__file__).parent,
        help="folder, zip file or hf://owner/name[@revision][/folder] (default: here)",
    )
    parser.add_argument("--public-key", help="PEM file of the key that must have signed the bundle")
    given = parser.parse_args(arguments)
    try:
        if given.new_key:
            made = new_key(given.bundle, given.new_key, given.public_key, given.label)
            for identity, label in zip(made, given.label or [""], strict=True):
                stem = f"{given.new_key}.{label}" if label else given.new_key
                print(f"key {identity}: {stem}, a copy for each end and nobody else")
                print(f"counter: {stem}.counter, for the transmitter alone; never copy it")
                print(f"window: {stem}.window, for the receiver alone; never copy it")
            return 0
        for name, worst in selftest(given.bundle, given.public_key):
            print(f"{name:<8} ok, largest difference {worst:.1e}")
    except (BundleError, KeyingError, OSError) as error:
        print(f"runtime.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
