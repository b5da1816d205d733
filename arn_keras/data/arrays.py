"""A user's own data: two `.npz` files with the arrays `source`, `label` and, if need be, `target`.

A transmitter of several inputs has `source/NAME` for each of them in the place of `source`. Files
are read without pickle, so they run no code.
"""

import dataclasses
import pathlib

import numpy as np

from arn_keras.data.dataset import Dataset, Split
from arn_keras.errors import DataError
from arn_keras.machine.files import memory_bytes, read_arrays

_PREFIX = "source/"
_KINDS = {"f": "floats", "i": "integers", "u": "integers", "b": "booleans"}
_LARGEST = np.finfo(np.float32).max  # what is computed in has nothing beyond
#: By how much test values may be larger than those trained on: beyond, the unit is another.
_BEYOND = 10
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
        _check_alike(field, [getattr(split, field) for split in splits], train, test)
    stored = _named(splits[0].source).values()
    kinds = {str(array.dtype) for array in stored}
    if preprocessing is None and "uint8" in kinds:
        raise DataError(
            f"{train}: expected --preprocessing unit_interval (scaled to [0, 1]) or none (given to "
            "the transmitter as they are) for sources of 8 bits"
        )
    scaled = {"uint8"} if preprocessing == "unit_interval" else set()
    floats = [array for array in stored if array.dtype.kind == "f"]
    if scaled and any(array.min() < 0 or array.max() > 1 for array in floats):
        raise DataError(
            f"{train}: expected sources of 8 bits for --preprocessing unit_interval, which leaves "
            "floats as they are, got floats outside [0, 1]"
        )
    unfit = sorted(kind for kind in kinds - scaled if np.dtype(kind).kind != "f")
    if unfit and splits[0].target is None:
        raise DataError(
            f"{train}: expected sources of floats, 8 bits with --preprocessing unit_interval, or "
            f"the array target, what Bob is to recover, got {unfit[0]} without"
        )
    found = Dataset(
        name,
        splits[0].part(slice(limit)),
        splits[1],
        classes,
        preprocessing=preprocessing or "none",
    )
    return dataclasses.replace(found, notes=_unheard_of(found, test))


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
        if array.dtype.kind == "f" and not np.abs([array.min(), array.max()]).max() <= _LARGEST:
            raise DataError(f"{path}: expected finite numbers in {name}, got NaN or infinity")
    if target is not None and target.dtype.kind in "iu" and target[0].size == 1:
        target = class_numbers(path, "target", target)
    elif target is not None and target.dtype.kind != "f":
        raise DataError(
            f"{path}: expected floats in target, or class numbers [n], got {target.dtype} "
            f"{[*target.shape]}"
        )
    if target is not None and target.dtype.kind == "f" and target.ndim == 1:
        target = target[:, np.newaxis]  # one number a source is what a receiver gives as [n, 1]
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


def _named(nest):
    """A nest as a dictionary."""
    return nest if isinstance(nest, dict) else {} if nest is None else {"": nest}


def _check_alike(field, nests, train, test):
    """Refuses a test file whose arrays are of another shape, kind or scale than those trained on.

    Raises:
        DataError: with what is expected and what is there.
    """
    shapes, kinds = (
        [{name: of(array) for name, array in _named(nest).items()} for nest in nests]
        for of in (lambda array: array.shape[1:], _kind)
    )
    for what in (shapes, kinds):
        wanted, got = (each.get("", each or None) for each in what)
        if wanted != got:
            raise DataError(f"{test}: expected {field} as in {train}, {wanted}, got {got}")
    for name, array in _named(nests[0]).items():
        largest, found = (_largest(each) for each in (array, _named(nests[1])[name]))
        if array.dtype.kind == "f" and found > _BEYOND * largest:
            raise DataError(
                f"{test}: expected {field} of the scale in {train}, up to {largest:g}, got up to "
                f"{found:g}"
            )


def _kind(array):
    return "8 bits" if array.dtype == np.uint8 else _KINDS[array.dtype.kind]


def _largest(array):
    return max(abs(float(array.min())), abs(float(array.max())))


def _unheard_of(dataset, path):
    """A note on test labels that no training source has, where there are any.

    Raises:
        DataError: where none has one that is trained on.
    """
    known = np.isin(dataset.test.label, dataset.train.label)
    if not known.any():
        raise DataError(f"{path}: expected labels of the training file's, got none of them")
    share = 1 - known.mean()
    note = f"{share:.1%} of the test labels are of no training source: no Eve can name them"
    return (note,) if share else ()
