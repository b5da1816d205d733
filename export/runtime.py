"""Runs a bundle's pair of modules on a device: Alice's before the channel, Bob's behind it.

One file, copied into every bundle; it needs numpy and ai-edge-litert, nothing else.

    with Pair.load("bundle", precision="int8") as pair:
        sent = pair.alice.protect(signal)       # y -> z, Eq. (9)
        cleaned = pair.bob.clean(received)      # y_bob -> y_clean, Eq. (12)

Signals are float32, one (`signal_shape`) or a batch of them, with mean square 1 per real symbol as
the transmitter puts them out. SHA-256 finds damage, not a forger: against one, export with
`--sign` and load with `public_key` (then `cryptography` is needed too).

    python runtime.py --selftest
"""

import argparse
import hashlib
import io
import json
import math
import pathlib
import statistics
import sys
import threading
import time

import numpy as np

FORMAT = 1
ROLES = ("transmitter", "receiver")


class BundleError(ValueError):
    """A bundle that is damaged, forged, of another pair, or not for this runtime."""


class SignalError(ValueError):
    """A signal that the module does not take."""


class Pair:
    """The two modules of a bundle.

    Attributes:
        alice: transmitter module, with `protect`; None where only the receiver was asked for.
        bob: receiver module, with `clean`; None where only the transmitter was asked for.
        identity: of the pair, 64 hexadecimal digits: the same at Alice's and at Bob's.
        manifest: what `manifest.json` says.
    """

    def __init__(self, manifest, alice, bob):
        self.manifest, self.alice, self.bob = manifest, alice, bob
        self.identity = manifest["pair"]

    @classmethod
    def load(cls, bundle, precision=None, role=None, threads=1, public_key=None, identity=None):
        """Loads and verifies a bundle.

        Args:
            bundle: its directory; for one role, the files of the other may be missing.
            precision: "float32", "float16", "int8" or "int8-io"; by default the bundle's first.
            role: "transmitter" or "receiver", where the device needs only that one.
            threads: threads of each module's interpreter.
            public_key: PEM file of the Ed25519 key that must have signed the bundle.
            identity: of the pair that the other end of the link has.

        Raises:
            BundleError: if anything is not as it was exported, or is another pair's.
        """
        manifest = read_manifest(bundle, public_key)
        if identity not in (None, manifest["pair"]):
            raise BundleError(f"expected pair {identity}, got a bundle of {manifest['pair']}")
        if role not in (None, *ROLES):
            raise BundleError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
        classes = {"transmitter": Alice, "receiver": Bob}
        modules = {
            name: classes[name](*read_module(bundle, manifest, name, precision), threads)
            for name in ROLES
            if role in (None, name)
        }
        return cls(manifest, modules.get("transmitter"), modules.get("receiver"))

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
    """One module; calls from several threads take turns.

    Attributes:
        quantization: (scale, zero point) of input and of output where they are int8, else None.
    """

    def __init__(self, model, entry, threads):
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
            (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
            (signature,) = interpreter.get_signature_list().values()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{entry['file']}: LiteRT cannot run it: {error}") from None
        self._shape = tuple(entry["signal_shape"])
        self._dtype = np.dtype(entry["dtype"])
        found = [tuple(end["shape"].tolist()) for end in (given, taken)], signature
        asked = [(1, *self._shape)] * 2, {"inputs": [entry["input"]], "outputs": [entry["output"]]}
        if found != asked or {given["dtype"], taken["dtype"]} != {self._dtype.type}:
            raise BundleError(f"{entry['file']}: expected {asked} of {self._dtype}, got {found}")
        self._real = self._dtype.kind == "f"
        self.quantization = None if self._real else (given["quantization"], taken["quantization"])
        self._lock = threading.Lock()
        self._given, self._taken = given["index"], taken["index"]
        self._set, self._get = interpreter.set_tensor, interpreter.get_tensor
        self._invoke = interpreter.invoke

    def _run(self, signal):
        """Checks a signal, or a batch of them, and runs the module on it."""
        if not isinstance(signal, np.ndarray) or signal.dtype != self._dtype:
            raise SignalError(f"expected a {self._dtype} array, got {_kind(signal)}")
        shape = signal.shape
        # The sum of squares is finite where every value is (or huge): one pass instead of two.
        if self._real and not math.isfinite(np.vdot(signal, signal)):
            bad = signal.size - np.count_nonzero(np.isfinite(signal))
            if bad:
                raise SignalError(f"expected finite values, got {bad} NaN or infinite")
        if shape == self._shape:
            with self._lock:
                self._set(self._given, signal[None])
                self._invoke()
                return self._get(self._taken)[0]
        if shape[1:] != self._shape or len(shape) != len(self._shape) + 1:
            raise SignalError(
                f"expected a signal of shape {self._shape}, or a batch of them, got {shape}"
            )
        output = np.empty_like(signal, order="C", subok=False)
        with self._lock:
            for row in range(len(signal)):
                self._set(self._given, signal[row : row + 1])
                self._invoke()
                output[row] = self._get(self._taken)[0]
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
        """Frees the interpreter."""
        with self._lock:
            self._set = self._invoke = self._get = _closed


class Alice(_Module):
    """The transmitter's module, behind the semantic transmitter."""

    #: y, float32, shape or [batch, *shape], to z = y + delta, Eq. (9), (15), (16).
    protect = _Module._run


class Bob(_Module):
    """The receiver's module, before the semantic receiver."""

    #: y_bob, float32, shape or [batch, *shape], to y_clean = y_bob - r, Eq. (12), (17), (18).
    clean = _Module._run


def _closed(*arguments):
    raise RuntimeError("expected an open pair, got one that was closed")


def _kind(signal):
    return f"one of {signal.dtype}" if isinstance(signal, np.ndarray) else type(signal).__name__


def digest(manifest):
    """SHA-256 of a manifest without its own `digest`: of its JSON, keys sorted, no blanks."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(bundle, public_key=None):
    """The manifest of a bundle, whole, of a known format, and signed if a key is given."""
    content = _read(pathlib.Path(bundle) / "manifest.json")
    if public_key is not None:
        _check_signature(content, _read(pathlib.Path(bundle) / "manifest.json.sig"), public_key)
    try:
        manifest = json.loads(content)
        whole = isinstance(manifest, dict) and manifest.get("digest") == digest(manifest)
    except (ValueError, RecursionError):
        whole = False
    if not whole:
        raise BundleError("manifest.json: damaged: it does not have the digest it was written with")
    found = manifest.get("format"), manifest.get("protection")
    if found != (FORMAT, "arn"):
        raise BundleError(
            f"expected a bundle of format {FORMAT} and protection 'arn', got {found[0]} and "
            f"{found[1]!r}: use the runtime.py of that bundle"
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
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise BundleError("expected the package cryptography, to check a signature") from None
    try:
        key = load_pem_public_key(_read(pathlib.Path(public_key)))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{public_key}: expected an Ed25519 public key in PEM")
    try:
        key.verify(signature, content)
    except InvalidSignature:
        raise BundleError("manifest.json.sig: not a signature of this bundle by this key") from None


def selftest(bundle, public_key=None):
    """Verifies every file and repeats the exporting machine's answers, single and in a batch.

    Yields:
        (precision, largest absolute difference, median microseconds of `protect`, of `clean`).

    Raises:
        BundleError: if a file is damaged or an answer differs by more than the tolerance.
    """
    manifest = read_manifest(bundle, public_key)
    files = {entry["file"]: read_file(bundle, entry) for entry in manifest["files"]}
    with np.load(io.BytesIO(files["vectors.npz"]), allow_pickle=False) as stored:
        vectors = dict(stored)
    for precision in manifest["precisions"]:
        worst, medians = 0.0, []
        with Pair.load(bundle, precision, public_key=public_key) as pair:
            for run, given, taken in (
                (pair.alice.protect, "signal", "sent"),
                (pair.bob.clean, "received", "cleaned"),
            ):
                signals = vectors[f"{given}.{precision}"]
                answers = np.stack([run(signals), np.stack([run(one) for one in signals])])
                expected = vectors[f"{taken}.{precision}"].astype(float)
                worst = max(worst, float(np.max(np.abs(answers - expected))))
                medians.append(_median_us(run, signals[0]))
        if not worst <= manifest["selftest_tolerance"][precision]:
            raise BundleError(
                f"{precision}: answers differ from the exporting machine's by {worst:.2g}, more "
                f"than {manifest['selftest_tolerance'][precision]:.2g}"
            )
        yield precision, worst, *medians


def _median_us(run, signal, calls=200):
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        run(signal)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def main(arguments=None):
    """`python runtime.py --selftest`; returns the exit status."""
    parser = argparse.ArgumentParser(description="Checks a bundle on the device it runs on.")
    parser.add_argument("--selftest", action="store_true", required=True)
    parser.add_argument("--bundle", default=pathlib.Path(__file__).parent, help="default: here")
    parser.add_argument("--public-key", help="PEM file of the key that must have signed the bundle")
    given = parser.parse_args(arguments)
    try:
        for precision, worst, protect, clean in selftest(given.bundle, given.public_key):
            print(
                f"{precision:<8} ok, largest difference {worst:.1e}, "
                f"protect {protect:.1f} us, clean {clean:.1f} us"
            )
    except BundleError as error:
        print(f"runtime.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
