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
_CROSS_ENTROPIES = (
    keras.losses.SparseCategoricalCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.BinaryCrossentropy,
)
_CROSS_ENTROPY_FUNCTIONS = (
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_crossentropy,
    keras.losses.binary_crossentropy,
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
    if isinstance(source, tf.RaggedTensor | tf.SparseTensor):
        raise DataError(f"expected dense sources, or a target, got {type(source).__name__}")
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


def refuse_wrong_end(loss, end):
    """Refuses a loss of logits for a model of probabilities, and the other way round.

    Args:
        loss: of Keras, or another, which is believed.
        end: of the model, as `parts.end_of` gives it.

    Raises:
        ConfigError: if they do not fit.
    """
    if end is None or not (isinstance(loss, _CROSS_ENTROPIES) or loss in _CROSS_ENTROPY_FUNCTIONS):
        return
    of_class = isinstance(loss, _CROSS_ENTROPIES)
    from_logits = of_class and loss.get_config()["from_logits"]
    if from_logits != (end == "logits"):
        raise ConfigError(
            f"expected {type(loss).__name__ if of_class else loss.__name__} with "
            f"from_logits={not from_logits} for a model of "
            f"{'logits' if end == 'logits' else 'probabilities'}, got from_logits={from_logits}"
        )


def level_db(name, level):
    """A level in dB as a number.

    Raises:
        ConfigError: if it is no finite one.
    """
    try:
        found = float(level)
    except (TypeError, ValueError):
        found = np.nan
    if not np.isfinite(found):
        raise ConfigError(f"expected a finite {name}, got {level}")
    return found


def snr_range_db(snr_db):
    """An SNR in dB as [low, high].

    Raises:
        ConfigError: if it is neither one finite value nor (low, high).
    """
    try:
        values = np.atleast_1d(np.asarray(snr_db, float))
    except (TypeError, ValueError):
        values = np.array([np.nan])
    usable = values.shape in ((1,), (2,)) and np.all(np.isfinite(values))
    if not (usable and values[0] <= values[-1]):
        raise ConfigError(
            f"expected a finite snr_db, or (low, high) with low <= high, got {snr_db}"
        )
    return [values[0], values[-1]]


def loss_weights(values):
    """w1, w2, w3 of Eq. (19) as an array.

    Raises:
        ConfigError: if they are not three finite numbers of 0 or more.
    """
    try:
        weights = np.asarray(values, float)
    except (TypeError, ValueError):
        weights = np.array([])
    if weights.shape != (3,) or not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ConfigError(f"expected three finite loss_weights >= 0, got {values}")
    return weights


def refuse_below_1(**counts):
    """Refuses counts that are no whole number from 1 on; None is not given.

    Raises:
        ConfigError: for the first, by its name.
    """
    for name, count in counts.items():
        if count is not None and not (isinstance(count, int | np.integer) and count >= 1):
            raise ConfigError(f"expected {name} >= 1, got {count}")


def labels_of(labels, classes, looked_at=False):
    """Labels as class numbers, [n]: whole arrays are looked at at once, a pipeline's in the graph.

    Args:
        labels: as `class_numbers` takes them.
        classes: number of classes.
        looked_at: whether these were looked at before.

    Raises:
        DataError: for those that are no class, in an array.
        tf.errors.InvalidArgumentError: in tensors; `clear_errors` makes it a DataError.
    """
    numbers = class_numbers(labels)
    expected = f"expected labels from 0 to {classes - 1}"
    if isinstance(labels, np.ndarray):
        numbers = np.asarray(numbers)
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= classes):
            raise DataError(f"{expected}, got {numbers.min()} to {numbers.max()}")
    elif not looked_at:
        found = tf.cast(numbers, "int64")
        whole = tf.cast(tf.reshape(labels, [-1]), "float64") == tf.cast(found, "float64")
        inside = tf.reduce_all(whole & (found >= 0) & (found < classes))
        check = tf.debugging.assert_equal(inside, True, f"{expected}, got others;")
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(numbers)  # nothing is learnt from them before they are looked at
    return numbers
