"""What the page runs on: models, real test pictures, and what Python says of some of them.

The pair's modules are the bundle's own float32 files, byte for byte. Written are, beside the
models, `page.json` (last: a directory with it is whole), `pictures.bin` (8-bit pictures, one after
another) and `check.json` (fixed noise and keys, and Keras's figures under them).
"""

import json
from typing import Any, NamedTuple

import numpy as np

from arn_keras.errors import DataError, RunDirError
from arn_keras.export import runtime
from arn_keras.files import atomic_file, write_json
from arn_keras.power import noise_variance, ratio_to_db

#: Pictures that the page sends by itself: the first of the test set, not chosen.
PICTURES = 200
#: Of these, how many of each label are shown to choose from; Python's figures are of these too.
SHOWN = 2


class Models(NamedTuple):
    """The Keras models of a run: link, frozen Eve, and the pair (transmitter ARN, receiver ARN)."""

    transmitter: Any
    receiver: Any
    eve: Any
    pair: tuple


def check_pictures(dataset):
    """Refuses a data set whose pictures nobody can draw.

    Raises:
        DataError: unless they are grey.
    """
    if dataset.source_shape[-1] != 1:
        raise DataError(
            f"{dataset.name}: expected grey pictures, which the page lets a person draw, got "
            f"{dataset.source_shape[-1]} channels"
        )


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
    from arn_keras.pair.rotation import build_receiver_keyed, build_transmitter_keyed

    shape = models.pair[0].input_shape[1:]
    converted = {
        "transmitter": models.transmitter,
        "receiver": models.receiver,
        "eve": models.eve,
        "transmitter_keyed": build_transmitter_keyed(shape),
        "receiver_keyed": build_receiver_keyed(shape),
        **{
            f"eve_{name}": heard.eves["retrained"]
            for name, heard in overheard.items()
            if heard.eves["retrained"] is not models.eve
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


def write_pictures(out, dataset):
    """Writes the pictures and says which there are.

    Returns:
        Fields of `page.json`: `shape`, `labels`, `shown` (numbers of pictures to choose from,
        by label) and `extent` (usual share of a picture's side that its ink takes).
    """
    images = np.asarray(dataset.test.source[:PICTURES])
    labels = np.asarray(dataset.test.label[:PICTURES])
    with atomic_file(out / "pictures.bin") as temporary:
        temporary.write_bytes(images.tobytes())
    shown = [n for c in range(dataset.classes) for n in np.flatnonzero(labels == c)[:SHOWN]]
    return {
        "shape": list(dataset.source_shape[:2]),
        "classes": dataset.classes,
        "labels": labels.tolist(),
        "shown": [int(number) for number in shown],
        "extent": _extent(images),
    }


def check(models, overheard, dataset, shown, *, snr_db, seed):
    """Keras's figures of the shown pictures under fixed noise and keys, for the page to repeat.

    Args:
        models: `Models`.
        overheard: {protection: `eavesdroppers.Overheard`}.
        dataset: `data.images.Dataset`.
        shown: numbers of the pictures.
        snr_db: SNR in dB.
        seed: integer seed of noise and keys.

    Returns:
        `check.json`: `pictures`, `bob_noise` and `eve_noise` (of variance 1, one row a picture),
        `signs`, and `expected`, {protection: {"mse", "frozen", "retrained"}}: Bob's squared error,
        and the probabilities each Eve gives the labels, one row a picture.
    """
    from keras import ops

    images = np.asarray(dataset.targets(dataset.test.part(np.asarray(shown))))
    signal = models.transmitter(images, training=False)
    generator = np.random.default_rng(seed)
    bob_noise, eve_noise = generator.normal(size=(2, *signal.shape)).astype("float32")
    deviation = float(np.sqrt(noise_variance(snr_db)))
    signs, expected = None, {}
    for name, heard in overheard.items():
        sent = signal
        if heard.protection.transmitter_arn is not None:
            sent = heard.protection.transmitter_arn(signal, training=False)
        if heard.protection.rotation:
            keys = heard.protection.keys(signal.shape[1:], seed=seed % 2**31)
            signs = keys.draw(len(images))
            sent = keys.module([sent, signs], training=False)
        cleaned = heard.protection.clean(sent + deviation * bob_noise, signs)
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
        "signs": np.asarray(signs).reshape(len(images), -1).astype(int).tolist(),
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
    pictures = write_pictures(out, dataset)
    checked = check(
        models, overheard, dataset, pictures["shown"], snr_db=facts["snr_db"], seed=seed
    )
    with atomic_file(out / "check.json") as temporary:
        temporary.write_text(json.dumps(checked, allow_nan=False))
    measured = {name: dict(heard.measured) for name, heard in overheard.items()}
    power = measured["arn"]["perturbation_power"]
    write_json(
        out / "page.json",
        {
            **facts,
            **pictures,
            "sources": len(dataset.test),
            "symbols": models.transmitter.output_shape[-1],
            "rounds": overheard["keyed"].protection.rounds,
            "measured_psr_db": ratio_to_db(power) if power else None,
            "measured": measured,
            "models": files,
        },
    )


def trained(run_dir, knowledge):
    """The models of a run.

    Raises:
        RunDirError: if one is missing or damaged.
    """
    from arn_keras.run.directory import load_models

    (eve,) = load_models(run_dir, "eve", "classifier")
    pair = load_models(run_dir, f"arn/{knowledge}", *runtime.ROLES)
    models = Models(*load_models(run_dir, "link", "transmitter", "receiver"), eve, tuple(pair))
    if len(models.transmitter.output_shape) != 2:
        raise RunDirError(f"{run_dir}: expected signals of one axis, as the page draws them")
    return models


def _extent(images):
    """Median over pictures of the longer side of the ink's frame, as a share of the picture's."""
    shares = []
    for image in images[..., 0] >= 128:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        if len(rows):
            shares.append(max(np.ptp(rows) + 1, np.ptp(columns) + 1) / max(image.shape))
    return float(np.median(shares)) if shares else 1.0
