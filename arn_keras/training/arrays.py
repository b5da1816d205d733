"""Whole arrays that a caller gives to a link: of lists, tensors and tables, looked at once."""

import types
from numbers import Real

import keras
import numpy as np
import tensorflow as tf

from arn_keras.errors import ConfigError, DataError
from arn_keras.loss.shapes import class_numbers
from arn_keras.training.given import NOT_FINITE
from arn_keras.training.parts import outputs_of


def sources(x):
    """What a link is to be fed with: batches as they come, or as `as_arrays` gives it.

    Raises:
        DataError: for none.
    """
    if x is None:
        raise DataError("expected sources, got none")
    return x if _is_stream(x) else as_arrays(x)


def validation(data):
    """Validation data as `fit` takes them: batches, x, or a tuple (x, y, ...) of arrays."""
    if data is None or _is_stream(data):
        return data
    if isinstance(data, list | tuple) and 1 <= len(data) <= 3:
        data = sources(data[0]), *map(as_arrays, data[1:])
        refuse_other_lengths(data)
        return data
    return sources(data)


def _is_stream(x):
    kinds = tf.data.Dataset | tf.distribute.DistributedDataset | keras.utils.PyDataset
    return (
        isinstance(x, kinds | types.GeneratorType)
        or hasattr(x, "get_tf_dataset")  # Keras's own adapters, and what is made like one
        or any(kind.__module__.startswith(("torch.utils", "grain")) for kind in type(x).__mro__)
    )


def as_arrays(nest):
    """A nest of NumPy arrays, of arrays, tensors, tables, or lists of numbers or words.

    A list of one array is that array, as Keras has it; of several it is a tuple, for TensorFlow
    takes a list for one tensor. Sparse and ragged tensors stay what they are.

    Raises:
        DataError: for no data, single numbers, objects, values that are hidden or not finite.
    """
    if nest is None:
        return None
    if isinstance(nest, dict | list | tuple | range) and not len(nest):
        raise DataError(f"expected at least one source, got {nest!r}")
    if isinstance(nest, dict):
        return {name: as_arrays(each) for name, each in nest.items()}
    if isinstance(nest, list | tuple | range):
        return _of_list(nest)
    if isinstance(nest, tf.Tensor | tf.Variable | keras.Variable):
        nest = np.asarray(nest.numpy())
    elif isinstance(nest, np.generic):
        nest = np.array(nest)
    elif hasattr(nest, "to_numpy"):  # of pandas, or its like
        nest = nest.to_numpy()
    if not hasattr(nest, "shape") or isinstance(nest, keras.KerasTensor):
        raise DataError(f"expected arrays, or a data set of batches, got {type(nest).__name__}")
    return _looked_at(nest) if isinstance(nest, np.ndarray) else nest


def _of_list(nest):
    first = nest
    while isinstance(first, list | tuple | range) and len(first):
        first = first[0]
    if isinstance(first, bool | int | float | str | bytes | np.generic):
        try:
            return _looked_at(np.array(nest))
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise DataError("expected lists of one length, got others") from None
    arrays = tuple(map(as_arrays, nest))
    return arrays[0] if len(arrays) == 1 else arrays


def _looked_at(array):
    if not array.ndim or not array.size:
        raise DataError(f"expected at least one source, got an array of shape {array.shape}")
    if np.ma.is_masked(array):
        raise DataError("expected arrays of values, got a masked array: fill it")
    if array.dtype.name == "bfloat16":  # which NumPy holds for bytes of no kind
        array = array.astype("float32")
    kind, first = array.dtype.kind, array.flat[0]
    objects = kind in "Mm" or (kind == "O" and not isinstance(first, str | bytes))
    if objects or array.dtype == np.longdouble:
        raise DataError(f"expected arrays of numbers, got {array.dtype}")
    if kind == "V":
        fields = f"fields {', '.join(array.dtype.names)}" if array.dtype.names else array.dtype
        raise DataError(f"expected arrays of numbers, got {fields}")
    refuse_not_finite(array)
    return array.astype(object) if kind in "US" else array  # text as Keras takes it


