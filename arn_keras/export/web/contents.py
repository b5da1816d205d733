"""What the page runs on: models, real test messages, and what Python says of some of them.

The pair's modules are the bundle's own float32 files, byte for byte. Written are, beside the
models and the messages (`kind`), `page.json` (last: a directory with it is whole) and `check.json`
(fixed noise and keys, and Keras's figures under them). Signals of any shape are sent; the page
draws their symbols in a row.
"""

import base64
import json
import math
from typing import Any, NamedTuple

import numpy as np

from arn_keras.export import runtime
from arn_keras.export.web.kind import write_messages
from arn_keras.machine.files import atomic_file, write_json
from arn_keras.pair.key_schedule import keystream_bytes, unfolded
from arn_keras.pair.keyed import key_input, rotation_of
from arn_keras.power import ratio_to_db


class Models(NamedTuple):
    """The Keras models of a run.

    Attributes:
        transmitter, receiver: the link.
        eves: frozen eavesdroppers, {"frozen": the first, "frozen_2": ...}.
        pair: (transmitter ARN, receiver ARN).
        keyed: (Alice's, Bob's) module of the keyed pair, as its ends draw their keys.
    """

    transmitter: Any
    receiver: Any
    eves: dict
    pair: tuple
    keyed: tuple


def write_models(out, models, overheard, bundle, source_shape):
    """Writes every model as a float32 `.tflite` file of batch 1.

    Args:
        out: the page's directory.
        models: `Models`.
        overheard: {protection: `eavesdroppers.Overheard`}.
        bundle: directory of the run's bundle.
        source_shape: of what the transmitter takes.

    Returns:
        {name of the model in the page: file}.

    Raises:
        ExportError, runtime.BundleError: if a model cannot be converted, or the bundle not be read.
    """
    from arn_keras.export.litert import convert

    shape = models.pair[0].input_shape[1:]
    converted = {
        "transmitter": _fixed(models.transmitter, source_shape),
        "receiver": _fixed(models.receiver, shape),
        **{model_name(name): _fixed(eve, shape) for name, eve in models.eves.items()},
        **{f"{role}_keyed": end for role, end in zip(runtime.ROLES, models.keyed, strict=True)},
        **{
            f"eve_{name}": heard.eves["retrained"]
            for name, heard in overheard.items()
            if heard.eves["retrained"] is not models.eves["frozen"]
        },
    }
    files = {name: convert(model, "float32") for name, model in converted.items()}
    manifest = runtime.read_manifest(bundle)
    for role in runtime.ROLES:
        files[f"{role}_arn"], _ = runtime.read_module(bundle, manifest, role, "float32")
    for name, content in files.items():
        with atomic_file(out / f"{name}.tflite") as temporary:
            temporary.write_bytes(content)
    return {name: f"{name}.tflite" for name in files}


def model_name(eve):
    """Name of a frozen eavesdropper's model in the page: "eve", "eve_2", ..."""
    return eve.replace("frozen", "eve")


def _fixed(model, shape):
    """The model with an input of this shape where its own leaves sizes open."""
    if None not in model.input_shape[1:]:
        return model
    import keras

    source = keras.Input(shape, name=model.inputs[0].name, dtype=model.inputs[0].dtype)
    return keras.Model(source, model(source, training=False), name=model.name)


