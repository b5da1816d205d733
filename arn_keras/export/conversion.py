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

from arn_keras.backend import own_process
from arn_keras.errors import ArnError, ExportError
from arn_keras.export import PRECISIONS
from arn_keras.export.keras_ends import Ends
from arn_keras.export.runtime import ROLES
from arn_keras.rooms import answer, load_plugins
from arn_keras.run.saved import SavedRun

CALIBRATION_SIGNALS = 2000
#: Received signals to measure on: small test sets are sent over the air several times.
PROOF_SIGNALS = 10_000
#: Bytes of arrays that the proof is handed, at most: of large sources it has fewer.
PROOF_BYTES = 1 << 30


def convert_run(run_dir, pair, data_dir, bundle, handover):
    """Writes a run's modules into a bundle, and the proof's arrays into a directory for them.

    Args:
        run_dir: the run directory.
        pair: {"pair": its identity, "public": stage of its public modules or None, "is_keyed",
            "precisions" of the public ones}.
        data_dir: where prepared data sets are, or None.
        bundle: directory for the `.tflite` files.
        handover: directory for `signal`, `label`, `target`, `keys`, `snr_db`, `sent` (per test
            source), `bob_noise`, `bob_csi`, `eve_noise`, `cleaned` (per transmission and test
            source), all `.npy`; `receiver.tflite`, `eve.tflite`; `facts.json`, what the manifest
            says of the modules.

    Raises:
        ArnError: if run directory, data or modules cannot be used.
    """
    bundle, handover = pathlib.Path(bundle), pathlib.Path(handover)
    problem = SavedRun.read(run_dir).problem(data_dir)
    from arn_keras.pair import haar, rotation  # noqa: F401  layers that keyed modules are made of
    from arn_keras.pair.film import csi_range
    from arn_keras.run import channels
    from arn_keras.run.directory import load_models
    from arn_keras.training.algorithm_1 import stage_seed

    config, dataset = problem.config, problem.dataset
    stages = pair["public"], "keyed" if pair["is_keyed"] else None
    ends = Ends(*(stage and load_models(run_dir, stage, *ROLES) for stage in stages))

    def seed(purpose):
        return stage_seed(config.seed, f"bundle/{purpose}")

    def drawn_snr_db(purpose, sources):
        rng = np.random.default_rng(seed(purpose))
        return rng.uniform(*config.snr_db, size=sources).astype(np.float32)

    def heard(sent, snr_db, draw, listener):
        return _heard(sent, problem.channels[f"{listener}_channel"], snr_db, seed(draw))

    chosen = np.random.default_rng(seed("calibration")).permutation(len(dataset.train))
    signal = problem.transmit(dataset.train.part(np.sort(chosen[:CALIBRATION_SIGNALS])))
    keys = ends.draw_keys(seed("calibration keys"))
    snr_db = drawn_snr_db("calibration SNR", len(signal))
    sent = ends.protect(signal, keys, snr_db)
    noise, csi = heard(sent, snr_db, "calibration", "bob")
    calibration = signal, ends.unkey(sent + noise, keys)
    levels = {"snr_db": snr_db, "csi": csi}
    ranges = {"snr_db": config.snr_db, "csi": csi_range(*config.snr_db)}
    modules = write_modules(bundle, ends, pair["precisions"], calibration, levels, ranges)
    facts = {"dataset": dataset.name, "task": problem.scenario.task(dataset), **modules}
    facts |= {"pauses": problem.scenario.pauses, "air": channels.fields(config)}
    (handover / "facts.json").write_text(json.dumps(facts))
    target = np.asarray(dataset.targets(dataset.test.part(slice(1))))
    sources, draws = proof_size(len(dataset.test), target.nbytes, signal[0].size)
    test = dataset.test.part(slice(sources))
    signal = problem.transmit(test)
    keys, snr_db = ends.draw_keys(seed("keys")), drawn_snr_db("SNR", len(signal))
    sent = ends.protect(signal, keys, snr_db)
    eve = next(iter(problem.scenario.judges.values()))
    at_bob = [heard(sent, snr_db, f"bob/{draw}", "bob") for draw in range(draws)]
    write_handover(
        handover,
        ends,
        (problem.receiver, problem.classifier(eve)),
        keys=keys,
        snr_db=snr_db,
        target=np.asarray(dataset.targets(test)),
        label=test.label,
        signal=signal,
        sent=sent,
        bob_noise=np.stack([noise for noise, _ in at_bob]),
        bob_csi=np.stack([csi for _, csi in at_bob]),
        eve_noise=np.stack([heard(sent, snr_db, f"eve/{draw}", "eve")[0] for draw in range(draws)]),
    )


