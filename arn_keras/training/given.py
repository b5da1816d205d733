"""What a caller gives to a link: names, types and targets, taken as meant or refused.

All of it is told from shapes and types, so it costs a step nothing; the values of class numbers are
looked at in `classes`, losses in `losses`.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from arn_keras.channel.awgn import refuse_complex
from arn_keras.counts import refuse_below
from arn_keras.errors import ConfigError, DataError
from arn_keras.loss.shapes import shape_of
from arn_keras.power import level_fault

NOT_FINITE = "expected finite sources, signals, targets and weights, got NaN or infinity"


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
        DataError: for complex ones, or what is no tensor of a known number of axes.
    """

    def one(tensor):
        if not hasattr(tensor, "shape"):
            raise DataError(f"expected arrays, got {type(tensor).__name__}")
        shape_of(tensor, "sources and targets")
        if isinstance(tensor, np.ndarray):  # words, too
            tensor = tf.convert_to_tensor(tensor)
        refuse_complex(tensor)
        dtype, floatx = keras.backend.standardize_dtype(tensor.dtype), keras.config.floatx()
        other = dtype.startswith(("float", "bfloat", "bool")) and dtype != floatx
        return ops.cast(tensor, floatx) if other else tensor

    return keras.tree.map_structure(one, nest)


def prepared_by(preprocessing, source):
    """The source as the transmitter takes it."""
    return source if preprocessing is None else preprocessing(source)


def looked_at(batch):
    """A batch of a pipeline without NaN or infinity, and without weights of sources below 0.

    An activation may turn NaN into 0: Eve would count as fooled, and nobody would see it.

    Raises:
        tf.errors.InvalidArgumentError: for others; `compiled.clear_errors` makes it a DataError.
    """
    weights, checks = keras.utils.unpack_x_y_sample_weight(batch)[2], []
    floats = [each for each in keras.tree.flatten(batch) if _is_dense(each, "float")]
    if floats:
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each)) for each in floats])
        checks.append(tf.debugging.assert_equal(finite, True, NOT_FINITE))
    if weights is not None:
        message = "expected weights >= 0, got others;"
        checks.append(tf.debugging.assert_equal(tf.reduce_all(weights >= 0), True, message))
    with tf.control_dependencies([check for check in checks if check is not None]):
        return keras.tree.map_structure(
            lambda each: tf.identity(each) if _is_dense(each) else each, batch
        )


def _is_dense(tensor, kind=""):
    dense = isinstance(tensor, tf.Tensor | np.ndarray)
    return dense and kind in keras.backend.standardize_dtype(tensor.dtype)


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
    if "float" not in dtype:
        raise DataError(
            f"expected sources of floats, or a preprocessing (arn_keras.unit_interval for 8-bit "
            f"images), or a target of their own, got {dtype} without"
        )
    return target


def level_db(name, level):
    """A level in dB as a number.

    Raises:
        ConfigError: if it is no finite one.
    """
    try:
        found = float(level)
    except (TypeError, ValueError, OverflowError):
        found = np.nan
    fault = level_fault(np.nan if isinstance(level, bool | np.bool_) else found, name)
    if fault:
        raise ConfigError(f"expected {fault}, got {level}")
    return found


def snr_range_db(snr_db):
    """An SNR in dB as [low, high].

    Raises:
        ConfigError: if it is neither one finite value nor (low, high).
    """
    try:
        values = np.atleast_1d(np.asarray(snr_db, float))
    except (TypeError, ValueError, OverflowError):
        values = np.array([np.nan])
    if isinstance(snr_db, bool | np.bool_):
        values = np.array([np.nan])
    usable = values.shape in ((1,), (2,)) and np.all(np.isfinite(values))
    if not (usable and values[0] <= values[-1]):
        raise ConfigError(
            f"expected a finite snr_db, or (low, high) with low <= high, got {snr_db}"
        )
    for value in values:
        level_db("snr_db", value)
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


def reach(values):
    """Task losses at two or more SNRs as an array.

    Raises:
        ConfigError: if they are not finite numbers above 0.
    """
    try:
        found = np.asarray(values, float)
    except (TypeError, ValueError):
        found = np.array([])
    if found.ndim != 1 or len(found) < 2 or not np.all(np.isfinite(found) & (found > 0)):
        raise ConfigError(f"expected two or more finite losses above 0 as reach, got {values}")
    return found


def refuse_no_seed(seed):
    """Refuses what is no seed.

    Raises:
        ConfigError: for what is no whole number from 0 on.
    """
    if seed is None:
        raise ConfigError("expected a seed >= 0, got None")
    refuse_below(0, seed=seed)


def refuse_no_flag(**flags):
    """Refuses what is neither True nor False; None is not given.

    Raises:
        ConfigError: for the first, by its name.
    """
    for name, value in flags.items():
        if value is not None and not isinstance(value, bool | np.bool_):
            raise ConfigError(f"expected {name} True or False, got {value!r}")
