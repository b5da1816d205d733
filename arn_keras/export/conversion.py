"""The process that has TensorFlow: a run's pair to `.tflite` files, and what the proof needs.

It is a process of its own because the converter leaks memory, and because the proof must run in
one without TensorFlow. Calibration signals are noisy signals of the training sources, Eq. (10);
test sources are only ever handed over to the proof.
"""

import dataclasses
import json
import math
import pathlib
import sys
from typing import Any

import numpy as np

from arn_keras.backend import load_tensorflow, require_tensorflow
from arn_keras.data import images
from arn_keras.errors import ArnError, RunDirError
from arn_keras.export.runtime import ROLES

CALIBRATION_SIGNALS = 2000
#: Received signals to measure on: small test sets are sent over the air several times.
PROOF_SIGNALS = 10_000


@dataclasses.dataclass(frozen=True)
class Ends:
    """What stands at Alice's and at Bob's end, as Keras models.

    Attributes:
        arns: (transmitter ARN, receiver ARN), or None.
        keyed: the keyed modules, (transmitter, receiver), or None.
    """

    arns: Any = None
    keyed: Any = None

    def protect(self, signal, signs):
        """Signal y to z; without keyed modules the signs are not looked at."""
        if self.arns:
            signal = _applied(self.arns[0], signal)
        return _applied(self.keyed[0], signal, signs) if self.keyed else signal

    def unkey(self, received, signs):
        """What the receiver ARN is given of y_bob."""
        return _applied(self.keyed[1], received, signs) if self.keyed else received

    def clean(self, received, signs):
        """Received y_bob to y_clean."""
        received = self.unkey(received, signs)
        return _applied(self.arns[1], received) if self.arns else received

    def draw_signs(self, messages, seed):
        """Signs that nobody knows, [messages, rounds, symbols]; one unused number without keys."""
        shape = self.keyed[0].inputs[1].shape[1:] if self.keyed else ()
        draw = np.random.default_rng(seed).integers(0, 2, (messages, *shape), np.int8)
        return 1 - 2 * draw.astype(np.float32)


def _applied(module, *inputs):
    from arn_keras.training.transmit import in_batches

    def run(*batch):
        return module(list(batch) if len(batch) > 1 else batch[0], training=False)

    return in_batches(run, *inputs)


def convert_run(run_dir, config, pair, data_dir, bundle, handover):
    """Writes a run's modules into a bundle, and the proof's arrays into a directory for them.

    Args:
        run_dir: the run directory.
        config: its configuration, as in `config.json`.
        pair: {"pair": its identity, "protection", "knowledge", "precisions" of its ARNs}.
        data_dir: where prepared data sets are, or None.
        bundle: directory for the `.tflite` files.
        handover: directory for `signal`, `label`, `source`, `signs`, `sent` (per test source),
            `bob_noise`, `eve_noise`, `cleaned` (per transmission and test source), all `.npy`;
            `receiver.tflite`, `eve.tflite`; `facts.json`, what the manifest says of the modules.

    Raises:
        ArnError: if run directory, data or modules cannot be used.
    """
    bundle, handover = pathlib.Path(bundle), pathlib.Path(handover)
    require_tensorflow()
    dataset = images.load(config["dataset"], data_dir, config["limit"])
    load_tensorflow()
    from arn_keras.data.preprocessing import unit_interval
    from arn_keras.pair import rotation  # noqa: F401  the layer that keyed modules are made of
    from arn_keras.run.directory import load_models
    from arn_keras.training.algorithm_1 import stage_seed
    from arn_keras.training.transmit import transmit

    transmitter, receiver = load_models(run_dir, "link", "transmitter", "receiver")
    (eve,) = load_models(run_dir, "eve", "classifier")
    stages = {"arn": f"arn/{pair['knowledge']}", "keyed": "keyed"}
    ends = Ends(
        *(
            load_models(run_dir, stage, *ROLES) if name in pair["protection"] else None
            for name, stage in stages.items()
        )
    )
    if transmitter.input_shape[1:] != dataset.source_shape:
        raise RunDirError(
            f"{run_dir}: expected sources of {transmitter.input_shape[1:]}, got {dataset.name} "
            f"with {dataset.source_shape}"
        )

    def seed(purpose):
        return stage_seed(config["seed"], f"bundle/{purpose}")

    def noise(signals, draw):
        return _noise(signals.shape, config["snr_db"], seed(draw))

    chosen = np.random.default_rng(seed("calibration")).permutation(len(dataset.train))
    chosen = np.sort(chosen[:CALIBRATION_SIGNALS])
    signal = transmit(transmitter, np.asarray(dataset.train.images)[chosen], unit_interval)
    signs = ends.draw_signs(len(signal), seed("calibration keys"))
    sent = ends.protect(signal, signs)
    heard = ends.unkey(sent + noise(sent, "calibration"), signs)
    modules = write_modules(bundle, ends, pair["precisions"], (signal, heard))
    (handover / "facts.json").write_text(json.dumps({"dataset": dataset.name, **modules}))
    signal = transmit(transmitter, dataset.test.images, unit_interval)
    draws = range(math.ceil(PROOF_SIGNALS / len(signal)))
    write_handover(
        handover,
        ends,
        (receiver, eve),
        signs=ends.draw_signs(len(signal), seed("keys")),
        source=dataset.test.images,
        label=dataset.test.labels,
        signal=signal,
        bob_noise=np.stack([noise(signal, f"bob/{draw}") for draw in draws]),
        eve_noise=np.stack([noise(signal, f"eve/{draw}") for draw in draws]),
    )


