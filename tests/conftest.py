"""What several tests share: small trained-nothing links, data, and where prepared data sets are."""

import os
import pathlib

import pytest

from arn_keras.backend import load_tensorflow

load_tensorflow()

PREPARED = pathlib.Path(__file__).parents[2] / "shared" / "tensorflow_datasets"
if PREPARED.exists():
    os.environ.setdefault("TFDS_DATA_DIR", str(PREPARED))


@pytest.fixture(autouse=True)
def _repeatable():
    import keras

    keras.utils.set_random_seed(0)


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
