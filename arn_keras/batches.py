"""Shuffled batches gathered from arrays, each epoch's order derived from seed and epoch.

A pipeline that shuffles records takes a core from the matrix products; this one shuffles numbers
and gathers rows. Nothing depends on the state of the process, so a resumed epoch is the epoch
that was lost.
"""

import itertools

import keras
import numpy as np
import tensorflow as tf


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
        tensors = tf.nest.map_structure(tf.convert_to_tensor, arrays)
        self._count = lengths[0]
        self._order = tf.Variable(tf.range(self._count), trainable=False)
        end = self._count
        if drop_remainder and batch_size <= end:
            end -= end % batch_size
        starts = tf.data.Dataset.range(0, end, batch_size)

        even = end % batch_size == 0  # then every batch has the same, static shape

        def gather(start):
            rows = self._order[start : start + batch_size]
            rows.set_shape([batch_size if even else None])
            return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), tensors)

        self.dataset = starts.map(gather, num_parallel_calls=1, deterministic=True).prefetch(2)

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the order of this epoch."""
        if self._shuffle:
            generator = np.random.default_rng((self._seed, epoch))
            self._order.assign(generator.permutation(self._count))


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