def proof_size(sources, target_bytes, symbols):
    """(test sources that the proof measures on, how often each is sent), within `PROOF_BYTES`."""
    once = target_bytes + 4 * 2 * symbols  # the signal and what is sent
    sending = 4 * 3 * symbols  # Bob's and Eve's noise, and what is cleaned
    sources = max(1, min(sources, PROOF_BYTES // (once + sending)))
    draws = min(math.ceil(PROOF_SIGNALS / sources), (PROOF_BYTES // sources - once) // sending)
    return sources, max(1, draws)


def write_modules(bundle, ends, precisions, calibration, levels=None, ranges=None):
    """Writes the `.tflite` files of a bundle; what the manifest says of them.

    Args:
        bundle: its directory.
        ends: `Ends`; keyed modules are converted to float32 alone.
        precisions: of the ARNs.
        calibration: signals that the transmitter ARN is given, and that the receiver ARN is.
        levels: {name: of each of them}, of what an ARN may be told.
        ranges: {name: (low, high) that it may be told}.

    Returns:
        {"modules": of the ARNs, for each role and precision; "keyed": for each role, if any}.
    """
    from arn_keras.export.litert import convert, convert_all
    from arn_keras.pair.told import signal_input, told_inputs

    facts = {"modules": {}}
    for role, arn, given in zip(ROLES, ends.arns or (), calibration, strict=bool(ends.arns)):
        if arn.inputs[0] is not signal_input(arn):  # a device gives it the signal first
            got = arn.inputs[0].name
            raise ExportError(f"{role}_arn: expected the signal as its first input, got {got!r}")
        told = {name: list(ranges[name]) for name in told_inputs(arn)}
        if len(told) > 1:
            names = " and ".join(told)
            raise ExportError(f"{role}_arn: expected a module that is told one thing, got {names}")
        given = [given, *(levels[name][:, np.newaxis] for name in told)] if told else given
        facts["modules"][role] = {
            precision: _write(bundle, f"{role}_arn.{precision}", arn, model, precision) | told
            for precision, model in convert_all(arn, precisions, given).items()
        }
    if ends.keyed:
        facts["keyed"] = {
            role: _write(bundle, f"{role}_keyed.float32", module, convert(module, "float32"))
            | _key_facts(module)
            for role, module in zip(ROLES, ends.keyed, strict=True)
        }
    return facts


def _key_facts(module):
    from arn_keras.pair.keyed import key_input, rotation_of

    given = key_input(module)
    return {
        "rotation": rotation_of(module).name,
        "key_input": given.name,
        "key_shape": list(given.shape[1:]),
    }


def _write(bundle, name, module, model, precision="float32"):
    from arn_keras.export.litert import facts, output_names

    (bundle / f"{name}.tflite").write_bytes(model)
    return {
        "file": f"{name}.tflite",
        "input": module.inputs[0].name,
        "output": output_names(module)[0],
        "signal_shape": list(module.inputs[0].shape[1:]),
        "dtype": answer(PRECISIONS, precision).ends,
        **facts(model),
    }


def write_handover(handover, ends, observers, *, keys, snr_db, **arrays):
    """Writes what the proof needs: the arrays, and what Keras makes of them.

    Args:
        handover: directory for them.
        ends: `Ends`.
        observers: (semantic receiver, Eve), Keras models.
        keys: of the test sources, `Ends.draw_keys`.
        snr_db: of each test source, array.
        arrays: `target`, `label`, `signal`, `sent`, and for each transmission `bob_noise`,
            `bob_csi` and `eve_noise`.
    """
    from arn_keras.export.litert import convert

    for name, model in zip(("receiver", "eve"), observers, strict=True):
        try:
            (handover / f"{name}.tflite").write_bytes(convert(model, "float32"))
        except ExportError as error:
            raise ExportError(f"the proof's {name}, {error}") from None
    draws = zip(arrays["bob_noise"], arrays["bob_csi"], strict=True)
    cleaned = [ends.clean(arrays["sent"] + noise, keys, snr_db, csi) for noise, csi in draws]
    arrays |= {"keys": keys, "snr_db": snr_db, "cleaned": np.stack(cleaned)}
    for name, array in arrays.items():
        np.save(handover / f"{name}.npy", array)


def _heard(sent, channel, snr_db, seed):
    """What a channel adds to a signal, z_hat - z, at the SNR of each source; and the csi of each.

    What a module on a device sends differs from `sent` by its precision alone, so that this is what
    the channel adds to that too.
    """
    import tensorflow as tf

    from arn_keras.channel.listener import ear

    heard, csi = ear(channel, seed, "channel").hear(tf.constant(sent), snr_db=tf.constant(snr_db))
    return heard.numpy() - sent, csi.numpy()


if __name__ == "__main__":
    own_process()
    try:
        load_plugins()
        convert_run(**json.loads(sys.argv[1]))
    except (ArnError, OSError) as error:
        room = "expected room for the modules and what proves them: " * isinstance(error, OSError)
        print(f"{room}{error}", file=sys.stderr)
        raise SystemExit(2) from None
