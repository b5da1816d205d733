import numpy as np
import pytest

from arn_keras.link.dense import build_receiver, build_transmitter, default_symbols


@pytest.mark.parametrize(
    ("shape", "symbols"), [((28, 28, 1), 128), ((32, 32, 3), 502), ((8, 8, 1), 32)]
)
def test_the_rate_is_the_letters_with_a_floor_for_small_sources(shape, symbols):
    assert default_symbols(shape) == symbols
    assert build_transmitter(shape).output_shape == (None, symbols)
    assert build_receiver(shape).input_shape == (None, symbols)
    assert build_receiver(shape).output_shape == (None, *shape)


def test_every_source_is_sent_with_power_one():
    sources = np.random.default_rng(0).uniform(size=(64, 28, 28, 1)).astype("float32")
    signal = build_transmitter((28, 28, 1))(sources).numpy().astype(float)
    np.testing.assert_allclose((signal**2).mean(axis=1), 1.0, atol=2e-6)


def test_the_receiver_gives_pixels():
    received = np.random.default_rng(0).normal(size=(16, 128)).astype("float32")
    pixels = build_receiver((28, 28, 1))(received).numpy()
    assert 0 < pixels.min() < pixels.max() < 1
