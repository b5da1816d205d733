"""The process without TensorFlow: loads a bundle as a device does, and measures what it does.

The units are those people care about: Bob's measure, Eve's accuracy, the perturbation's power. The
real test set, its noise and Keras's signals come as arrays, the frozen ends as `.tflite` files.
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np

from arn_keras.export import PRECISIONS
from arn_keras.export.device_ends import Ends, vectors_of
from arn_keras.machine.files import read_json
from arn_keras.power import mean_power, ratio_to_db
from arn_keras.rooms import answer, load_plugins
from arn_keras.task import TASKS
from arn_keras.task.image import IMAGE

VECTORS = 8
CHUNK = 1000


class Measurement:
    """Task figures of any signals, on the arrays of a handover directory.

    Args:
        handover: see `conversion.convert_run`.
        task: `task.task.Task`, whose first measure and whose `parity_measure` are compared.
        pauses: whether places of the signal that are all zeros are not sent.
    """

    def __init__(self, handover, task, pauses=False):
        self._task, self._pauses = task, pauses
        arrays = ("target", "label", "signal", "keys", "snr_db", "sent", "cleaned")
        for name in (*arrays, "bob_noise", "bob_csi", "eve_noise"):
            setattr(self, name, np.load(handover / f"{name}.npy"))
        self._receiver = _bare(handover / "receiver.tflite")
        self._eve = _bare(handover / "eve.tflite")

    def quality(self, cleaned):
        """Bob's measures over all transmissions [draws, sources, ...], {field: value}."""
        meter = self._task.proof_meter()
        for draw in cleaned:
            for start in range(0, len(draw), CHUNK):
                part = slice(start, start + CHUNK)
                meter.add(self.target[part], self._receiver(draw[part]))
        fields = meter.fields(len(cleaned) * len(self.target))
        return {each.field: fields[each.field] for each in self.compared}

    @property
    def compared(self):
        """The measures that are compared."""
        return dict.fromkeys((self._task.measures[0], self._task.parity_measure))

    def at_the_air(self, sent):
        """What Eve gets of the sent signals, and their power.

        Returns:
            {"eve_accuracy": share of transmissions whose label she names, Eq. (14); "sent_power":
            mean square per real symbol; "measured_psr_db": perturbation power in dB relative to
            signal power 1, None if there is none}.
        """
        guesses = [self._eve(sent + noise).argmax(-1) for noise in self.eve_noise]
        over = sent if self._pauses else None
        power = _mean(mean_power(sent - self.signal, over))
        return {
            "eve_accuracy": float(np.mean(np.equal(guesses, self.label))),
            "sent_power": _mean(mean_power(sent, over)),
            "measured_psr_db": ratio_to_db(power) if power else None,
        }


def _mean(values):
    return float(np.mean(values, dtype=float))


def measure(runtime, bundle, handover, task=IMAGE, pauses=False):
    """Parity of every pair of precisions with Keras, and the bundle's test vectors.

    Args:
        runtime: the bundle's own `runtime.py`, as a module.
        bundle: its directory.
        handover: see `conversion.convert_run`; `vectors.npz` is written there.
        task: `task.task.Task`, what Bob is judged by.
        pauses: see `Measurement`.

    Returns:
        {"measure": what a module is held to, `task.task.Measure`; "sources", "transmissions" of
        each; "chance": share of the commonest label; "keras": task figures of the Keras modules;
        "parity": rows, one a pair of precisions; "selftest_tolerance" for each precision, and
        "keyed"}.
    """
    measure, task = task.parity_measure, Measurement(handover, task, pauses)
    keras = {**task.quality(task.cleaned), **task.at_the_air(task.sent)}
    manifest = runtime.read_manifest(bundle)
    ends = {precision: Ends(runtime, bundle, precision) for precision in manifest["precisions"]}
    of_each = task.keys, task.snr_db
    draws = list(zip(task.bob_noise, task.bob_csi, strict=True))
    difference = {
        precision: _largest(
            [each.clean(task.sent + noise, *of_each, csi) for noise, csi in draws] - task.cleaned
        )
        for precision, each in ends.items()
    }
    rows = []
    for at_alice, alice in ends.items():
        sent = alice.protect(task.signal, *of_each)
        at_the_air = {
            **task.at_the_air(sent),
            "sent_max_abs_difference": _largest(sent - task.sent),
        }
        for at_bob, bob in ends.items():
            cleaned = [bob.clean(sent + noise, *of_each, csi) for noise, csi in draws]
            quality = task.quality(cleaned)
            rows.append(
                {
                    "transmitter": at_alice,
                    "receiver": at_bob,
                    **quality,
                    **{
                        f"{field}_change": _change(quality[field], keras[field])
                        for field in quality
                    },
                    "eve_accuracy_change": at_the_air["eve_accuracy"] - keras["eve_accuracy"],
                    **at_the_air,
                    "cleaned_max_abs_difference": difference[at_bob],
                }
            )
    vectors, tolerance = {}, {}
    few = (each[:VECTORS] for each in (task.signal, task.sent + task.bob_noise[0]))
    levels = {"snr_db": task.snr_db[:VECTORS], "csi": task.bob_csi[0][:VECTORS]}
    vectors |= {name: levels[name] for each in ends.values() for name in each.told}
    for name, arrays in vectors_of(ends, *few, levels):
        vectors |= {f"{end}.{name}": array for end, array in arrays.items()}
        tolerance[name] = max(_tolerance(name, arrays[end]) for end in ("sent", "cleaned"))
    np.savez_compressed(handover / "vectors.npz", **vectors)
    return {
        "measure": measure._asdict(),
        "sources": len(task.target),
        "transmissions": len(task.bob_noise),
        "chance": float(np.bincount(task.label).max() / len(task.label)),
        "keras": keras,
        "parity": rows,
        "selftest_tolerance": tolerance,
    }


def _change(value, before):
    """Relative change; of an error rate of 0 there is none but to another one."""
    return value / before - 1 if before else float(value > 0)


def _largest(difference):
    return float(np.max(np.abs(difference)))


def _tolerance(precision, answers):
    """Another processor may round a float sum otherwise, or an integer by up to two steps."""
    if precision == "keyed" or not answer(PRECISIONS, precision).integer:
        return 1e-4
    return 2 * float(np.diff(np.unique(answers).astype(float)).min())


def _bare(path):
    """A float32 `.tflite` file of fixed batch 1, at any path, as a function of a batch."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
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
    load_plugins()
    facts = read_json(handover / "facts.json")
    how = answer(TASKS, facts["task"]), facts["pauses"]
    proof = measure(_bundled_runtime(bundle), bundle, handover, *how)
    (handover / "proof.json").write_text(json.dumps(proof))


if __name__ == "__main__":
    main(*sys.argv[1:])
