"""A link that was trained with `SecureLink.fit` as a run directory, which every command takes."""

import contextlib
import os
import shutil
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from arn_keras.data import PREPROCESSING, arrays
from arn_keras.data.dataset import Split
from arn_keras.errors import DataError, ModelError, RunDirError
from arn_keras.loss.composite import PRIVACY_LOSSES
from arn_keras.machine import models
from arn_keras.pair.told import told_inputs
from arn_keras.rooms import answer
from arn_keras.run.channels import options_of
from arn_keras.run.config import Config
from arn_keras.run.job import Job
from arn_keras.run.saved import path_of
from arn_keras.scenario.own import Own
from arn_keras.training import arrays as whole
from arn_keras.training import given
from arn_keras.training.classes import labels_of, takes_class_numbers
from arn_keras.training.composite_step import inputs, outputs
from arn_keras.training.min_max_link import MinMaxLink
from arn_keras.training.secure_link import SecureLink


def save_run(
    path: str | os.PathLike,
    link: Any,
    *,
    train: Any,
    test: Any,
    name: str = "own",
    say: Callable | None = print,
) -> Any:
    """Writes a run directory of one's own link: its models, its data, its measured rows.

        arn_keras.save_run("runs/mine", secure, train=(x, y), test=(x_test, y_test))
        arn_keras.audit("runs/mine", quick=True)
        arn_keras.export("runs/mine")

    Args:
        path: directory, new or empty.
        link: `SecureLink` after `fit`; its pair counts as of white-box knowledge, since it was
            trained against the link's own eavesdroppers. Its channels, its `keep_power`, its
            privacy loss if a run has it, and what the modules are told are the run's.
            Rivals of a `MinMaxLink` have learned what the pair sends, so none of them is the Eve
            of "before": one is trained, on the unprotected signals.
        train, test: (x, y) as `fit` takes them, arrays: y the private labels, or
            {"label": labels, "target": what Bob recovers}.
        name: what the data are called.
        say: called with each line for the user.

    Returns:
        The directory, a `pathlib.Path`.

    Raises:
        ArnError: if link and data cannot be used, or the directory not be written.
    """
    if not isinstance(link, SecureLink):
        raise ModelError(f"expected a SecureLink, got {type(link).__name__}")
    if link.pauses:
        raise ModelError("expected a link without pauses: no run of one's own has them")
    low, high = np.asarray(link.snr_range_db, float).tolist()
    splits = {"train": _split("train", train, link), "test": _split("test", test, link)}
    air, preprocessing = options_of(link), _name(link.preprocessing)
    if preprocessing == "unit_interval" and not _has_8_bits(splits["train"].source):
        preprocessing = "none"  # which is what it does with floats
    eves = () if isinstance(link, MinMaxLink) else link.eavesdroppers
    pair = {"transmitter_arn": link.transmitter_arn, "receiver_arn": link.receiver_arn}
    told = {name for each in pair.values() for name in told_inputs(each)}
    path = path_of(path)
    with _given(path) as folder:
        files = {"transmitter": link.transmitter, "receiver": link.receiver, **pair}
        files |= {f"eve_{n}": eve for n, eve in enumerate(eves)}
        for file, model in files.items():
            _write(folder / f"{file}.keras", file, model)
        for name_of, split in splits.items():
            arrays.write(folder / f"{name_of}.npz", split)
        own = Own(
            transmitter=str(folder / "transmitter.keras"),
            receiver=str(folder / "receiver.keras"),
            eve=tuple(str(folder / f"eve_{n}.keras") for n in range(len(eves))),
            data=tuple(str(folder / f"{split}.npz") for split in ("train", "test")),
            preprocessing=preprocessing,
        )
        config = Config(
            scenario="own",
            dataset=name,
            run_dir=str(path),
            snr_db=(low, high),
            psr_db=float(np.asarray(link.psr_db)),
            knowledge="white",
            privacy_loss=_privacy(link),
            snr_aware="snr_db" in told and low < high,
            csi_aware="csi" in told,
            keep_power=bool(link.keep_power),
            **air,
            problem=own,
        )
        with Job(config, own.dataset(name, None, None), say or (lambda line: None)) as job:
            job.keep("arn/white", job.problem.trained_modules(link))
            job.results()
            job.picture()
    return path


@contextlib.contextmanager
def _given(path):
    """A folder in the run directory for what it is made of; that of a killed call goes first."""
    folder = path / ".given"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunDirError(f"{path}: expected a writable directory: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(file, name, model):
    """Writes a part of the link, and refuses one whose file nobody could read again."""
    try:
        model.save(file)
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        reason = " ".join(str(error).strip().partition("\n\n")[0].split())
        raise ModelError(
            f"expected {name} that a .keras file holds, got {type(model).__name__}: {reason}"
        ) from None
    models.load(file, lambda words: ModelError(words.partition(": ")[2]), f"{name} of a file")


def _split(name, data, link):
    """What `fit` was given, as the scenario of one's own keeps it."""
    if not isinstance(data, list | tuple) or len(data) != 2:
        raise DataError(f"expected {name}=(x, y), two arrays, got {type(data).__name__}")
    x, y = whole.sources(data[0]), outputs(whole.as_arrays(data[1]))
    source = inputs(x)["source"] if isinstance(x, dict) and "source" in x else x
    if not whole.is_numpy((source, y)):
        raise DataError(f"expected arrays of sources and labels as {name}, got others")
    few = keras.tree.map_structure(lambda array: tf.convert_to_tensor(array[:2]), source)
    wanted = tuple(link.signals({"source": given.real(few)}).estimate.shape[1:])
    labels = labels_of(y["label"], link.classes)
    return Split(source, labels.astype("int64"), _target(y.get("target"), link, wanted))


def _has_8_bits(source):
    return any(array.dtype == np.uint8 for array in keras.tree.flatten(source))


def _target(target, link, wanted):
    """What Bob recovers, as `fit` compares it: class numbers as such, [n] where he gives [n, 1]."""
    if target is None:
        return None
    if takes_class_numbers(getattr(link, "task_loss", None)):
        return target.astype("int64")
    one_shape = target.shape[1:] == (*wanted, 1) or wanted == (*target.shape[1:], 1)
    return target.reshape(len(target), *wanted) if one_shape else target


def _privacy(link):
    """The name of a link's third term; the letter's for one that no run has."""
    given = getattr(link, "privacy_loss", None)
    return next((name for name, term in PRIVACY_LOSSES.items() if term is given), "confidence")


def _name(preprocessing):
    """The name of what a link does with its sources first."""
    for name in PREPROCESSING:
        if answer(PREPROCESSING, name) is preprocessing:
            return name
    raise ModelError(
        f"expected a preprocessing of {', '.join(PREPROCESSING)}, got {preprocessing}: do it in "
        "the data, or in the transmitter"
    )
