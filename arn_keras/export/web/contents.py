"""What the page runs on: models, real test pictures, and what Python says of some of them.

The pair's modules are the bundle's own float32 files, byte for byte. Written are, beside the
models, `page.json` (last: a directory with it is whole), `pictures.bin` (8-bit pictures, one after
another, which stand for what the transmitter takes) and `check.json` (fixed noise and keys, and
Keras's figures under them). Signals of any shape are sent; the page draws their symbols in a row.
"""

import base64
import json
import math
from typing import Any, NamedTuple

import numpy as np

from arn_keras.export import runtime
from arn_keras.export.web.pictures import write_pictures
from arn_keras.files import atomic_file, write_json
from arn_keras.pair import ROTATIONS
from arn_keras.pair.key_schedule import keystream_bytes, unfolded
from arn_keras.power import noise_variance, ratio_to_db
from arn_keras.rooms import answer


class Models(NamedTuple):
    """The Keras models of a run.

    Attributes:
        transmitter, receiver: the link.
        eves: frozen eavesdroppers, {"frozen": the first, "frozen_2": ...}.
        pair: (transmitter ARN, receiver ARN).
    """

    transmitter: Any
    receiver: Any
    eves: dict
    pair: tuple


def write_models(out, models, overheard, bundle):
    """Writes every model as a float32 `.tflite` file of batch 1.

    Args:
        out: the page's directory.
        models: `Models`.
        overheard: {protection: `eavesdroppers.Overheard`}.
        bundle: directory of the run's bundle.

    Returns:
        {name of the model in the page: file}.

    Raises:
        ExportError, runtime.BundleError: if a model cannot be converted, or the bundle not be read.
    """
    from arn_keras.export.litert import convert

    shape, rotation = models.pair[0].input_shape[1:], rotation_of(overheard)
    picture = models.receiver.compute_output_shape((1, *shape))
    converted = {
        "transmitter": _fixed(models.transmitter, picture),
        "receiver": _fixed(models.receiver, (1, *shape)),
        **{model_name(name): _fixed(eve, (1, *shape)) for name, eve in models.eves.items()},
        "transmitter_keyed": rotation.build_transmitter(shape),
        "receiver_keyed": rotation.build_receiver(shape),
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


def rotation_of(overheard):
    """The `pair.keyed.Rotation` of the keyed pair, as its ends draw it: for each message alone."""
    return answer(ROTATIONS, overheard["keyed"].protection.rotation.name)


def model_name(eve):
    """Name of a frozen eavesdropper's model in the page: "eve", "eve_2", ..."""
    return eve.replace("frozen", "eve")


def _fixed(model, shape):
    """The model with an input of this shape, batch aside, where its own leaves sizes open."""
    if None not in model.input_shape[1:]:
        return model
    import keras

    source = keras.Input(shape[1:], name=model.inputs[0].name)
    return keras.Model(source, model(source, training=False), name=model.name)


def check(models, overheard, pictures, shown, *, snr_db, seed):
    """Keras's figures of the shown pictures under fixed noise and keys, for the page to repeat.

    Args:
        models: `Models`.
        overheard: {protection: `eavesdroppers.Overheard`}.
        pictures: `Pictures`.
        shown: numbers of the pictures.
        snr_db: SNR in dB.
        seed: integer seed of noise and keys.

    Returns:
        `check.json`: `pictures`, `bob_noise` and `eve_noise` (of variance 1, one row a picture),
        `keystreams` (of the keyed pair, base64), and `expected`, {protection: {"mse", "frozen",
        ..., "retrained"}}: Bob's squared error, and the probabilities each Eve gives the labels,
        one row a picture.
    """
    from keras import ops

    images = pictures.sources()[list(shown)]
    signal = models.transmitter(images, training=False)
    generator = np.random.default_rng(seed)
    bob_noise, eve_noise = generator.normal(size=(2, *signal.shape)).astype("float32")
    deviation = float(np.sqrt(noise_variance(snr_db)))
    expected, shape, rotation = {}, signal.shape[1:], rotation_of(overheard)
    key = rotation.key_input, rotation.key_shape(math.prod(shape))
    keystreams = [generator.bytes(keystream_bytes(*key)) for _ in shown]
    keys = ops.convert_to_tensor(np.stack([unfolded(each, *key) for each in keystreams]))
    alice, bob = rotation.build_transmitter(shape), rotation.build_receiver(shape)
    for name, heard in overheard.items():
        sent = signal
        if heard.protection.transmitter_arn is not None:
            sent = heard.protection.transmitter_arn(signal, training=False)
        if heard.protection.rotation:
            sent = alice([sent, keys], training=False)
            cleaned = bob([sent + deviation * bob_noise, keys], training=False)
        else:
            cleaned = heard.protection.clean(sent + deviation * bob_noise)
        error = np.square(models.receiver(cleaned, training=False) - images)
        overheard_signal = sent + deviation * eve_noise
        expected[name] = {
            "mse": error.reshape(len(images), -1).mean(axis=1).tolist(),
            **{
                eve: np.asarray(ops.softmax(classifier(overheard_signal, training=False))).tolist()
                for eve, classifier in heard.eves.items()
            },
        }
    return {
        "pictures": list(shown),
        "bob_noise": bob_noise.reshape(len(images), -1).tolist(),
        "eve_noise": eve_noise.reshape(len(images), -1).tolist(),
        "keystreams": [base64.b64encode(each).decode() for each in keystreams],
        "expected": expected,
    }


def write(out, *, models, overheard, dataset, bundle, seed, facts):
    """Writes all that the page loads.

    Args:
        out: its directory, which exists.
        models: `Models`.
        overheard: {protection: `eavesdroppers.Overheard`}.
        dataset: `data.images.Dataset`.
        bundle: directory of the run's bundle.
        seed: integer seed of the check's noise and keys.
        facts: further fields of `page.json`; `snr_db` among them.
    """
    (out / "page.json").unlink(missing_ok=True)
    files = write_models(out, models, overheard, bundle)
    pictures, described = write_pictures(out, dataset)
    checked = check(
        models, overheard, pictures, described["shown"], snr_db=facts["snr_db"], seed=seed
    )
    with atomic_file(out / "check.json") as temporary:
        temporary.write_text(json.dumps(checked, allow_nan=False))
    measured = {name: dict(heard.measured) for name, heard in overheard.items()}
    power = measured["arn"]["perturbation_power"]
    write_json(
        out / "page.json",
        {
            **facts,
            **described,
            "eves": [*models.eves, "retrained"],
            "sources": len(dataset.test),
            "symbols": math.prod(models.pair[0].input_shape[1:]),
            "rotation": rotation_of(overheard).name,
            "rounds": rotation_of(overheard).rounds,
            "measured_psr_db": ratio_to_db(power) if power else None,
            "measured": measured,
            "models": files,
        },
    )


def trained(run_dir, knowledge, judges):
    """The models of a run.

    Args:
        run_dir: its directory.
        knowledge: the pair's, "white" or "black".
        judges: stages of the run's frozen eavesdroppers under their names, as `Scenario.judges`.

    Raises:
        RunDirError: if one is missing or damaged.
    """
    from arn_keras.run.directory import load_models

    eves = [load_models(run_dir, stage, "classifier")[0] for stage in judges.values()]
    names = ["frozen", *(f"frozen_{n}" for n in range(2, len(eves) + 1))]
    pair = load_models(run_dir, f"arn/{knowledge}", *runtime.ROLES)
    transmitter, receiver = load_models(run_dir, "link", "transmitter", "receiver")
    return Models(transmitter, receiver, dict(zip(names, eves, strict=True)), tuple(pair))
