"""Runs a bundle's pair of modules on a device: Alice's before the channel, Bob's behind it.

One file, copied into every bundle; it needs numpy and ai-edge-litert, nothing else.

    with Pair.load("bundle", precision="int8") as pair:
        sent = pair.alice.protect(signal)       # y -> z, Eq. (9), (15), (16)
        cleaned = pair.bob.clean(received)      # y_bob -> y_clean, Eq. (12), (17), (18)

Signals are float32, one (`signal_shape`) or a batch of them, with mean square 1 per real symbol as
the transmitter puts them out. SHA-256 finds damage, not a forger: against one, export with
`--sign` and load with `public_key` (then `cryptography` is needed too).

    python runtime.py --selftest
"""

import argparse
import hashlib
import io
import json
import pathlib
import sys

import numpy as np

FORMAT, PROTECTION = 1, "arn"
ROLES = ("transmitter", "receiver")
_FIRST_BYTE = 3 if sys.byteorder == "little" else 0  # of a float32, the one with its sign


class BundleError(ValueError):
    """A bundle that is damaged, forged, of another pair, or not for this runtime."""


class SignalError(ValueError):
    """A signal that the module does not take."""


class Pair:
    """The two modules of a bundle: `alice`, `bob` (None where not asked for), its `manifest`.

    `identity`, 64 hexadecimal digits, names the pair: the same at Alice's and at Bob's.
    """

    def __init__(self, manifest, alice, bob):
        self.manifest, self.alice, self.bob = manifest, alice, bob
        self.identity = manifest["pair"]

    @classmethod
    def load(cls, bundle, precision=None, role=None, threads=1, public_key=None, identity=None):
        """Loads and verifies a bundle.

        Args:
            bundle: its directory; for one role, the files of the other may be missing.
            precision: one of the bundle's; by default its first.
            role: "transmitter" or "receiver", where the device needs only that one.
            threads: threads of each module's interpreter.
            public_key: PEM file of the Ed25519 key that must have signed the bundle.
            identity: of the pair that the other end of the link has.

        Raises:
            BundleError: if anything is not as it was exported, or is another pair's.
        """
        if role not in (None, *ROLES):
            raise BundleError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
        manifest = read_manifest(bundle, public_key)
        try:
            if identity not in (None, manifest["pair"]):
                raise BundleError(f"expected pair {identity}, got a bundle of {manifest['pair']}")
            modules = [
                kind(*read_module(bundle, manifest, name, precision), threads)
                if role in (None, name)
                else None
                for name, kind in zip(ROLES, (Alice, Bob), strict=True)
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"manifest.json: expected what was exported: {error!r}") from None
        return cls(manifest, *modules)

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

    `quantization`: (scale, zero point) of input and of output where they are int8, else None.
    """

    def __init__(self, model, entry, threads):
        self._shape, self._dtype = tuple(entry["signal_shape"]), np.dtype(entry["dtype"])
        self._real = self._dtype.kind == "f"
        self._model, self._file, self._threads = model, entry["file"], threads
        interpreter = self._interpreter()
        (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
        (signature,) = interpreter.get_signature_list().values()
        found = [(tuple(end["shape"].tolist()), end["dtype"]) for end in (given, taken)], signature
        asked = [((1, *self._shape), self._dtype.type)] * 2
        if found != (asked, {"inputs": [entry["input"]], "outputs": [entry["output"]]}):
            raise BundleError(f"{self._file}: expected what the manifest says, got {found}")
        self.quantization = None if self._real else (given["quantization"], taken["quantization"])
        self._given, self._taken = given["index"], taken["index"]
        self._idle = [interpreter]

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

    def _run(self, signal):
        """Checks a signal, or a batch of them, and runs the module on it."""
        if not isinstance(signal, np.ndarray) or signal.dtype != self._dtype:
            kind = getattr(signal, "dtype", type(signal).__name__)
            raise SignalError(f"expected an array of {self._dtype}, got {kind}")
        single = signal.shape == self._shape
        if not single and (signal.ndim == 0 or signal.shape[1:] != self._shape):
            raise SignalError(f"expected shape {self._shape} or a batch of it, got {signal.shape}")
        if self._real:
            # NaN and infinity begin with 7f or ff, else only values above 1.7e38: to look at the
            # first bytes takes a third of the time of numpy.isfinite, which counts at int8 speed.
            first = signal.tobytes()[_FIRST_BYTE::4]
            bad = (127 in first or 255 in first) and np.count_nonzero(~np.isfinite(signal))
            if bad:
                raise SignalError(f"expected finite values, got {bad} NaN or infinite")
        try:
            interpreter = self._idle.pop()  # one operation: no other thread gets the same
        except IndexError:
            interpreter = self._interpreter()
        if single:
            interpreter.set_tensor(self._given, signal[None])
            interpreter.invoke()
            output = interpreter.get_tensor(self._taken)[0]
        else:
            output = np.empty(signal.shape, self._dtype)
            for row in range(len(signal)):
                interpreter.set_tensor(self._given, signal[row : row + 1])
                interpreter.invoke()
                output[row] = interpreter.get_tensor(self._taken)[0]
        self._idle.append(interpreter)
        return output

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

    protect = _Module._run


class Bob(_Module):
    """The receiver's module; `clean` takes y_bob, one or a batch, and gives y_bob - r."""

    clean = _Module._run


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
    if found != (FORMAT, PROTECTION):
        raise BundleError(
            f"expected a bundle of format {FORMAT}, protection {PROTECTION!r}, got {found[0]}, "
            f"{found[1]!r}: use the runtime.py that came with it"
        )
    return manifest