def refuse_other_lengths(nest):
    """Refuses arrays of other numbers of sources than the first, whatever else there is.

    Raises:
        DataError: with all the lengths.
    """
    lengths = [len(leaf) for leaf in keras.tree.flatten(nest) if isinstance(leaf, np.ndarray)]
    if len(set(lengths)) > 1:
        raise DataError(f"expected arrays of one length, got {', '.join(map(str, lengths))}")


def is_numpy(nest):
    """Whether all that was given is NumPy's."""
    leaves = [leaf for leaf in keras.tree.flatten(nest) if leaf is not None]
    return bool(leaves) and all(isinstance(leaf, np.ndarray) for leaf in leaves)


def refuse_not_finite(array):
    """Refuses NaN and infinity: an activation may turn one into 0, and nobody would see it.

    Raises:
        DataError: if there is one, or what becomes one in `floatx`.
    """
    if array.dtype.kind == "f":
        largest = float(tf.as_dtype(keras.config.floatx()).max)
        if not all(abs(float(each)) <= largest for each in (array.min(), array.max())):
            raise DataError(NOT_FINITE)


def split_off(nest, share):
    """Arrays in two: the first rows, and the last that make this share of them."""
    count = len(next(array for array in keras.tree.flatten(nest) if array is not None))
    first = int(count * (1.0 - share)) if isinstance(share, Real) else 0
    if not 0 < first < count:
        raise ConfigError(f"expected a validation_split of {count} sources, got {share}")
    return tuple(
        keras.tree.map_structure(lambda a: None if a is None else a[part], nest)  # noqa: B023
        for part in (slice(0, first), slice(first, count))
    )


def weighted(y, sample_weight, class_weight):
    """The weight of each source, and what Keras is left to do with the weights of classes.

    Args:
        y: labels (one-hot ones too, as Keras has it) or targets, or None.
        sample_weight: array [n], or None.
        class_weight: {class number: weight}, or None.

    Returns:
        (sample_weight, class_weight).

    Raises:
        ConfigError: for weights that would be dropped, or below 0, by which Eve would unlearn.
    """
    if y is None and (sample_weight is not None or class_weight is not None):
        raise ConfigError("expected targets beside weights, which Keras drops without them")
    if sample_weight is not None:
        given = getattr(sample_weight, "dtype", type(sample_weight).__name__)
        if not isinstance(sample_weight, np.ndarray) or given.kind not in "iufb":
            raise ConfigError(f"expected sample_weight as numbers, one a source, got {given}")
        if sample_weight.min() < 0:
            raise ConfigError(f"expected weights >= 0, got {sample_weight.min()}")
        refuse_other_lengths((y, sample_weight))
    if class_weight is None or isinstance(y, dict):
        return sample_weight, class_weight
    if sample_weight is not None:
        raise ConfigError("expected class_weight or sample_weight, got both")
    refuse_other_classes(class_weight)
    numbers = y.argmax(axis=-1) if _is_one_hot(y) else np.asarray(class_numbers(y))
    weights = [class_weight.get(int(label), 1.0) for label in numbers]
    return weighted(y, np.array(weights, keras.config.floatx()), None)


def refuse_other_classes(class_weight, model=None):
    """Refuses weights of what is no class: nobody would find them.

    Args:
        class_weight: {class number: weight}, or None.
        model: that answers with classes, one of them or more each.

    Raises:
        ConfigError: for other keys.
    """
    keys = [None] if not isinstance(class_weight, dict | types.NoneType) else class_weight or ()
    if not all(isinstance(each, int | np.integer) for each in keys):
        raise ConfigError(f"expected class_weight as {{class number: weight}}, got {class_weight}")
    classes = outputs_of(model)
    wrong = [key for key in keys if key < 0 or (classes and key >= max(classes, 2))]
    if wrong:
        classes = f" to {max(classes, 2) - 1}" if classes else " on"
        raise ConfigError(f"expected class_weight of classes from 0{classes}, got {wrong[0]}")


def _is_one_hot(y):
    scores = isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "iufb"
    return scores and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
