import math

import numpy as np
import pytest

from arn_keras.measure.leakage import (
    Leakage,
    accuracy,
    cross_entropy,
    entropy,
    leakage_nats,
    majority_rate,
)


def _binary_symmetric(flips, sources=1000):
    labels = np.arange(sources) % 2
    heard = np.where(np.arange(sources) // 2 < flips * sources / 2, 1 - labels, labels)
    share = np.where(heard[:, None] == np.arange(2), 1 - flips, flips)
    return np.log(share), labels


def test_the_leakage_of_a_binary_symmetric_channel_is_its_mutual_information():
    logits, labels = _binary_symmetric(0.1)
    capacity = math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    assert leakage_nats(logits, labels) == pytest.approx(capacity, abs=1e-6)
    assert accuracy(logits, labels) == pytest.approx(0.9)


def test_an_over_confident_eve_is_not_counted_as_a_fooled_one():
    logits, labels = _binary_symmetric(0.1)
    assert cross_entropy(20 * logits, labels) > math.log(2)
    expected = leakage_nats(logits, labels)
    assert leakage_nats(20 * logits, labels) == pytest.approx(expected, rel=0.02)


def test_an_eve_who_knows_all_gets_the_entropy_and_one_who_guesses_nothing():
    labels = np.repeat(np.arange(3), (500, 300, 200))
    assert leakage_nats(1e3 * np.eye(3)[labels], labels) == pytest.approx(entropy(labels, 3))
    noise = np.random.default_rng(0).normal(size=(1000, 3))
    assert 0 <= leakage_nats(noise, labels) < 0.01
    assert majority_rate(labels) == 0.5
    assert entropy(np.arange(8), 8) == pytest.approx(math.log(8))
    assert entropy(np.arange(8), 11) == pytest.approx(math.log(8))  # three that nobody has


def test_the_temperatures_reach_from_too_careful_an_eve_to_one_who_is_sure_of_all_but_noise():
    logits, labels = _binary_symmetric(0.1)
    for scale in (1 / 9, 1 / 3, 1.0, 30.0, 300.0):
        assert leakage_nats(scale * logits, labels) == pytest.approx(
            leakage_nats(logits, labels), rel=0.02
        )


def test_the_leakage_of_batches_is_that_of_all_sources_at_once():
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, 90)
    logits = random.normal(size=(90, 3)) + 2 * np.eye(3)[labels]
    leakage = Leakage(3)
    for part in (slice(0, 7), slice(7, 80), slice(80, 90)):
        leakage.add(logits[part], labels[part])
    assert leakage.nats == pytest.approx(leakage_nats(logits, labels), rel=1e-12)
    assert leakage.nats > 0.2


def test_half_logits_are_counted_in_full():
    # A half knows neither 4 + 0.001 nor the sum of a thousand ones.
    logits = np.zeros((1, 4096), "float16")
    assert cross_entropy(logits, [7]) == pytest.approx(math.log(4096), rel=1e-12)


def test_a_logit_that_is_no_number_is_refused():
    with pytest.raises(ArithmeticError, match="expected finite logits"):
        leakage_nats(np.array([[0.0, np.nan]]), np.array([0]))
