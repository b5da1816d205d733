from statistics import NormalDist

import keras
import numpy as np
import pytest
import tensorflow as tf

from arn_keras.channel.awgn import AWGN, traced_by_xla


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 20.0])
def test_the_snr_over_a_million_symbols_is_the_one_asked_for(snr_db):
    signal = np.ones((1000, 1000), "float32")
    noise = np.asarray(AWGN(seed=1)(signal, snr_db=snr_db)) - signal
    measured_db = -10 * np.log10(np.mean(noise.astype(float) ** 2))
    assert measured_db == pytest.approx(snr_db, abs=0.02)  # 5 standard errors: 0.03
    assert abs(noise.mean()) < 5e-3 * 10 ** (-snr_db / 20)


def test_each_source_gets_its_own_snr():
    signal = np.zeros((3, 200_000), "float32")
    received = np.asarray(AWGN(seed=2)(signal, snr_db=np.array([0.0, 10.0, 20.0], "float32")))
    np.testing.assert_allclose(received.var(axis=1), [1.0, 0.1, 0.01], rtol=0.02)


def test_the_noise_is_white():
    noise = np.asarray(AWGN(seed=3)(np.zeros((200_000, 4), "float32"), snr_db=0.0))
    np.testing.assert_allclose(np.cov(noise.T), np.eye(4), atol=0.015)


def test_the_noise_is_gaussian():
    noise = np.asarray(AWGN(seed=4)(np.zeros((999_999,), "float32"), snr_db=0.0))  # an odd number
    levels = np.linspace(0.001, 0.999, 999)
    below = np.searchsorted(np.sort(noise), [NormalDist().inv_cdf(level) for level in levels])
    assert np.abs(below / noise.size - levels).max() < 2e-3  # Kolmogorov: 1 in 1000
    assert 4.4 < np.abs(noise).max() < 5.7  # and neither NaN nor infinite


def test_the_two_halves_of_a_draw_are_independent():
    cosine, sine = np.asarray(AWGN(seed=6)(np.zeros((2, 500_000), "float32"), snr_db=0.0))
    for first, second in ((cosine, sine), (cosine**2, sine**2), (abs(cosine), sine)):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.005  # 3.5 standard errors


def test_two_channels_draw_independent_noise():
    silence = np.zeros((1, 200_000), "float32")
    bob, eve = AWGN(seed=0)(silence, snr_db=0.0), AWGN(seed=1)(silence, snr_db=0.0)
    assert abs(np.corrcoef(bob, eve)[0, 1]) < 0.015


def test_the_channel_is_on_at_inference():
    inputs = keras.Input((8,))
    model = keras.Model(inputs, AWGN()(inputs, snr_db=0.0))
    assert np.std(model.predict(np.zeros((64, 8)), verbose=0)) == pytest.approx(1.0, abs=0.2)


def test_a_reseeded_channel_repeats_its_noise():
    channel, silence = AWGN(seed=5), np.zeros((2, 8), "float32")
    channel.reseed([7, 0])
    first = np.asarray(channel(silence, snr_db=0.0))
    assert not np.array_equal(first, channel(silence, snr_db=0.0))
    channel.reseed([7, 0])
    np.testing.assert_array_equal(first, channel(silence, snr_db=0.0))


def test_a_channel_traced_by_xla_draws_the_same_law():
    channel = AWGN(seed=9)

    @tf.function(jit_compile=True)
    def send(silence):
        with traced_by_xla(True):
            return channel(silence, snr_db=0.0)

    noise = np.asarray(send(np.zeros((200_000, 4), "float32")))
    np.testing.assert_allclose(np.cov(noise.T), np.eye(4), atol=0.015)
    assert np.mean(noise**4) == pytest.approx(3.0, abs=0.05)
    assert not np.array_equal(noise, send(np.zeros((200_000, 4), "float32")))


def test_a_function_of_the_caller_names_the_generator_and_draws_the_numbers_of_the_others():
    """XLA may compile it, and what makes TensorFlow's own choice of a key is slow there."""

    def ear():
        channel = AWGN(seed=1)
        return lambda: channel(tf.zeros((64, 8)), snr_db=0.0)

    traced = tf.function(ear())
    operations = {each.type for each in traced.get_concrete_function().graph.get_operations()}
    assert "StatelessRandomUniformV2" in operations
    assert "StatelessRandomGetKeyCounter" not in operations
    np.testing.assert_allclose(traced(), ear()(), rtol=1e-5, atol=1e-6)
