"""What is computed once, before a training: a frozen transmitter's output, functions of arrays."""

import numpy as np
import tensorflow as tf

from arn_keras.files import empty_rows
from arn_keras.system import full_precision, unit_interval


def in_batches(function, *arrays, batch_size=2000):
    """Applies a function of batches to whole arrays; eagerly, for a trace would take longer."""
    parts = [
        np.asarray(function(*(tf.convert_to_tensor(a[start : start + batch_size]) for a in arrays)))
        for start in range(0, len(arrays[0]), batch_size)
    ]
    return np.concatenate(parts)


def transmit(transmitter, sources, batch_size=1024):
    """Runs a frozen transmitter once over all sources.

    Args:
        transmitter: s -> y.
        sources: s, array, [sources, ...]; 8-bit, or in [0, 1].
        batch_size: sources at a time.

    Returns:
        y, float32 array, [sources, ...]; a map of a scratch file if it is large.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def step(batch):
        return transmitter(unit_interval(batch), training=False)

    signals = empty_rows((len(sources), *transmitter.output_shape[1:]))
    for start in range(0, len(sources), batch_size):
        part = slice(start, start + batch_size)
        signals[part] = full_precision(step(tf.convert_to_tensor(sources[part])))
    return signals
