"""One checker for every public Keras model, as Keras has `run_layer_test` for its layers.

`check(subject)` builds, fits, evaluates, predicts, saves and loads a link in the ways that people
use Keras, and says which of them it did.
"""

import dataclasses
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
    """

    build: Callable
    compiled: dict
    x: np.ndarray
    y: Any
    name: str
    trained: tuple

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


def feeds(subject):
    """The same data as Keras takes it: {how: arguments of fit}; 40 sources, a ragged last batch."""
    x, y, count = subject.x, subject.y, len(subject.x)
    rows = (x,) if y is None else (x, y)

    def batches():
        for start in range(0, count, 24):
            yield tuple(array[start : start + 24] for array in rows)

    tensors = tf.data.Dataset.from_tensor_slices(rows).batch(24)
    found = {
        "arrays": {"x": x, "y": y, "batch_size": 24},
        "tf.data": {"x": tensors},
        "a generator": {"x": batches(), "steps_per_epoch": 2},
        "a dictionary": {"x": {subject.name: x}, "y": y, "batch_size": 24},
        "tensors": {"x": tf.constant(x), "y": y, "batch_size": 24},
        "float64": {"x": x.astype("float64"), "y": y, "batch_size": 24},
        "float16": {"x": x.astype("float16"), "y": y, "batch_size": 24},
        "bits": {"x": x > 0.5, "y": y, "batch_size": 24},
        "positional": {"x": x, "y": y, "batch_size": 24, "validation_split": 0.25},
    }
    if y is not None:
        found["labels [n, 1]"] = {"x": x, "y": y[:, None], "batch_size": 24}
        found["labels of floats"] = {"x": x, "y": y.astype("float64"), "batch_size": 24}
        found["labels of int64"] = {"x": x, "y": y.astype("int64"), "batch_size": 24}
    return found


def check_feeds(subject):
    """However it is fed, it learns from what was meant."""
    link, _ = subject.link(run_eagerly=True, optimizer=keras.optimizers.SGD(1e-2))
    for how, arguments in feeds(subject).items():
        history = link.fit(**arguments, verbose=0).history
        assert np.isfinite(history["loss"]).all(), how
    expected = link.evaluate(**subject.data(), verbose=0, return_dict=True)
    again = link.evaluate(**subject.data(), verbose=0, return_dict=True)
    assert expected == again
    if subject.y is not None:
        column = {"x": subject.x, "y": subject.y[:, None]}
        assert link.evaluate(**column, verbose=0, return_dict=True) == expected


def check_counting(subject):
    """A loop of fit(epochs=1) is one fit; so it is across a file; initial_epoch says otherwise."""
    data = {**subject.data(), "batch_size": 24, "verbose": 0}
    whole, _ = subject.link(run_eagerly=True)
    whole.fit(**data, epochs=2)
    parts, _ = subject.link(run_eagerly=True)
    for _ in range(2):
        parts.fit(**data, epochs=1)
    assert equal(weights_of(*whole.trained()), weights_of(*parts.trained()))
    resumed, _ = subject.link(run_eagerly=True)
    for epoch in range(2):
        resumed.fit(**data, epochs=epoch + 1, initial_epoch=epoch)
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
        link.evaluate(**subject.data(), snr_db=-20.0, verbose=0)
        link.predict(subject.x, snr_db=30.0, verbose=0)
        asked.append(np.array(link.snr_range_db).tolist())

    one = keras.callbacks.LambdaCallback(on_epoch_end=ask)
    validation = tuple(subject.data().values()) if subject.y is not None else (subject.x,)
    data = {**subject.data(), "batch_size": 24, "verbose": 0, "snr_db": (5.0, 15.0)}
    history = link.fit(**data, callbacks=one, validation_data=validation).history
    link.fit(**data, callbacks=[one])
    assert "val_loss" in history
    assert asked == [[5.0, 15.0]] * 2
    undisturbed, _ = subject.link(run_eagerly=True)
    for _ in range(2):
        undisturbed.fit(**data)
    assert equal(weights_of(*link.trained()), weights_of(*undisturbed.trained()))


def check_compiled(subject, batch_size=8, **options):
    """The other ways in which Keras runs a step; gives the link."""
    link, _ = subject.link(optimizer=keras.optimizers.Adam(1e-2), **options)
    link.fit(**subject.data(), batch_size=batch_size, verbose=0)
    assert np.isfinite(link.evaluate(**subject.data(), verbose=0, return_dict=True)["loss"])
    return link


def check_saved(subject, path):
    """Saves a link that was trained; gives what a loaded one must give."""
    link, _ = subject.link(run_eagerly=True)
    link.fit(**subject.data(), batch_size=24, verbose=0)
    link.save(path)
    expected = link.predict(subject.x, verbose=0)
    link.fit(**subject.data(), batch_size=24, verbose=0)
    return expected, weights_of(*link.trained())