def write_modules(bundle, ends, precisions, calibration):
    """Writes the `.tflite` files of a bundle; what the manifest says of them.

    Args:
        bundle: its directory.
        ends: `Ends`; keyed modules are converted to float32 alone.
        precisions: of the ARNs.
        calibration: signals that the transmitter ARN is given, and that the receiver ARN is.

    Returns:
        {"modules": of the ARNs, for each role and precision; "keyed": for each role, if any}.
    """
    from arn_keras.export.litert import convert, convert_all

    facts = {"modules": {}}
    for role, arn, given in zip(ROLES, ends.arns or (), calibration, strict=bool(ends.arns)):
        facts["modules"][role] = {
            precision: _write(bundle, f"{role}_arn.{precision}", arn, model, precision)
            for precision, model in convert_all(arn, precisions, given).items()
        }
    if ends.keyed:
        facts["keyed"] = {
            role: _write(bundle, f"{role}_keyed.float32", module, convert(module, "float32"))
            | {"signs_shape": list(module.inputs[1].shape[1:])}
            for role, module in zip(ROLES, ends.keyed, strict=True)
        }
    return facts


def _write(bundle, name, module, model, precision="float32"):
    from arn_keras.export.litert import operators

    (bundle / f"{name}.tflite").write_bytes(model)
    return {
        "file": f"{name}.tflite",
        "input": module.inputs[0].name,
        "output": module.output_names[0],
        "signal_shape": list(module.inputs[0].shape[1:]),
        "dtype": "int8" if precision == "int8-io" else "float32",
        "operators": operators(model),
    }


def write_handover(handover, ends, observers, *, signs, **arrays):
    """Writes what the proof needs: the arrays, and what Keras makes of them.

    Args:
        handover: directory for them.
        ends: `Ends`.
        observers: (semantic receiver, Eve), Keras models.
        signs: of each test source.
        arrays: `source`, `label`, `signal`, and for each transmission `bob_noise`, `eve_noise`.
    """
    from arn_keras.export.litert import convert

    for name, model in zip(("receiver", "eve"), observers, strict=True):
        (handover / f"{name}.tflite").write_bytes(convert(model, "float32"))
    sent = ends.protect(arrays["signal"], signs)
    cleaned = np.stack([ends.clean(sent + noise, signs) for noise in arrays["bob_noise"]])
    for name, array in {**arrays, "signs": signs, "sent": sent, "cleaned": cleaned}.items():
        np.save(handover / f"{name}.npy", array)


def _noise(shape, snr_range_db, seed):
    """The channel's noise alone, its SNR drawn for each source as in training."""
    import tensorflow as tf

    from arn_keras.channel.awgn import AWGN

    snr_db = np.random.default_rng(seed).uniform(*snr_range_db, size=shape[0])
    return AWGN(seed)(tf.zeros(shape), snr_db=tf.constant(snr_db, tf.float32)).numpy()


if __name__ == "__main__":
    try:
        convert_run(**json.loads(sys.argv[1]))
    except ArnError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
