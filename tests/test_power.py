import math

import numpy as np
import pytest
import tensorflow as tf

from arn_keras.power import (
    db_to_ratio,
    mean_power,
    noise_variance,
    paused,
    ratio_to_db,
    sent_share,
    with_power_of,
)


@pytest.mark.parametrize(("db", "ratio"), [(0, 1), (10, 10), (-10, 0.1), (3, 1.9952623)])
def test_a_level_in_db_is_ten_log_ten_of_the_ratio(db, ratio):
    assert db_to_ratio(db) == pytest.approx(ratio, rel=1e-7)
    assert ratio_to_db(ratio) == pytest.approx(db, abs=1e-6)


def test_no_power_is_minus_infinity_db():
    assert ratio_to_db(0) == -math.inf


def test_the_noise_variance_at_3_db_is_half_the_signal_power():
    assert noise_variance(3.0103) == pytest.approx(0.5, rel=1e-5)


def test_mean_power_is_the_mean_square_per_real_symbol_of_each_source():
    signal = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    np.testing.assert_allclose(mean_power(signal), (signal**2).mean((1, 2)), rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["NumPy", "TensorFlow"])
def test_pauses_are_no_part_of_a_mean_and_get_no_perturbation(kind):
    signal = np.zeros((3, 4, 2), "float32")
    signal[0, 0], signal[1, :3], signal[1, 2, 0] = (1.0, -2.0), (2.0, 0.5), 0.0  # a real may be 0
    share = np.array([1 / 4, 3 / 4, 0.0])
    np.testing.assert_allclose(sent_share(kind(signal)), share, atol=1e-9)
    per_place = np.array([5 / 2, (4.25 + 4.25 + 0.25) / 6, 0.0])
    found = mean_power(kind(signal), over=kind(signal))
    np.testing.assert_allclose(found, per_place, rtol=1e-6)
    assert np.asarray(found).dtype == "float32"
    delta = np.full(signal.shape, 3.0, "float32")
    sent = np.any(signal != 0, axis=-1, keepdims=True)
    np.testing.assert_array_equal(paused(tf.constant(delta), tf.constant(signal)), delta * sent)


def test_what_is_sent_gets_the_power_of_its_signal_source_by_source():
    rng = np.random.default_rng(1)
    signal, sent = rng.normal(size=(2, 4, 3, 2)).astype("float32") * [[[[1.0]]], [[[7.0]]]]
    sent[0] = 0.0
    scaled = np.asarray(with_power_of(signal, sent))
    power = (signal**2).mean((1, 2))
    np.testing.assert_allclose((scaled**2).mean((1, 2))[1:], power[1:], rtol=1e-5)
    np.testing.assert_array_equal(scaled[0], 0.0)
    ratio = scaled[1:] / sent[1:]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-5)