def check(kind, air, models, overheard, sources, shown, *, snr_db, seed):
    """Keras's figures of the shown messages under fixed noise and keys, for the page to repeat.

    Args:
        kind: `kind.Kind`.
        air: `air.Air`.
        models: `Models`.
        overheard: {protection: `eavesdroppers.Overheard`}.
        sources: what the transmitter takes, of all messages.
        shown: numbers of the messages.
        snr_db: SNR in dB.
        seed: integer seed of noise and keys.

    Returns:
        `check.json`: `shown`, what `air.Drawn` has, `keystreams` (of the keyed pair, base64), and
        `expected`, {protection: {..., "frozen", ..., "retrained"}}: the kind's figures of what Bob
        gets, and the probabilities each Eve gives the labels, one row a message.
    """
    from keras import ops

    chosen = sources[list(shown)]
    signal = models.transmitter(chosen, training=False)
    generator = np.random.default_rng(seed)
    drawn = air.draw(generator, signal.shape)
    alice, bob = models.keyed
    key = key_input(alice).name, tuple(key_input(alice).shape[1:])
    keystreams = [generator.bytes(keystream_bytes(*key)) for _ in shown]
    keys = ops.convert_to_tensor(np.stack([unfolded(each, *key) for each in keystreams]))
    expected = {}
    for name, heard in overheard.items():
        sent = signal
        if heard.protection.transmitter_arn is not None:
            sent = heard.protection.transmitter_arn(signal, training=False)
        if heard.protection.rotation:
            sent = alice([sent, keys], training=False)
            cleaned = bob([air.at_bob(sent, drawn, snr_db), keys], training=False)
        else:
            cleaned = heard.protection.clean(air.at_bob(sent, drawn, snr_db), csi=None)
        overheard_signal = air.at_eve(sent, drawn, snr_db)
        expected[name] = {
            **kind.figures(chosen, np.asarray(models.receiver(cleaned, training=False))),
            **{
                eve: np.asarray(ops.softmax(classifier(overheard_signal, training=False))).tolist()
                for eve, classifier in heard.eves.items()
            },
        }
    return {
        "shown": list(shown),
        **drawn.as_json(),
        "keystreams": [base64.b64encode(each).decode() for each in keystreams],
        "expected": expected,
    }


def write(out, *, kind, air, models, overheard, dataset, bundle, seed, facts):
    """Writes all that the page loads.

    Args:
        out: its directory, which exists.
        kind: `kind.Kind`.
        air: `air.Air`.
        models: `Models`.
        overheard: {protection: `eavesdroppers.Overheard`}.
        dataset: `data.dataset.Dataset`.
        bundle: directory of the run's bundle.
        seed: integer seed of the check's noise and keys.
        facts: further fields of `page.json`; `snr_db` among them.
    """
    (out / "page.json").unlink(missing_ok=True)
    sources, described = write_messages(out, kind, dataset)
    files = write_models(out, models, overheard, bundle, sources.shape[1:])
    levels = {"snr_db": facts["snr_db"], "seed": seed}
    checked = check(kind, air, models, overheard, sources, described["shown"], **levels)
    with atomic_file(out / "check.json") as temporary:
        temporary.write_text(json.dumps(checked, allow_nan=False))
    measured = {name: dict(heard.measured) for name, heard in overheard.items()}
    power = measured["arn"]["perturbation_power"]
    rotation = rotation_of(models.keyed[0])
    write_json(
        out / "page.json",
        {
            **facts,
            **described,
            **air.facts(models.pair[0].input_shape[1:]),
            "eves": [*models.eves, "retrained"],
            "sources": len(dataset.test),
            "symbols": math.prod(models.pair[0].input_shape[1:]),
            "key": {
                "rotation": rotation.name,
                "rounds": rotation.rounds,
                "symbols": key_input(models.keyed[0]).shape[-1],
            },
            "measured_psr_db": ratio_to_db(power) if power else None,
            "measured": measured,
            "models": files,
        },
    )


def trained(run_dir, knowledge, judges, rotation):
    """The models of a run.

    Args:
        run_dir: its directory.
        knowledge: the pair's, "white" or "black".
        judges: stages of the run's frozen eavesdroppers under their names, as `Scenario.judges`.
        rotation: `pair.keyed.Rotation` of the keyed pair.

    Raises:
        RunDirError: if one is missing or damaged.
    """
    from arn_keras.run.directory import load_models

    eves = [load_models(run_dir, stage, "classifier")[0] for stage in judges.values()]
    names = ["frozen", *(f"frozen_{n}" for n in range(2, len(eves) + 1))]
    pair = tuple(load_models(run_dir, f"arn/{knowledge}", *runtime.ROLES))
    transmitter, receiver = load_models(run_dir, "link", "transmitter", "receiver")
    shape = pair[0].input_shape[1:]
    keyed = rotation.build_transmitter(shape), rotation.build_receiver(shape)
    return Models(transmitter, receiver, dict(zip(names, eves, strict=True)), pair, keyed)
