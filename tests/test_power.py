import math

import numpy as np
import pytest

from arn_keras.power import db_to_ratio, mean_power, noise_variance, ratio_to_db


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
