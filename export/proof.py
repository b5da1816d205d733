"""The process without TensorFlow: loads a bundle as a device does, and measures what it does.

The units are those people care about: Bob's mean squared error, Eve's accuracy, the measured
perturbation power. The real test set, its noise and Keras's own signals are handed over as arrays;
the frozen semantic receiver and Eve's frozen classifier as float32 `.tflite` files.
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np

from arn_keras.power import ratio_to_db

VECTORS = 8
CHUNK = 1000


class Measurement:
    """Task figures of any signals, on the arrays of a handover directory.

    Args:
        handover: see `conversion.convert_run`.
    """

    def __init__(self, handover):
        for name in ("source", "label", "signal", "sent", "bob_noise", "eve_noise", "cleaned"):
            setattr(self, name, np.load(handover / f"{name}.npy"))
        self._receiver = _bare(handover / "receiver.tflite")
        self._eve = _bare(handover / "eve.tflite")

    def mse(self, cleaned):
        """Bob's mean squared error, Eq. (21), over all transmissions [draws, sources, ...]."""
        total = 0.0
        for draw in cleaned:
            for start in range(0, len(draw), CHUNK):
                part = slice(start, start + CHUNK)
                error = self.source[part] / np.float32(255) - self._receiver(draw[part])
                total += float(np.sum(np.square(error), dtype=float))
        return total / (len(cleaned) * self.source.size)

    def eve_accuracy(self, sent):
        """Share of transmissions whose label Eve names, Eq. (14)."""
        guesses = [self._eve(sent + noise).argmax(-1) for noise in self.eve_noise]
        return float(np.mean(np.equal(guesses, self.label)))

    def psr_db(self, sent):
        """Measured perturbation power in dB relative to signal power 1; None if there is none."""
        power = float(np.mean(np.square(sent - self.signal), dtype=float))
        return ratio_to_db(power) if power else None


def measure(runtime, bundle, handover):
    """Parity of every pair of precisions with Keras, and the bundle's test vectors.

    Args:
        runtime: the bundle's own `runtime.py`, as a module.
        bundle: its directory.
        handover: see `conversion.convert_run`; `vectors.npz` is written there.

    Returns:
        {"sources", "transmissions" of each; "keras": task figures of the Keras modules; "parity":
        rows, one a pair of precisions; "selftest_tolerance" for each precision}.
    """
    task = Measurement(handover)
    keras = {
        "mse": task.mse(task.cleaned),
        "eve_accuracy": task.eve_accuracy(task.sent),
        "measured_psr_db": task.psr_db(task.sent),
    }
    precisions = runtime.read_manifest(bundle)["precisions"]
    pairs = {precision: runtime.Pair.load(bundle, precision) for precision in precisions}
    received = task.sent + task.bob_noise
    difference = {
        p: _largest([_clean(pair, draw) for draw in received] - task.cleaned)
        for p, pair in pairs.items()
    }
    rows = []
    for at_alice, alice in pairs.items():
        sent = _protect(alice, task.signal)
        at_the_air = {
            "eve_accuracy": task.eve_accuracy(sent),
            "measured_psr_db": task.psr_db(sent),
            "sent_max_abs_difference": _largest(sent - task.sent),
        }
        for at_bob, bob in pairs.items():
            mse = task.mse([_clean(bob, sent + noise) for noise in task.bob_noise])
            rows.append(
                {
                    "transmitter": at_alice,
                    "receiver": at_bob,
                    "mse": mse,
                    "mse_change": mse / keras["mse"] - 1,
                    "eve_accuracy_change": at_the_air["eve_accuracy"] - keras["eve_accuracy"],
                    **at_the_air,
                    "cleaned_max_abs_difference": difference[at_bob],
                }
            )
    vectors, tolerance = {}, {}
    for precision, pair in pairs.items():
        signal, heard = task.signal[:VECTORS], received[0, :VECTORS]
        if pair.alice.quantization:
            signal, heard = pair.alice.quantize(signal), pair.bob.quantize(heard)
        answers = {"sent": pair.alice.protect(signal), "cleaned": pair.bob.clean(heard)}
        for name, array in {"signal": signal, "received": heard, **answers}.items():
            vectors[f"{name}.{precision}"] = array
        tolerance[precision] = max(_tolerance(precision, array) for array in answers.values())
    np.savez_compressed(handover / "vectors.npz", **vectors)
    return {
        "sources": len(task.source),
        "transmissions": len(task.bob_noise),
        "keras": keras,
        "parity": rows,
        "selftest_tolerance": tolerance,
    }


def _protect(pair, signal):
    alice = pair.alice
    if alice.quantization:
        return alice.dequantize(alice.protect(alice.quantize(signal)))
    return alice.protect(signal)


def _clean(pair, received):
    bob = pair.bob
    if bob.quantization:
        return bob.dequantize(bob.clean(bob.quantize(received)))
    return bob.clean(received)


def _largest(difference):
    return float(np.max(np.abs(difference)))


def _tolerance(precision, answers):
    """Another processor may round a float sum otherwise, or an 8-bit value by up to two steps."""
    if not precision.startswith("int8"):
        return 1e-4
    return 2 * float(np.diff(np.unique(answers).astype(float)).min())


def _bare(path):
    """A float32 `.tflite` file of fixed batch 1 as a function of a batch."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    taken = interpreter.get_output_details()[0]["index"]

    def run(batch):
        outputs = []
        for row in range(len(batch)):
            interpreter.set_tensor(given, batch[row : row + 1])
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(taken)[0])
        return np.stack(outputs)

    return run


def _bundled_runtime(bundle):
    spec = importlib.util.spec_from_file_location("runtime", bundle / "runtime.py")
    runtime = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runtime)
    return runtime


def main(bundle, handover):
    """Writes `proof.json` into the handover directory; TensorFlow cannot be imported here."""
    sys.modules["tensorflow"] = sys.modules["keras"] = None
    bundle, handover = pathlib.Path(bundle), pathlib.Path(handover)
    proof = measure(_bundled_runtime(bundle), bundle, handover)
    (handover / "proof.json").write_text(json.dumps(proof))


if __name__ == "__main__":
    main(*sys.argv[1:])
