"""A private attribute of pictures, from files beside a set: Bob wants the label, Eve the attribute.

The files are `.npz`, one a split, row by row as the set is read in order: `digit`, the label there,
by which a row is checked, and the attribute, integers from 0. Of MNIST's writers there is `student`
(1: high-school student, 0: census employee), from Yadav and Bottou, *Cold Case: The Lost MNIST
Digits*, NeurIPS 2019, who found NIST's writers behind the pictures again.
"""

import dataclasses

import numpy as np

from arn_keras.data.arrays import class_numbers, stored
from arn_keras.data.dataset import Split
from arn_keras.errors import DataError


def with_attribute(dataset, files, name):
    """The set with an attribute as private label, and its own label as what Bob is to name.

    Args:
        dataset: `data.dataset.Dataset` of pictures with labels.
        files: paths of the training and of the test attributes.
        name: of the attribute's array.

    Raises:
        DataError: if a file is not of these sources, one by one.
    """
    splits = [
        _joined(split, path, name, limited=split is dataset.train)
        for split, path in zip((dataset.train, dataset.test), files, strict=True)
    ]
    classes = 1 + max(int(split.label.max()) for split in splits)
    if classes < 2:
        raise DataError(f"{files[0]}: expected two values of {name} or more, got one")
    return dataclasses.replace(dataset, train=splits[0], test=splits[1], classes=classes)


def _joined(split, path, name, limited):
    digit, attribute = _read(path, name)
    labels = np.asarray(split.label)
    rows = slice(len(labels)) if limited else slice(None)  # `--limit` takes the first sources
    digit, attribute = digit[rows], attribute[rows]
    if len(digit) != len(labels):
        raise DataError(f"{path}: expected {len(labels)} rows, one a source, got {len(digit)}")
    wrong = np.flatnonzero(digit != labels)
    if len(wrong):
        raise DataError(
            f"{path}: expected the digits of the sources one by one, got {len(wrong)} others, the "
            f"first in row {wrong[0]}"
        )
    return Split(split.source, attribute, labels.astype(np.int64))


def _read(path, name):
    arrays = stored(path)
    missing = sorted({"digit", name} - set(arrays))
    if missing:
        raise DataError(
            f"{path}: expected the arrays digit and {name}, found no {', '.join(missing)}"
        )
    digit, attribute = (class_numbers(path, each, arrays[each]) for each in ("digit", name))
    if len(digit) != len(attribute):
        raise DataError(f"{path}: expected {len(digit)} rows of {name}, got {len(attribute)}")
    return digit, attribute
