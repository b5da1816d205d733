"""Shuffled batches gathered from arrays, each epoch's order derived from seed and epoch.

A pipeline that shuffles records takes a core from the matrix products; this one shuffles numbers
and gathers rows. Nothing depends on the state of the process, so a resumed epoch is the epoch
that was lost. Arrays that fit in memory are gathered in the graph, by the training step itself
where it can (`Tables`): each hand-over from a pipeline's thread costs, most where every core has a
worker. Others, memory maps mostly, are read row by row, and cost the memory of a few batches.
"""

import contextlib
import gc
import itertools
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from arn_keras.machine.files import fit_in_memory
from arn_keras.training.arrays import refuse_other_lengths


class Start(NamedTuple):
    """What stands for a batch that the step gathers: its first place in the epoch's order."""

    index: Any


class Tables:
    """Arrays as variables of the graph, from which a training step gathers its batches.

    A trace of the step refers to the variables, so it serves all arrays of these types and row
    shapes, whatever their number of sources. They are empty but while `fit` runs.

    Args:
        arrays: nest of arrays of equal length, one row a source.
        batch_size: sources a batch.
        even: whether every batch of an epoch has so many: its shape is static then.
    """

    def __init__(self, arrays, batch_size, even):
        self._kind = _kind(arrays, batch_size, even)
        self._batch_size, self._even = batch_size, even
        self.order = _variable(np.empty(0, np.int32))
        self._arrays = tf.nest.map_structure(_variable, arrays)

    def serve(self, arrays, batch_size, even):
        """Whether a step that was traced with these tables can train on such arrays, too."""
        return self._kind == _kind(arrays, batch_size, even)

    @contextlib.contextmanager
    def filled(self, arrays):
        """Context in which the tables hold these arrays."""
        pairs = list(zip(tf.nest.flatten(self._arrays), tf.nest.flatten(arrays), strict=True))
        for variable, array in pairs:
            variable.assign(array)
        try:
            yield
        finally:
            for variable, array in pairs:
                variable.assign(array[:0])

    def gather(self, start):
        """The batch of a `Start`, shaped like the arrays."""
        rows = self.order[start.index : start.index + self._batch_size]
        rows.set_shape([self._batch_size if self._even else None])
        return tf.nest.map_structure(lambda variable: tf.gather(variable, rows), self._arrays)


def _kind(arrays, batch_size, even):
    rows = tf.nest.map_structure(lambda array: (str(array.dtype), *array.shape[1:]), arrays)
    return rows, batch_size, even


def _variable(array):
    return tf.Variable(array[:0], shape=[None, *array.shape[1:]], trainable=False)


class EpochBatches(keras.callbacks.Callback):
    """A data set of batches, and the callback that gives it each epoch's order.

    Args:
        arrays: nest of arrays of equal length, one row a source.
        batch_size: sources a batch; the last batch of an epoch may be smaller.
        seed: seed of the order.
        shuffle: whether to shuffle at all.
        drop_remainder: whether an epoch leaves out the sources that fill no batch; they are others
            in each epoch, and a step is then traced for one shape and not for two.
        in_step: whether `dataset` is of `Start`, and the step itself gathers.
        tables: `Tables` of an earlier epoch, taken again if they serve these arrays.

    Raises:
        DataError: if the arrays differ in length.

    Attributes:
        dataset: `tf.data.Dataset` of batches, shaped like `arrays`, or of `Start`.
        tables: `Tables` that serve the arrays, None unless `in_step`.
    """

    def __init__(
        self,
        arrays,
        batch_size,
        seed=0,
        shuffle=True,
        drop_remainder=False,
        in_step=False,
        tables=None,
    ):
        super().__init__()
        self._seed = seed
        self._shuffle = shuffle
        refuse_other_lengths(arrays)
        self._count = len(tf.nest.flatten(arrays)[0])
        self._arrays = arrays
        end = self._count
        if drop_remainder and batch_size <= end:
            end -= end % batch_size
        even = end % batch_size == 0  # then every batch has the same, static shape
        starts = tf.data.Dataset.range(0, end, batch_size)
        # What tunes a pipeline is a thread of its own, and there is nothing to tune here.
        options = tf.data.Options()
        options.autotune.enabled = False
        if in_step:
            fitting = tables and tables.serve(arrays, batch_size, even)
            self.tables = tables if fitting else Tables(arrays, batch_size, even)
            self._order = self.tables.order
            self.dataset = tf.data.Dataset.zip(Start(starts)).with_options(options)
        else:
            self.tables = None
            self._order = _variable(np.empty(0, np.int32))
            gather = _gathered(arrays)

            def batch(start):
                rows = self._order[start : start + batch_size]
                rows.set_shape([batch_size if even else None])
                return gather(rows)

            self.dataset = starts.map(batch).prefetch(2).with_options(options)
        self._order.assign(np.arange(self._count, dtype=np.int32))

    def filled(self):
        """Context of the training: what the step gathers from is there."""
        return self.tables.filled(self._arrays) if self.tables else contextlib.nullcontext()

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the order of this epoch."""
        if self._shuffle:
            generator = np.random.default_rng((self._seed, epoch))
            self._order.assign(generator.permutation(self._count).astype(np.int32))


def size(arrays):
    """Bytes of a nest of arrays."""
    return sum(array.nbytes for array in tf.nest.flatten(arrays))


def _gathered(arrays):
    """Function from numbers of rows to these rows of all arrays."""
    if fit_in_memory(size(arrays)):
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
