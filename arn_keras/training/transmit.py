"""What is computed once, before a training: a frozen transmitter's output, functions of arrays."""

import warnings

import keras
import numpy as np
import tensorflow as tf

from arn_keras.errors import DataError
from arn_keras.machine.files import empty_rows
from arn_keras.system import full_precision
from arn_keras.training.taken import taken_by


def in_batches(function, *arrays, batch_size=2000):
    """Applies a function of batches to whole arrays; eagerly, for a trace would take longer.

    Args:
        function: of batches, one of each array, to a row for each of theirs.
        *arrays: of equal length, at least one row.
        batch_size: rows at a time.

    Returns:
        Its rows, an array; a map of a scratch file if it is large.

    Raises:
        DataError: if it gives another number of rows than it is given.
    """
    found = None
    for start in range(0, len(arrays[0]), batch_size):
        part = slice(start, start + batch_size)
        rows = np.asarray(function(*(tf.convert_to_tensor(array[part]) for array in arrays)))
        if found is None:
            found = empty_rows((len(arrays[0]), *rows.shape[1:]), rows.dtype)
        if rows.shape != found[part].shape:  # NumPy would repeat a single row
            raise DataError(f"expected rows shaped {found[part].shape}, got {rows.shape}")
        found[part] = rows
    return found


def transmit(transmitter, sources, preprocessing=None, batch_size=1024):
    """Runs a frozen transmitter once over all sources.

    Args:
        transmitter: s -> y.
        sources: s as stored, array [sources, ...], or {name of an input: array}.
        preprocessing: what is done with stored sources first, or None.
        batch_size: sources at a time.

    Returns:
        y, float32 array, [sources, ...]; a map of a scratch file if it is large.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def step(batch):
        batch = batch if preprocessing is None else preprocessing(batch)
        signal = transmitter(taken_by(transmitter, batch), training=False)
        if getattr(signal, "_keras_mask", None) is not None:
            warnings.warn(
                "the signal has a Keras mask, which is not sent: padding is taken for content",
                stacklevel=2,
            )
        return full_precision(signal)

    count, signals = len(keras.tree.flatten(sources)[0]), None
    for start in range(0, count, batch_size):
        part = slice(start, start + batch_size)
        batch = keras.tree.map_structure(lambda a: tf.convert_to_tensor(a[part]), sources)  # noqa: B023
        sent = step(batch)
        if signals is None:
            signals = empty_rows((count, *sent.shape[1:]))
        signals[part] = sent
    return signals


def refuse_other_signals(transmitter, sources, signals, preprocessing=None):
    """Looks at a few of the signals that were computed before: they belong to their sources.

    In another order than sources and labels they would teach nothing, and pass for protected ones.

    Args:
        transmitter, sources, preprocessing: as of `transmit`.
        signals: what it made of them, array [sources, ...].

    Raises:
        DataError: if it makes others.
    """
    if len(keras.tree.flatten(sources)[0]) != len(signals):
        return  # refused where batches are made of them
    rows = np.unique(np.linspace(0, len(signals) - 1, 8).astype(int))
    batch = keras.tree.map_structure(lambda array: tf.convert_to_tensor(array[rows]), sources)
    batch = batch if preprocessing is None else preprocessing(batch)
    made = np.asarray(full_precision(transmitter(taken_by(transmitter, batch), training=False)))
    if made.shape != signals[rows].shape or not np.allclose(made, signals[rows], 0.05, 0.05):
        raise DataError("expected signals that the transmitter makes of these sources, got others")
