"""Class numbers, of labels and of targets: those that are no class are refused.

One-hot of them is all zeros, and a loss of Keras gives a NaN or an error of TensorFlow's, or none.
Whole arrays are looked at at once, and what comes through a pipeline in the graph.
"""

import keras
import numpy as np
import tensorflow as tf

from arn_keras.errors import DataError
from arn_keras.loss.shapes import class_numbers, shape_of
from arn_keras.loss.tokens import masked_cross_entropy
from arn_keras.training.parts import made_by

_SPARSE = (
    keras.losses.SparseCategoricalCrossentropy | keras.losses.CategoricalGeneralizedCrossEntropy
)
_SPARSE_FUNCTIONS = (
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_generalized_cross_entropy,
    masked_cross_entropy,
)


def takes_class_numbers(loss):
    """Whether this is a known loss that compares class numbers with scores."""
    known = (*_SPARSE_FUNCTIONS, keras.losses.ctc)
    return loss in known or isinstance(loss, _SPARSE | keras.losses.CTC)


def labels_of(labels, classes, looked_at=False):
    """Labels as class numbers, [n].

    Args:
        labels: as `class_numbers` takes them.
        classes: number of classes.
        looked_at: whether these were looked at before.

    Raises:
        DataError: for those that are no class, in an array.
        tf.errors.InvalidArgumentError: in tensors; `clear_errors` makes it a DataError.
    """
    class_numbers(labels)  # a shape or type is told first
    numbers = class_numbers(_in_range("labels", labels, classes, looked_at))
    return np.asarray(numbers) if isinstance(labels, np.ndarray) else numbers


def target_numbers(loss, target, receiver, shape, looked_at=False):
    """The target of a loss of class numbers, looked at; that of another as it is.

    Args:
        loss: function or loss of Keras, or None.
        target: array or tensor, [n, ...], one of them may have another axis, of 1.
        receiver: model that makes the scores, the classes last.
        shape: of one signal.
        looked_at: whether these were looked at before.

    Raises:
        DataError, tf.errors.InvalidArgumentError: as `labels_of`.
    """
    if not (loss in _SPARSE_FUNCTIONS or isinstance(loss, _SPARSE)):
        return target
    *places, classes = made_by(receiver, shape)
    dtype, given = str(target.dtype), shape_of(target, "targets")[1:]
    if len(given) != len(places) and given[len(places) :] != (1,):
        raise DataError(
            f"expected a target of class numbers, {['n', *places]}, got the shape "
            f"{['n', *given]}: of a one-hot one take argmax(axis=-1)"
        )
    if isinstance(target, np.ndarray) and target.dtype.kind not in "iufb":
        raise DataError(f"expected a target of class numbers, got {dtype}")
    ignored = loss.get_config().get("ignore_class") if isinstance(loss, _SPARSE) else None
    return _in_range("targets", target, classes, looked_at, ignored)


def _in_range(name, given, classes, looked_at=False, ignored=None):
    expected = f"expected {name} from 0 to {classes - 1}"
    if isinstance(given, np.ndarray):
        counted = given if ignored is None else given[given != ignored]
        parts = counted[counted != np.rint(counted)] if counted.dtype.kind == "f" else ()
        if len(parts):
            raise DataError(f"{expected}, got {parts[0]}")
        if counted.size and (counted.min() < 0 or counted.max() >= classes):
            raise DataError(f"{expected}, got {counted.min()} to {counted.max()}")
        return given
    if looked_at:
        return given
    found = tf.cast(given, "int64")
    is_class = (tf.cast(given, "float64") == tf.cast(found, "float64")) & (found >= 0)
    is_class &= found < classes
    if ignored is not None:
        is_class |= found == ignored
    check = tf.debugging.assert_equal(tf.reduce_all(is_class), True, f"{expected}, got others;")
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(given)  # nothing is learnt from them before they are looked at