def read_module(bundle, manifest, role, precision=None):
    """The verified bytes of one module's `.tflite` file, and its entry in the manifest."""
    choices = manifest["modules"][role]
    precision = precision or manifest["precisions"][0]
    if precision not in choices:
        raise BundleError(f"expected a precision of {', '.join(choices)}, got {precision!r}")
    entry = choices[precision]
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


def selftest(bundle, public_key=None):
    """Verifies every file, and repeats the exporting machine's answers, single and in a batch.

    Yields:
        (precision, largest absolute difference); BundleError where it is not within tolerance.
    """
    manifest = read_manifest(bundle, public_key)
    files = {entry["file"]: read_file(bundle, entry) for entry in manifest["files"]}
    with np.load(io.BytesIO(files["vectors.npz"]), allow_pickle=False) as stored:
        vectors = dict(stored)
    for precision in manifest["precisions"]:
        with Pair.load(bundle, precision) as pair:
            runs = {
                ("signal", "sent"): pair.alice.protect,
                ("received", "cleaned"): pair.bob.clean,
            }
            differences = []
            for (given, taken), run in runs.items():
                signals = vectors[f"{given}.{precision}"]
                answers = np.stack([run(signals), [run(signal) for signal in signals]])
                differences.append(answers - vectors[f"{taken}.{precision}"].astype(float))
        worst = float(np.max(np.abs(differences)))
        allowed = manifest["selftest_tolerance"][precision]
        if not worst <= allowed:
            raise BundleError(f"{precision}: expected the answers within {allowed}, got {worst}")
        yield precision, worst


def main(arguments=None):
    """`python runtime.py --selftest`; returns the exit status."""
    parser = argparse.ArgumentParser(description="Checks a bundle on the device it runs on.")
    parser.add_argument("--selftest", action="store_true", required=True)
    parser.add_argument("--bundle", default=pathlib.Path(__file__).parent, help="default: here")
    parser.add_argument("--public-key", help="PEM file of the key that must have signed the bundle")
    given = parser.parse_args(arguments)
    try:
        for precision, worst in selftest(given.bundle, given.public_key):
            print(f"{precision:<8} ok, largest difference {worst:.1e}")
    except BundleError as error:
        print(f"runtime.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
