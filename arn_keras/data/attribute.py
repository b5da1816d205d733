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


def with_attribute(dataset, files, name, known=False):
    """The set with an attribute as private label, and its own label as what Bob is to name.

    Args:
        dataset: `data.dataset.Dataset` of pictures with labels.
        files: paths of the training and of the test attributes.
        name: of the attribute's array.
        known: whether every tenth training source is the test set, in the place of the set's own:
            of an attribute that names the writer, who is in no other split.

    Raises:
        DataError: if a file is not of these sources, one by one, or has values that Eve cannot
            have met.
    """
    splits = [
        _joined(split, path, name, limited=split is dataset.train)
        for split, path in zip((dataset.train, dataset.test), files, strict=True)
    ]
    if known:
        held_out = np.arange(len(splits[0])) % 10 == 9
        splits = [splits[0].part(~held_out), splits[0].part(held_out)]
    values = np.unique(splits[0].label)
    if len(values) < 2:
        raise DataError(f"{files[0]}: expected two values of {name} or more, got one")
    strange = np.setdiff1d(splits[1].label, values)
    if len(strange):
        raise DataError(
            f"{files[1]}: expected values of {name} that the training sources have, got "
            f"{len(strange)} others: of who is in one split alone, take --known"
        )
    train, test = (
        dataclasses.replace(split, label=np.searchsorted(values, split.label)) for split in splits
    )
    return dataclasses.replace(dataset, train=train, test=test, classes=len(values), label_names=())


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
