"""A user's own data: two `.npz` files with the arrays `source`, `label` and, if need be, `target`.

A transmitter of several inputs has `source/NAME` for each of them in the place of `source`. Files
are read without pickle, so they run no code.
"""

import pathlib

import numpy as np

from arn_keras.data.dataset import Dataset, Split
from arn_keras.errors import DataError
from arn_keras.machine.files import memory_bytes, read_arrays

_PREFIX = "source/"
#: Labels that a classifier may tell apart; a number beyond is taken for no label.
MOST_LABELS = 1 << 16


def load(train, test, *, name, preprocessing, limit=None):
    """The data set of two files.

    Args:
        train, test: paths.
        name: what the set is called.
        preprocessing: name in `data.PREPROCESSING`, or None: then sources of 8 bits are refused,
            since nobody but their owner knows whether the transmitter scales them itself.
        limit: number of training sources to use, from the first; None for all.

    Raises:
        DataError: if a file is not what it should be.
    """
    splits = [read(path) for path in (train, test)]
    classes = 1 + max(int(split.label.max()) for split in splits)
    for field in ("source", "target"):
        shapes = [_shapes(getattr(split, field)) for split in splits]
        if shapes[0] != shapes[1]:
            raise DataError(f"{test}: expected {field} as in {train}, {shapes[0]}, got {shapes[1]}")
    stored = splits[0].source
    kinds = {
        str(array.dtype) for array in (stored.values() if isinstance(stored, dict) else [stored])
    }
    if preprocessing is None and "uint8" in kinds:
        raise DataError(
            f"{train}: expected --preprocessing unit_interval (scaled to [0, 1]) or none (given to "
            "the transmitter as they are) for sources of 8 bits"
        )
    scaled = {"uint8"} if preprocessing == "unit_interval" else set()
    unfit = sorted(kind for kind in kinds - scaled if np.dtype(kind).kind != "f")
    if unfit and splits[0].target is None:
        raise DataError(
            f"{train}: expected sources of floats, 8 bits with --preprocessing unit_interval, or "
            f"the array target, what Bob is to recover, got {unfit[0]} without"
        )
    return Dataset(
        name,
        splits[0].part(slice(limit)),
        splits[1],
        classes,
        preprocessing=preprocessing or "none",
    )


def read(path):
    """The split of one file.

    Raises:
        DataError: if it is no such file, or an array in it cannot be used.
    """
    arrays = stored(path)
    several = {k.removeprefix(_PREFIX): v for k, v in arrays.items() if k.startswith(_PREFIX)}
    foreign = sorted(set(arrays) - {"source", "label", "target"} - {_PREFIX + k for k in several})
    if foreign:
        raise DataError(f"{path}: expected source, label, target, got {', '.join(foreign)}")
    if "label" not in arrays or ("source" in arrays) == bool(several):
        raise DataError(
            f"{path}: expected the arrays source (or source/NAME for each input of the "
            f"transmitter) and label, got {', '.join(sorted(arrays)) or 'none'}"
        )
    label, target = class_numbers(path, "label", arrays["label"]), arrays.get("target")
    if target is None and several:
        raise DataError(f"{path}: expected the array target, what Bob recovers of several inputs")
    for name, array in arrays.items():
        if array.shape[:1] != label.shape:
            raise DataError(
                f"{path}: expected {len(label)} rows of {name}, one a label, got {[*array.shape]}"
            )
        if array.dtype.kind not in "iufb" or not array.size:
            raise DataError(
                f"{path}: expected numbers in {name}, got {array.dtype} {[*array.shape]}"
            )
        if array.dtype.kind == "f" and not np.isfinite([array.min(), array.max()]).all():
            raise DataError(f"{path}: expected finite numbers in {name}, got NaN or infinity")
    if target is not None and target.dtype.kind in "iu" and target[0].size == 1:
        target = class_numbers(path, "target", target)
    return Split(several or arrays["source"], label, target)


def class_numbers(path, name, array):
    """Labels of a file's array, [n] or [n, 1], as int64 [n].

    Raises:
        DataError: if they are no integers from 0.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        raise DataError(
            f"{path}: expected integers [n] in {name}, got {array.dtype} {[*array.shape]}"
        )
    for number in (array.min(), array.max()):
        if not 0 <= number < MOST_LABELS:
            raise DataError(f"{path}: expected {name} from 0 to {MOST_LABELS - 1}, got {number}")
    return array.astype(np.int64)


def write(path, split):
    """Writes a split as such a file."""
    source = split.source
    several = isinstance(source, dict)
    arrays = {_PREFIX + k: v for k, v in source.items()} if several else {"source": source}
    arrays["label"] = split.label
    if split.target is not None:
        arrays["target"] = split.target
    with open(path, "wb") as stream:
        np.savez(stream, **arrays)


def stored(path):
    """All arrays of an `.npz` file, {name: array}.

    Raises:
        DataError: if it is none, or holds what is no array of numbers or text.
    """
    if not pathlib.Path(path).exists():
        raise DataError(f"{path}: expected an .npz file, found none")
    return read_arrays(path, DataError, memory_bytes())


def _shapes(nest):
    if isinstance(nest, dict):
        return {name: array.shape[1:] for name, array in nest.items()}
    return None if nest is None else nest.shape[1:]
