"""What several tests share: small trained-nothing links, data, and where prepared data sets are."""

import gc
import os
import pathlib
import sys

import pytest

from arn_keras.backend import load_tensorflow

load_tensorflow()

import tensorflow as tf  # noqa: E402 - the line before says how it starts

_iterator = tf.data.Dataset.__iter__


def _untuned(dataset):
    """Batches without the thread that tunes a pipeline: its end is waited for, 0.2 s each time."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return _iterator(dataset.with_options(options))


tf.data.Dataset.__iter__ = _untuned
gc.freeze()  # what is loaded now stays: no collection walks through it again
gc.set_threshold(100_000, 20, 100)  # traces make many objects that stay: seldom looked at again

PREPARED = pathlib.Path(__file__).parents[2] / "shared" / "tensorflow_datasets"
if PREPARED.exists():
    os.environ.setdefault("TFDS_DATA_DIR", str(PREPARED))


# What takes longest goes first, so that no worker is left alone with it at the end.
LONG = (
    *("sweep", "keras_models", "cli", "stages", "own", "memory", "rooms", "keras_layers"),
    *("fitting", "links", "min_max_link", "taken", "devices", "web_kinds", "modulation", "given"),
    *("plain_keras", "web", "proof", "readme", "runtime", "own_inputs", "text", "torture"),
    *("keyed_bundle", "frontier", "haar", "wrong_figures", "backend"),
)


def pytest_collection_modifyitems(items):
    place = {f"test_{name}": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


@pytest.fixture(autouse=True)
def _repeatable():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def toys():
    """`toy_rooms` plugged in, in this process and in those that it starts."""
    from arn_keras import audit, channel, eve, export, pair, scenario, task

    rooms = [channel.CHANNELS, pair.BLOCKS, eve.EVES, task.TASKS, pair.PROTECTIONS]
    rooms += [scenario.SCENARIOS, audit.RUNGS, export.PRECISIONS]
    kept = [dict(room) for room in rooms]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARN_KERAS_PLUGINS", "toy_rooms")
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        yield
    sys.modules.pop("toy_rooms", None)  # the next module's commands plug it in again
    for room, before in zip(rooms, kept, strict=True):
        room.clear()
        room.update(before)


@pytest.fixture
def sources():
    import numpy as np

    return np.random.default_rng(0).uniform(size=(40, 6, 6, 1)).astype("float32")


@pytest.fixture
def labels():
    import numpy as np

    return np.arange(40, dtype="int32") % 3


@pytest.fixture
def models():
    """Transmitter, receiver and Eve of a small link, untrained."""
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.link.dense import build_receiver, build_transmitter

    shape = (6, 6, 1)
    return (
        build_transmitter(shape, symbols=8, hidden=16),
        build_receiver(shape, symbols=8, hidden=16),
        build_eavesdropper((8,), 3, hidden=(16,)),
    )
