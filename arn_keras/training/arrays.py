"""Whole arrays that a caller gives to a link: of lists, tensors and tables, looked at once."""

import keras
import numpy as np
import tensorflow as tf

from arn_keras.errors import ConfigError, DataError
from arn_keras.loss.shapes import class_numbers


def sources(x):
    """What a link is to be fed with, as `as_arrays` gives it.

    Raises:
        DataError: for none.
    """
    if x is None:
        raise DataError("expected sources, got none")
    return as_arrays(x)


def as_arrays(nest):
    """A nest of NumPy arrays, where it is one of arrays, tensors, tables or lists of numbers.

    Lists of arrays are tuples, for TensorFlow takes a list for one tensor; data sets, generators
    and sparse or ragged tensors stay what they are.

    Raises:
        DataError: for no data, single numbers, objects, or hidden values.
    """
    if isinstance(nest, dict):
        return {name: as_arrays(each) for name, each in nest.items()}
    if isinstance(nest, list | tuple):
        numbers = _of_numbers(nest)
        return _looked_at(np.array(nest)) if numbers else tuple(map(as_arrays, nest))
    if isinstance(nest, tf.Tensor):
        nest = nest.numpy()
    elif isinstance(nest, np.generic):
        nest = np.array(nest)
    elif hasattr(nest, "to_numpy"):  # of pandas, or its like
        nest = nest.to_numpy()
    return _looked_at(nest) if isinstance(nest, np.ndarray) else nest


def _of_numbers(nest):
    while isinstance(nest, list | tuple) and len(nest):
        nest = nest[0]
    return isinstance(nest, bool | int | float | np.number)


def _looked_at(array):
    if not array.ndim or not len(array):
        raise DataError(f"expected at least one source, got an array of shape {array.shape}")
    if np.ma.is_masked(array):
        raise DataError("expected arrays of values, got a masked array: fill it")
    kind, first = array.dtype.kind, array.flat[0]
    objects = kind in "Mm" or (kind == "O" and not isinstance(first, str | bytes))
    if objects or array.dtype == np.longdouble:
        raise DataError(f"expected arrays of numbers, got {array.dtype}")
    return array


def is_numpy(nest):
    """Whether all that was given is NumPy's."""
    leaves = [leaf for leaf in keras.tree.flatten(nest) if leaf is not None]
    return bool(leaves) and all(isinstance(leaf, np.ndarray) for leaf in leaves)


def is_finite(array):
    """Whether there is neither NaN nor infinity."""
    # An activation may turn a NaN into 0, so the signal alone does not tell.
    return array.dtype.kind != "f" or bool(np.isfinite([array.min(), array.max()]).all())


def split_off(nest, share):
    """Arrays in two: the first rows, and the last that make this share of them."""
    count = len(next(array for array in keras.tree.flatten(nest) if array is not None))
    first = int(count * (1.0 - share))
    if not 0 < first < count:
        raise ConfigError(f"expected a validation_split of {count} sources, got {share}")
    return tuple(
        keras.tree.map_structure(lambda a: None if a is None else a[part], nest)  # noqa: B023
        for part in (slice(0, first), slice(first, count))
    )


def weighted(y, sample_weight, class_weight):
    """The weight of each source, and what Keras is left to do with the weights of classes.

    Args:
        y: labels or targets, or None.
        sample_weight: array [n], or None.
        class_weight: {class number: weight}, or None.

    Returns:
        (sample_weight, class_weight).

    Raises:
        ConfigError: for weights that would be dropped.
    """
    if y is None and (sample_weight is not None or class_weight is not None):
        raise ConfigError("expected targets beside weights, which Keras drops without them")
    if class_weight is None or isinstance(y, dict):
        return sample_weight, class_weight
    if sample_weight is not None:
        raise ConfigError("expected class_weight or sample_weight, got both")
    classes = class_weight if isinstance(class_weight, dict) else {None: None}
    if not all(isinstance(each, int | np.integer) for each in classes):
        raise ConfigError(f"expected class_weight as {{class number: weight}}, got {class_weight}")
    numbers = np.asarray(class_numbers(y))
    weights = [class_weight.get(int(label), 1.0) for label in numbers]
    return np.array(weights, keras.config.floatx()), None
