"""Shapes and types that a loss would misread: refused, or given the one shape that is meant.

Keras and NumPy broadcast [n] against [n, 1] to [n, n] and take the mean of that, without a word.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from arn_keras.errors import DataError


def shape_of(tensor, name):
    """The shape of an array or tensor, as a tuple; what a pipeline does not say is None.

    Raises:
        DataError: if it has none, or does not say of how many axes it is.
    """
    if not hasattr(tensor, "shape"):
        raise DataError(f"expected arrays of {name}, got {type(tensor).__name__}")
    if getattr(tensor.shape, "rank", 0) is None:
        raise DataError(
            f"expected {name} of a known number of axes, got a data set that does not say it: "
            "let it, by output_signature= or tf.ensure_shape"
        )
    return tuple(tensor.shape)


def class_numbers(labels):
    """Labels as integers, [n].

    Args:
        labels: class numbers, [n] or [n, 1] (as `keras.datasets` gives them), any number type.

    Raises:
        DataError: for another shape (one-hot labels for example), names, or parts of a number.
    """
    _refuse_nests(labels)
    labels = labels if hasattr(labels, "shape") else ops.convert_to_tensor(labels)
    dtype = _type_of(labels)
    if not dtype.startswith(("int", "uint", "float", "bfloat", "bool")):
        raise DataError(
            f"expected labels as class numbers, got {dtype}: of names take "
            "numpy.unique(labels, return_inverse=True)[1]"
        )
    shape = shape_of(labels, "labels")
    if len(shape) == 2 and shape[1] == 1:
        labels = labels[:, 0]
    elif len(shape) != 1:
        raise DataError(
            f"expected labels as class numbers, [n] or [n, 1], got the shape {list(shape)}: "
            "of one-hot labels take argmax(axis=-1)"
        )
    if "float" in dtype and isinstance(labels, np.ndarray):
        parts = labels[labels != np.rint(labels)]
        if len(parts):
            raise DataError(f"expected labels as class numbers, got {parts[0]}")
    return labels if "int" in dtype else ops.cast(labels, "int32")


def refuse_no_logits(logits):
    """Refuses what are no scores of classes.

    Raises:
        DataError: for another shape than [batch, classes].
    """
    shape = tuple(getattr(logits, "shape", ()))
    if len(shape) != 2:
        raise DataError(f"expected logits, [batch, classes], got the shape {list(shape)}")
    if "float" not in _type_of(logits):
        raise DataError(f"expected logits of floats, got {_type_of(logits)}")


def labels_for(logits, labels):
    """Labels as integers, [n], of so many logits; where they have values, these are looked at.

    Args:
        logits: [n, classes].
        labels: as `class_numbers` takes them.

    Raises:
        DataError: for other shapes, or labels that are no class, of which one-hot is all zeros.
    """
    refuse_no_logits(logits)
    numbers, (count, classes) = class_numbers(labels), logits.shape
    if None not in (count, numbers.shape[0]) and count != numbers.shape[0]:
        raise DataError(f"expected {count} labels, one a row of logits, got {numbers.shape[0]}")
    if isinstance(numbers, np.ndarray) or hasattr(numbers, "numpy"):
        found = np.asarray(numbers)
        if found.size and (found.min() < 0 or found.max() >= classes):
            raise DataError(
                f"expected labels from 0 to {classes - 1}, got {found.min()} to {found.max()}"
            )
    return numbers


def _type_of(array):
    try:
        dtype = keras.backend.standardize_dtype(array.dtype)
    except ValueError:
        return "text"
    return "text" if dtype in ("object", "string") else dtype


def _refuse_nests(labels):
    several = isinstance(labels, list | tuple) and any(hasattr(each, "shape") for each in labels)
    if several or isinstance(labels, dict | tf.SparseTensor | tf.RaggedTensor):
        raise DataError(
            f"expected labels as class numbers, [n] or [n, 1], got {type(labels).__name__}"
        )


def one_shape(estimate, target):
    """The target with the axis of 1 at the end that the estimate has, or without; else as it is."""
    wanted, shape = tuple(estimate.shape), tuple(target.shape)
    if shape[1:] == (*wanted[1:], 1):
        return target[..., 0]
    return target[..., None] if wanted[1:] == (*shape[1:], 1) else target


def shaped_like(estimate, target):
    """The target in the shape and type of the estimate; [n] and [n, 1] are one.

    Args:
        estimate: what a model put out, [batch, ...].
        target: what it should be, floats.

    Raises:
        DataError: if the shapes are others, or the target is of integers.
    """
    wanted, shape = (shape_of(each, "targets") for each in (estimate, target))
    if "float" not in _type_of(estimate):
        raise DataError(f"expected an estimate of floats, got {_type_of(estimate)}")
    dtype = _type_of(target)
    if "float" not in dtype:
        raise DataError(
            f"expected a target of floats for this loss, got {dtype}: class numbers need a loss of "
            "class numbers (SparseCategoricalCrossentropy), pictures a preprocessing"
        )
    target = one_shape(estimate, target)
    shape = tuple(target.shape)
    pairs = zip(wanted, shape, strict=False)
    if len(wanted) != len(shape) or any(a != b for a, b in pairs if None not in (a, b)):
        raise DataError(f"expected a target of shape {list(wanted)}, got {list(shape)}")
    return ops.cast(target, estimate.dtype)


def one_a_source(values, powers):
    """A budget as [batch], or as the one value that it is.

    Args:
        values: P, scalar, [batch] or [batch, 1].
        powers: [batch], what it is compared with.

    Raises:
        DataError: for another shape.
    """
    shape = tuple(getattr(values, "shape", ()))
    if len(shape) == 2 and shape[1] == 1:
        values = values[:, 0]
    elif len(shape) > 1:
        raise DataError(f"expected a budget of shape [] or [batch], got {list(shape)}")
    elif shape and None not in (shape[0], powers.shape[0]) and shape[0] not in (1, powers.shape[0]):
        raise DataError(f"expected a budget for each of {powers.shape[0]} sources, got {shape[0]}")
    return ops.cast(values, powers.dtype)
