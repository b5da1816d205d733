"""Shuffled batches gathered from arrays, each epoch's order derived from seed and epoch.

A pipeline that shuffles records takes a core from the matrix products; this one shuffles numbers
and gathers rows. Nothing depends on the state of the process, so a resumed epoch is the epoch
that was lost. Arrays that fit in memory are gathered in the graph; others, memory maps mostly, are
read row by row, and cost the memory of a few batches.
"""

import gc
import itertools
import math
import tempfile

import keras
import numpy as np
import tensorflow as tf

#: Bytes of arrays up to which an epoch is gathered from memory.
IN_MEMORY_BYTES = 1 << 28
_WORTH_COLLECTING = 1 << 22


class EpochBatches(keras.callbacks.Callback):
    """A data set of batches, and the callback that gives it each epoch's order.

    Args:
        arrays: nest of arrays of equal length, one row a source.
        batch_size: sources a batch; the last batch of an epoch may be smaller.
        seed: seed of the order.
        shuffle: whether to shuffle at all.
        drop_remainder: whether an epoch leaves out the sources that fill no batch; they are others
            in each epoch, and a step is then traced for one shape and not for two.

    Raises:
        ValueError: if the arrays differ in length.

    Attributes:
        dataset: `tf.data.Dataset` of batches, shaped like `arrays`.
    """

    def __init__(self, arrays, batch_size, seed=0, shuffle=True, drop_remainder=False):
        super().__init__()
        self._seed = seed
        self._shuffle = shuffle
        lengths = [len(array) for array in tf.nest.flatten(arrays)]
        if len(set(lengths)) != 1:
            raise ValueError(f"expected arrays of one length, got {', '.join(map(str, lengths))}")
        self._count = lengths[0]
        self._order = tf.Variable(tf.range(self._count), trainable=False)
        end = self._count
        if drop_remainder and batch_size <= end:
            end -= end % batch_size
        starts = tf.data.Dataset.range(0, end, batch_size)

        even = end % batch_size == 0  # then every batch has the same, static shape
        gather = _gathered(arrays)

        def batch(start):
            rows = self._order[start : start + batch_size]
            rows.set_shape([batch_size if even else None])
            return gather(rows)

        self.dataset = starts.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the order of this epoch."""
        if self._shuffle:
            generator = np.random.default_rng((self._seed, epoch))
            self._order.assign(generator.permutation(self._count))


def _gathered(arrays):
    """Function from numbers of rows to these rows of all arrays."""
    size = sum(array.nbytes for array in tf.nest.flatten(arrays))
    if size <= IN_MEMORY_BYTES:
        if size > _WORTH_COLLECTING:
            gc.collect()  # the copy of an earlier data set, held by the cycles of its graph
        tensors = tf.nest.map_structure(tf.convert_to_tensor, arrays)
        return lambda rows: tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), tensors)
    leaves = tf.nest.flatten(arrays)

    def read(rows):
        return [leaf[rows] for leaf in leaves]

    def gather(rows):
        found = tf.numpy_function(read, [rows], [leaf.dtype for leaf in leaves], stateful=False)
        for tensor, leaf in zip(found, leaves, strict=True):
            tensor.set_shape([*rows.shape, *leaf.shape[1:]])
        return tf.nest.pack_sequence_as(arrays, found)

    return gather


def empty_rows(shape):
    """An array of float32 to be filled: in memory, or a map of a scratch file if it is too large.

    The file has no name and goes with the array, also if the process is killed.

    Args:
        shape: of the array.
    """
    if 4 * math.prod(shape) <= IN_MEMORY_BYTES:
        return np.empty(shape, np.float32)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float32, "w+", shape=tuple(shape))


def in_shards(data, count):
    """A batch in parts as equal as can be, [(part, its share of the sources), ...].

    Args:
        data: nest of tensors, [batch, ...], with at least `count` sources.
        count: number of parts.
    """
    if count == 1:
        return [(data, 1.0)]
    first = keras.tree.flatten(data)[0]
    sources = first.shape[0] or tf.shape(first)[0]
    tf.debugging.assert_greater_equal(sources, count, f"expected batches of at least {count}")
    ends = [sources * index // count for index in range(count + 1)]
    return [
        (
            keras.tree.map_structure(lambda tensor: tensor[start:end], data),  # noqa: B023
            tf.cast((end - start) / sources, "float32"),
        )
        for start, end in itertools.pairwise(ends)
    ]
