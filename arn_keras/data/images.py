"""The sources s of Eq. (4) and the private labels of Eq. (14): image classification data sets.

The letter uses MNIST. Any image classification set of TensorFlow Datasets may stand in for it, or a
user's own arrays; scikit-learn's 1,797 digits are what can always be had without a network.
"""

import contextlib
import os
from dataclasses import replace

import numpy as np

from arn_keras.backend import quiet_tensorflow
from arn_keras.data import find, store
from arn_keras.data.dataset import Dataset, Split
from arn_keras.data.decode import PreparedImages, to_uint8
from arn_keras.errors import DataError

WAYS_OUT = (
    "either prepare it with TensorFlow Datasets and pass --data-dir or set TFDS_DATA_DIR, "
    "or connect to the network, or use --dataset digits"
)


def check_arrays(images, labels, classes):
    """A split from a user's own arrays, if they are what the links can be trained on.

    Args:
        images: uint8, uint16 (65535 is 1), bool, or float in [0, 1]; [n, h, w] or [n, h, w, c].
        labels: integers from 0 to classes - 1, [n].
        classes: number of labels.

    Raises:
        DataError: if they are not.
    """
    images, labels = np.asanyarray(images), np.asanyarray(labels)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or 0 in images.shape:
        raise DataError(f"expected images [n, h, w, c], got the shape {list(images.shape)}")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"expected {len(images)} integer labels, one an image, "
            f"got {labels.dtype} of the shape {list(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"expected labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}"
        )
    if images.dtype not in (np.uint8, np.uint16, np.bool_) and images.dtype.kind != "f":
        raise DataError(f"expected images of uint8, uint16, bool or float, got {images.dtype}")
    # Written so that a NaN, which no comparison holds for, is refused too.
    if images.dtype.kind == "f" and not (images.min() >= 0 and images.max() <= 1):
        raise DataError(
            f"expected float images in [0, 1], got {images.min():g} to {images.max():g}"
        )
    return Split(to_uint8(images, 0, 65535 if images.dtype == np.uint16 else 1), labels)


def load(name="auto", data_dir=None, limit=None):
    """Loads a data set; decides within 10 s whether that needs, and has, a network.

    Args:
        name: `auto`: MNIST where it is prepared or can be downloaded, else the digits (and a note
            says so). `digits`: the 1,797 digits of 8x8 pixels of scikit-learn. Else an image
            classification set of TensorFlow Datasets, NAME[/CONFIG][:VERSION], never replaced.
        data_dir: folder of prepared data sets; by default $TFDS_DATA_DIR, else
            ~/tensorflow_datasets.
        limit: number of training sources to use, from the first; None for all.

    Returns:
        Dataset.

    Raises:
        DataError: if the set cannot be had or used.
    """
    if limit is not None and (not isinstance(limit, int | np.integer) or limit < 1):
        raise DataError(f"expected a limit of at least 1 training source, got {limit!r}")
    if name == "digits":
        dataset = _digits()
    elif name == "auto":
        try:
            dataset = _prepared("mnist", data_dir)
        except DataError as error:
            note = f"{error}: scikit-learn's 1,797 digits of 8x8 pixels are used instead"
            dataset = replace(_digits(), notes=(note,))
    else:
        try:
            dataset = _prepared(name, data_dir)
        except _NotPreparedError as error:
            raise DataError(f"{error}; {WAYS_OUT}") from error
    return replace(dataset, train=dataset.train.part(slice(limit)))


class _NotPreparedError(DataError):
    """The set is not on this machine, and cannot be downloaded."""


def _digits():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    train, test = train_test_split(
        np.arange(len(digits.target)), test_size=0.2, random_state=0, stratify=digits.target
    )
    images = digits.images / 16.0
    train, test = (
        check_arrays(images[chosen], digits.target[chosen], 10)
        for chosen in (np.sort(train), np.sort(test))
    )
    return Dataset("digits", train, test, 10, preprocessing="unit_interval")


def _prepared(name, data_dir):
    return read_prepared(name, data_dir, _read)


def read_prepared(name, data_dir, read):
    """What a function (name, folder) makes of a prepared set, downloaded first if need be.

    Args:
        name: NAME[/CONFIG][:VERSION] of TensorFlow Datasets.
        data_dir: folder of prepared data sets, or None for the default.
        read: what it raises as ValueError or OSError is told the user.

    Raises:
        DataError: if the set cannot be had or read.
    """
    data_dir = os.path.expanduser(data_dir or find.default_data_dir())
    try:
        return read(name, find.find(name, data_dir) or _download(name, data_dir))
    except _NotPreparedError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"data set {name} in {data_dir}: {error}") from error


def _download(name, data_dir):
    base = find.parse_name(name)[0]
    missing = f"{name} is not prepared in {data_dir}"
    why_not = find.start_probe()
    known = find.known_names()
    if base not in known:
        import difflib

        near = difflib.get_close_matches(base.lower(), known, n=1)
        hint = f", nor {base} a TensorFlow Datasets name"
        hint += f" (did you mean {near[0]}?)" if near else ""
        raise _NotPreparedError(missing + hint)
    reason = why_not()
    if reason:
        raise _NotPreparedError(f"{missing}, and {reason}")
    with quiet_tensorflow():
        try:
            return find.download_and_prepare(name, data_dir)
        except ValueError as error:
            raise _NotPreparedError(f"{missing}, and {error}") from error


def _read(name, folder):
    """The set of a folder: from the cache, or decoded and, where possible, left in the cache."""
    try:
        entry = store.folder() / f"{find.parse_name(name)[0]}-{find.fingerprint(folder)}"
    except RuntimeError:
        entry = None
    found = store.fetch(entry) if entry else None
    if found is None:
        with quiet_tensorflow():
            images = PreparedImages(folder)
            facts = {name: getattr(images, name) for name in ("classes", "label_names", "notes")}
            if entry:
                with contextlib.suppress(OSError):
                    store.store(entry, images.layout, images.parts(), facts)
                found = store.fetch(entry)
            if found is None:
                found = store.collect(images.layout, images.parts()), facts
    arrays, facts = found
    return Dataset(
        name,
        *(
            check_arrays(arrays[f"{split}_images"], arrays[f"{split}_labels"], facts["classes"])
            for split in ("train", "test")
        ),
        facts["classes"],
        tuple(facts["notes"]),
        "unit_interval",
        label_names=tuple(facts["label_names"]),
    )
