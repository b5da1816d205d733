"""One checker for every public Keras model, as Keras has `run_layer_test` for its layers.

`check(subject)` builds, fits, evaluates, predicts, saves and loads a link in the ways that people
use Keras, and says which of them it did.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from weights import equal, weights_of

from arn_keras.training.optimizer import FusedAdam


@dataclasses.dataclass
class Subject:
    """A link to be checked.

    Attributes:
        build: () -> (link, models that the caller handed in).
        compiled: arguments of `compile`.
        x: array of its inputs, [n, ...].
        y: what `fit` takes beside it, or None.
        name: key of x in a dictionary.
        trained: names of the models that `fit` moves.
        fed_as: the subject whose way from what `fit` is given to a batch it inherits, or None.
    """

    build: Callable
    compiled: dict
    x: np.ndarray
    y: Any
    name: str
    trained: tuple
    fed_as: str | None = None

    def link(self, **options):
        """A new compiled link, always with the same weights."""
        keras.utils.set_random_seed(0)
        link, handed = self.build()
        link.compile(**{"optimizer": FusedAdam(1e-2), **self.compiled, **options})
        return link, handed

    def data(self, part=slice(None)):
        """Arguments of `fit`."""
        y = None if self.y is None else keras.tree.map_structure(lambda a: a[part], self.y)
        return {"x": self.x[part], "y": y}

    @functools.cached_property
    def after_two(self):
        """Weights after two calls of `fit` of one epoch each, as `EPOCH` says."""
        link, _ = self.link(run_eagerly=True)
        for _ in range(2):
            link.fit(**self.data(), **EPOCH)
        return weights_of(*link.trained())


# One batch an epoch: which source meets which noise is of the epoch, and an epoch is one step.
EPOCH = {"batch_size": 40, "verbose": 0, "snr_db": (5.0, 15.0)}


def feeds(subject):
    """The same data as Keras takes it: {how: arguments of fit}; 40 sources, a ragged last batch
    where batches are made in another way, one batch where it is another type or shape."""
    x, y, count = subject.x, subject.y, len(subject.x)
    rows = (x,) if y is None else (x, y)

    def batches():
        for start in range(0, count, 24):
            yield tuple(array[start : start + 24] for array in rows)

    tensors = tf.data.Dataset.from_tensor_slices(rows).batch(24)
    found = {
        "arrays": {"x": x, "y": y, "batch_size": 24},
        "tf.data": {"x": tensors},
        "positional": {"x": x, "y": y, "batch_size": 40, "validation_split": 0.25},
    }
    if y is not None:
        found["labels [n, 1]"] = {"x": x, "y": y[:, None], "batch_size": 40}
    if subject.fed_as is not None:
        return found
    found |= {
        "a generator": {"x": batches(), "steps_per_epoch": 2},
        "a dictionary": {"x": {subject.name: x}, "y": y, "batch_size": 40},
        "tensors": {"x": tf.constant(x), "y": y, "batch_size": 40},
        "float64": {"x": x.astype("float64"), "y": y, "batch_size": 40},
        "float16": {"x": x.astype("float16"), "y": y, "batch_size": 40},
        "bits": {"x": x > 0.5, "y": y, "batch_size": 40},
    }
    if y is not None:
        found["labels of floats"] = {"x": x, "y": y.astype("float64"), "batch_size": 40}
        found["labels of int64"] = {"x": x, "y": y.astype("int64"), "batch_size": 40}
    return found


def check_feeds(subject):
    """However it is fed, it learns from what was meant."""
    link, _ = subject.link(run_eagerly=True, optimizer=keras.optimizers.SGD(1e-2))
    for how, arguments in feeds(subject).items():
        history = link.fit(**arguments, verbose=0).history
        assert np.isfinite(history["loss"]).all(), how
    options = {"batch_size": 40, "verbose": 0, "return_dict": True}
    expected = link.evaluate(**subject.data(), **options)
    again = link.evaluate(**subject.data(), **options)
    assert expected == again
    if subject.y is not None:
        column = {"x": subject.x, "y": subject.y[:, None]}
        assert link.evaluate(**column, **options) == expected


def check_counting(subject):
    """A loop of fit(epochs=1) is one fit; so it is across a file; initial_epoch says otherwise."""
    whole, _ = subject.link(run_eagerly=True)
    whole.fit(**subject.data(), **EPOCH, epochs=2)
    assert equal(weights_of(*whole.trained()), subject.after_two)
    resumed, _ = subject.link(run_eagerly=True)
    for epoch in range(2):
        resumed.fit(**subject.data(), **EPOCH, epochs=epoch + 1, initial_epoch=epoch)
    assert equal(weights_of(*whole.trained()), weights_of(*resumed.trained()))


def check_handed_in(subject):
    """What the caller handed in is unchanged: flags, and weights of all that is not trained."""
    link, handed = subject.link(run_eagerly=True)
    before = {name: [np.array(w) for w in model.weights] for name, model in handed.items()}
    x, y = np.array(subject.x), None if subject.y is None else np.array(subject.y)
    link.fit(**subject.data(), batch_size=24, verbose=0)
    for name, model in handed.items():
        assert model.trainable, name
        assert all(layer.trainable for layer in model.layers), name
        assert equal(before[name], [np.array(w) for w in model.weights]) == (
            name not in subject.trained
        ), name
    np.testing.assert_array_equal(x, subject.x)
    if y is not None:
        np.testing.assert_array_equal(y, subject.y)
    moved = {id(v) for part in link.trained() for v in part.trainable_variables}
    assert {id(v) for v in link.trainable_variables} == moved
    assert {id(v) for v in link.trainable_weights} == moved


def check_callbacks(subject):
    """A callback alone and in a list, validation data, and the SNR of a call for that call."""
    link, _ = subject.link(run_eagerly=True)
    asked = []

    def ask(epoch, logs):
        link.evaluate(**subject.data(), snr_db=-20.0, batch_size=40, verbose=0)
        link.predict(subject.x, snr_db=30.0, batch_size=40, verbose=0)
        asked.append(np.array(link.snr_range_db).tolist())

    one = keras.callbacks.LambdaCallback(on_epoch_end=ask)
    validation = tuple(subject.data().values()) if subject.y is not None else (subject.x,)
    data = {**subject.data(), **EPOCH}
    history = link.fit(**data, callbacks=one, validation_data=validation).history
    link.fit(**data, callbacks=[one])
    assert "val_loss" in history
    assert asked == [[5.0, 15.0]] * 2
    assert equal(weights_of(*link.trained()), subject.after_two)


def check_compiled(subject, batch_size=20, **options):
    """The other ways in which Keras runs a step."""
    link, _ = subject.link(optimizer=keras.optimizers.Adam(1e-2), **options)
    link.fit(**subject.data(), batch_size=batch_size, verbose=0)
    found = link.evaluate(**subject.data(), batch_size=40, verbose=0, return_dict=True)
    assert np.isfinite(found["loss"])


def check_precision(subject, policy):
    """One step of each kind in this precision; gives what the link predicts."""
    link, _ = subject.link(optimizer=keras.optimizers.Adam(1e-2), run_eagerly=True)
    if policy != "float64":  # what a step computes with, whatever it is fed with
        assert np.isfinite(link.train_on_batch(**subject.data(), return_dict=True)["loss"])
        return link.predict_on_batch(subject.x)
    data = {**subject.data(), "batch_size": 40, "verbose": 0}
    link.fit(**data)
    assert np.isfinite(link.evaluate(**data, return_dict=True)["loss"])
    return link.predict(subject.x, batch_size=40, verbose=0)


def check_saved(subject, path):
    """Saves a link that was trained; gives what a loaded one must give."""
    link, _ = subject.link(run_eagerly=True)
    data = {**subject.data(), "batch_size": 40, "verbose": 0}
    link.fit(**data)
    link.save(path)
    expected = link.predict(subject.x, batch_size=40, verbose=0)
    link.fit(**data)
    return expected, weights_of(*link.trained())
