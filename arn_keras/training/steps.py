"""A step that is given batches as its link takes them, never what stands for one.

A batch is gathered and looked at in front of the step, and XLA compiles the step alone: it drops
the checks of a graph without a word, so labels that are no class would pass.
"""

import contextlib
import contextvars
import functools

import keras
import tensorflow as tf

from arn_keras.channel.awgn import traced_by_xla
from arn_keras.training import given
from arn_keras.training.batches import Start

_in_step = contextvars.ContextVar("in_step", default=False)


def by_xla(link):
    """Whether XLA compiles the steps of a Keras model."""
    return bool(link.jit_compile and not link.run_eagerly)


@contextlib.contextmanager
def left_to_the_step(link):
    """Context in which Keras makes a function of a step, which compiles itself."""
    asked, link.jit_compile = link.jit_compile, False
    try:
        yield
    finally:
        link.jit_compile = asked


def of_its_own(link, step, batch):
    """A step of a batch that was looked at; XLA compiles it alone, where it does."""
    compiled = by_xla(link)
    if compiled:
        step = tf.function(step, autograph=False, reduce_retracing=True, jit_compile=True)
    with traced_by_xla(compiled):
        return step(batch)


def trace_anew(link, function, *data):
    """Has Keras make a function of a link anew for data of other numbers of axes: traced a second
    time, the old one would be for any number, where [n] and [n, 1] cannot be told apart.

    Args:
        link: Keras model.
        function: "train_function", "test_function" or "predict_function".
        *data: what it will be given: nests of arrays, or data sets.
    """
    specs = [getattr(each, "element_spec", each) for each in data]
    shapes = [getattr(each, "shape", ()) for each in keras.tree.flatten(specs)]
    axes = [tf.TensorShape(shape).rank for shape in shapes]  # None where a data set does not say
    if link.__dict__.setdefault("_axes", {}).setdefault(function, axes) != axes:
        setattr(link, function, None)
    link._axes[function] = axes


def given_batches(step):
    """Wraps `train_step` or `test_step` of a `NoisyLink`, also one of a subclass."""

    @functools.wraps(step)
    def with_batches(self, data):
        if _in_step.get():  # of a subclass, which calls this one with its batch
            return step(self, data)
        token = _in_step.set(True)
        try:
            gathered = isinstance(data, Start)  # from arrays that were looked at as a whole
            data = self._tables.gather(data) if gathered else data
            data = self.prepared(data, looked_at=gathered)
            data = data if gathered else given.looked_at(data)
            return of_its_own(self, functools.partial(step, self), data)
        finally:
            _in_step.reset(token)

    return with_batches
