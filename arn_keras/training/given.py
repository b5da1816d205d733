"""What a caller gives to a link: names, types, labels and targets, taken as meant or refused.

All of it is told from shapes and types, so it costs a step nothing; only the values of labels that
come through a pipeline are looked at in the graph (in whole arrays before, once).
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from arn_keras.channel.awgn import refuse_complex
from arn_keras.errors import ConfigError, DataError
from arn_keras.loss.shapes import class_numbers, shaped_like

_OF_CLASS_NUMBERS = (
    keras.losses.SparseCategoricalCrossentropy,
    keras.losses.CTC,
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.ctc,
)


def named(given, names):
    """A dictionary of what was given, under the first name if it has none.

    Args:
        given: dictionary of these names, or the first one's value itself.
        names: that a link reads; the first must be there.

    Raises:
        DataError: for a name that nobody reads, or if the first is missing.
    """
    given = given if isinstance(given, dict) else {names[0]: given}
    unknown = sorted(str(name) for name in given if name not in names)
    if unknown:
        raise DataError(
            f"expected {' and '.join(map(repr, names))}, got {', '.join(map(repr, unknown))}, "
            "which nobody reads"
        )
    if given.get(names[0]) is None:
        raise DataError(f"expected {names[0]}s, got none")
    return given


def real(nest):
    """Tensors as a model takes them: floats and bits in Keras's `floatx`, integers as they are.

    Raises:
        DataError: for complex ones.
    """

    def one(tensor):
        refuse_complex(tensor)
        dtype, floatx = keras.backend.standardize_dtype(tensor.dtype), keras.config.floatx()
        other = dtype.startswith(("float", "bfloat", "bool")) and dtype != floatx
        return ops.cast(tensor, floatx) if other else tensor

    return keras.tree.map_structure(one, nest)


def prepared_by(preprocessing, source):
    """The source as the transmitter takes it."""
    return source if preprocessing is None else preprocessing(source)


def target_of(source, preprocessing):
    """The sources as the target of their own reconstruction.

    Raises:
        DataError: if nothing can be compared with them: integers, or several inputs.
    """
    if keras.tree.is_nested(source):
        raise DataError("expected a target for sources of several inputs, got none")
    target = prepared_by(preprocessing, source)
    dtype = keras.backend.standardize_dtype(target.dtype)
    if "int" in dtype:
        raise DataError(
            f"expected sources of floats, or a preprocessing (arn_keras.unit_interval for 8-bit "
            f"images), or a target of their own, got {dtype} without"
        )
    return target


def takes_class_numbers(loss):
    """Whether this is a loss of Keras that compares class numbers with scores."""
    return loss in _OF_CLASS_NUMBERS or isinstance(loss, _OF_CLASS_NUMBERS[:2])


def fitted_target(loss, target, estimate):
    """The target as a loss compares it with the estimate.

    Raises:
        DataError: if a loss of Keras would broadcast it, or read class numbers for values.
    """
    owner = loss if callable(loss) and hasattr(loss, "__module__") else type(loss)
    known = owner.__module__.startswith("keras.")
    if not known or takes_class_numbers(loss):
        return target
    return shaped_like(estimate, target)


def refuse_wrong_end(loss, probabilities):
    """Refuses a loss of logits for a model of probabilities, and the other way round.

    Args:
        loss: of Keras, or another, which is believed.
        probabilities: whether the model ends in a softmax; None if nobody knows.

    Raises:
        ConfigError: if they do not fit.
    """
    of_keras = (keras.losses.SparseCategoricalCrossentropy, keras.losses.CategoricalCrossentropy)
    functions = (
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.categorical_crossentropy,
    )
    if probabilities is None or not (isinstance(loss, of_keras) or loss in functions):
        return
    from_logits = isinstance(loss, of_keras) and loss.get_config()["from_logits"]
    if from_logits == probabilities:
        raise ConfigError(
            f"expected {type(loss).__name__ if isinstance(loss, of_keras) else loss.__name__} with "
            f"from_logits={not probabilities} for a model of "
            f"{'probabilities' if probabilities else 'logits'}, got from_logits={from_logits}"
        )


def refuse_labels_outside(labels, classes):
    """Refuses labels that are no class: whole arrays at once, a pipeline's in the graph.

    Args:
        labels: class numbers, [n]; an array or a tensor.
        classes: number of classes.

    Raises:
        DataError: for an array.
        tf.errors.InvalidArgumentError: for tensors; `clear_errors` makes it a DataError.
    """
    expected = f"expected labels from 0 to {classes - 1}"
    if isinstance(labels, np.ndarray):
        if len(labels) and (labels.min() < 0 or labels.max() >= classes):
            raise DataError(f"{expected}, got {labels.min()} to {labels.max()}")
        return
    inside = tf.reduce_all((labels >= 0) & (labels < classes))
    tf.debugging.assert_equal(inside, True, f"{expected}, got others;")


def weights_of_classes(labels, class_weight):
    """The weight of each source by its class, [n]."""
    return np.array(
        [class_weight.get(int(label), 1.0) for label in class_numbers(labels)],
        keras.config.floatx(),
    )


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


def as_numpy(nest):
    """A nest without lists, which TensorFlow takes for one tensor, and eager tensors as arrays."""

    def one(leaf):
        return leaf.numpy() if isinstance(leaf, tf.Tensor) else leaf

    nest = tuple(nest) if isinstance(nest, list) else nest
    return keras.tree.map_structure(one, nest)


def is_numpy(nest):
    """Whether all that was given is NumPy's."""
    leaves = [leaf for leaf in keras.tree.flatten(nest) if leaf is not None]
    return bool(leaves) and all(isinstance(leaf, np.ndarray) for leaf in leaves)


def is_finite(array):
    """Whether there is neither NaN nor infinity."""
    # An activation may turn a NaN into 0, so the signal alone does not tell.
    return array.dtype.kind != "f" or bool(np.isfinite([array.min(), array.max()]).all())
