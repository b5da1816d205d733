"""Shapes and types that a loss would misread: refused, or given the one shape that is meant.

Keras and NumPy broadcast [n] against [n, 1] to [n, n] and take the mean of that, without a word.
"""

import keras
import numpy as np
from keras import ops

from arn_keras.errors import DataError


def class_numbers(labels):
    """Labels as integers, [n].

    Args:
        labels: class numbers, [n] or [n, 1] (as `keras.datasets` gives them), any number type.

    Raises:
        DataError: for another shape (one-hot labels for example), names, or parts of a number.
    """
    labels = labels if hasattr(labels, "shape") else ops.convert_to_tensor(labels)
    try:
        dtype = keras.backend.standardize_dtype(labels.dtype)
    except ValueError:  # text, objects
        dtype = str(labels.dtype)
    if not dtype.startswith(("int", "uint", "float", "bfloat", "bool")):
        raise DataError(
            f"expected labels as class numbers, got {dtype}: of names take "
            "numpy.unique(labels, return_inverse=True)[1]"
        )
    shape = tuple(labels.shape)
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


def shaped_like(estimate, target):
    """The target in the shape and type of the estimate; [n] and [n, 1] are one.

    Args:
        estimate: what a model put out, [batch, ...].
        target: what it should be, floats.

    Raises:
        DataError: if the shapes are others, or the target is of integers.
    """
    target = target if hasattr(target, "shape") else ops.convert_to_tensor(target)
    dtype = keras.backend.standardize_dtype(target.dtype)
    if "int" in dtype or dtype == "bool":
        raise DataError(
            f"expected a target of floats for this loss, got {dtype}: class numbers need a loss of "
            "class numbers (SparseCategoricalCrossentropy), pictures a preprocessing"
        )
    wanted, shape = tuple(estimate.shape), tuple(target.shape)
    if shape == (*wanted, 1):
        target = target[..., 0]
    elif wanted == (*shape, 1):
        target = target[..., None]
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
    return ops.cast(values, powers.dtype)
