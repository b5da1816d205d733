"""The process that has TensorFlow: a run's pair to `.tflite` files, and what the proof needs.

It is a process of its own because the converter leaks memory, and because the proof must run in
one without TensorFlow. Calibration signals are noisy signals of the training sources, Eq. (10);
test sources are only ever handed over to the proof.
"""

import json
import math
import pathlib
import sys

import numpy as np

from arn_keras import data
from arn_keras.backend import load_tensorflow, require_tensorflow
from arn_keras.errors import ArnError, RunDirError

#: Module of the pair: its file in the run directory.
MODULES = {"transmitter_arn": "transmitter", "receiver_arn": "receiver"}
CALIBRATION_SIGNALS = 2000
#: Received signals to measure on: small test sets are sent over the air several times.
PROOF_SIGNALS = 10_000


def convert_run(run_dir, config, knowledge, precisions, data_dir, bundle, handover):
    """Writes a run's modules into a bundle, and the proof's arrays into a directory for them.

    Args:
        run_dir: the run directory.
        config: its configuration, as in `config.json`.
        knowledge: "white" or "black".
        precisions: of `arn_keras.litert.PRECISIONS`.
        data_dir: where prepared data sets are, or None.
        bundle: directory for the `.tflite` files.
        handover: directory for `signal`, `label`, `source`, `sent` (per test source),
            `bob_noise`, `eve_noise`, `cleaned` (per transmission and test source), all `.npy`;
            `receiver.tflite`, `eve.tflite`; `facts.json`, what the manifest says of the modules.

    Raises:
        ArnError: if run directory, data or modules cannot be used.
    """
    bundle, handover = pathlib.Path(bundle), pathlib.Path(handover)
    require_tensorflow()
    dataset = data.load(config["dataset"], data_dir, config["limit"])
    load_tensorflow()
    from arn_keras.litert import convert, convert_all, operators
    from arn_keras.rundir import load_models
    from arn_keras.stages import stage_seed
    from arn_keras.system import transmit

    transmitter, receiver = load_models(run_dir, "link", "transmitter", "receiver")
    (eve,) = load_models(run_dir, "eve", "classifier")
    alice, bob = load_models(run_dir, f"arn/{knowledge}", *MODULES.values())
    if transmitter.input_shape[1:] != dataset.source_shape:
        raise RunDirError(
            f"{run_dir}: expected sources of {transmitter.input_shape[1:]}, got {dataset.name} "
            f"with {dataset.source_shape}"
        )

    def noise(signals, draw):
        return _noise(signals.shape, config["snr_db"], stage_seed(config["seed"], f"bundle/{draw}"))

    chosen = np.random.default_rng(stage_seed(config["seed"], "bundle/calibration")).permutation(
        len(dataset.train)
    )[:CALIBRATION_SIGNALS]
    signal = transmit(transmitter, np.asarray(dataset.train.images)[np.sort(chosen)])
    sent = transmit(alice, signal)
    calibration = {"transmitter_arn": signal, "receiver_arn": sent + noise(sent, "calibration")}
    modules = {}
    for (name, role), module in zip(MODULES.items(), (alice, bob), strict=True):
        modules[role] = {}
        for precision, model in convert_all(module, precisions, calibration[name]).items():
            file = f"{name}.{precision}.tflite"
            (bundle / file).write_bytes(model)
            modules[role][precision] = {
                "file": file,
                "input": module.inputs[0].name,
                "output": module.output_names[0],
                "signal_shape": list(module.input_shape[1:]),
                "dtype": "int8" if precision == "int8-io" else "float32",
                "operators": operators(model),
            }

    (handover / "receiver.tflite").write_bytes(convert(receiver, "float32"))
    (handover / "eve.tflite").write_bytes(convert(eve, "float32"))
    signal = transmit(transmitter, dataset.test.images)
    sent = transmit(alice, signal)
    draws = range(math.ceil(PROOF_SIGNALS / len(signal)))
    bob_noise = np.stack([noise(sent, f"bob/{draw}") for draw in draws])
    arrays = {
        "source": dataset.test.images,
        "label": dataset.test.labels,
        "signal": signal,
        "sent": sent,
        "bob_noise": bob_noise,
        "eve_noise": np.stack([noise(sent, f"eve/{draw}") for draw in draws]),
        "cleaned": np.stack([transmit(bob, sent + each) for each in bob_noise]),
    }
    for name, array in arrays.items():
        np.save(handover / f"{name}.npy", array)
    facts = {"dataset": dataset.name, "modules": modules}
    (handover / "facts.json").write_text(json.dumps(facts))


def _noise(shape, snr_range_db, seed):
    """The channel's noise alone, its SNR drawn for each source as in training."""
    import tensorflow as tf

    from arn_keras.channel import AWGN

    snr_db = np.random.default_rng(seed).uniform(*snr_range_db, size=shape[0])
    return AWGN(seed)(tf.zeros(shape), snr_db=tf.constant(snr_db, tf.float32)).numpy()


if __name__ == "__main__":
    try:
        convert_run(**json.loads(sys.argv[1]))
    except ArnError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
