"""The small link of `conftest.models`, built once: a test has it as it was at the beginning."""

import keras
import pytest
from weights import weights_of

from arn_keras import SecureLink
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.link.dense import build_receiver, build_transmitter


@pytest.fixture(scope="session")
def _parts():
    keras.utils.set_random_seed(0)
    shape = (6, 6, 1)
    found = (
        build_transmitter(shape, symbols=8, hidden=16),
        build_receiver(shape, symbols=8, hidden=16),
        build_eavesdropper((8,), 3, hidden=(16,)),
    )
    return found, [weights_of(model) for model in found]


@pytest.fixture(scope="session")
def refusing(_parts):
    """A link that is only given what it refuses: many tests ask the same."""
    link = SecureLink(*_parts[0])
    link.compile(run_eagerly=True)
    return link


@pytest.fixture
def models(_parts):
    """Transmitter, receiver and Eve of a small link, untrained: new weights, not new variables."""
    found, beginnings = _parts
    for model, weights in zip(found, beginnings, strict=True):
        model.set_weights(weights)
        model.trainable = True
    return found
