import numpy as np
import pytest

from arn_keras.loss.composite import (
    attack_power_loss,
    eve_confidence,
    eve_entropy_gap,
    eve_log_odds,
    eve_logit_margin,
    mean_attack_power_loss,
    mean_squared_error,
)


def test_the_attack_power_is_charged_above_the_budget_only_and_per_source():
    delta = np.zeros((3, 4), "float32")
    delta[1], delta[2] = 1.0, 2.0  # powers 0, 1, 4
    assert float(attack_power_loss(delta, 0.5)) == pytest.approx((0 + 0.5 + 3.5) / 3)
    assert float(attack_power_loss(delta, 4.0)) == 0.0
    # The mean power 5/3 is under the budget, yet one source is over it.
    assert float(attack_power_loss(delta, 2.0)) == pytest.approx(2 / 3)


def test_each_source_may_have_its_own_budget():
    delta = np.ones((2, 8), "float32")
    assert float(attack_power_loss(delta, np.array([0.25, 2.0], "float32"))) == pytest.approx(0.375)


def test_the_mean_attack_power_is_charged_in_units_of_a_budget_that_the_sources_share():
    delta = np.zeros((3, 4), "float32")
    delta[1], delta[2] = 1.0, 2.0  # powers 0, 1, 4, of mean 5/3
    assert float(mean_attack_power_loss(delta, 0.5)) == pytest.approx((5 / 3) / 0.5 - 1)
    # Two thirds of one source's excess over 2 are what the others leave.
    assert float(mean_attack_power_loss(delta, 2.0)) == 0.0
    assert float(mean_attack_power_loss(1e-3 * delta, 0.5e-6)) == pytest.approx(7 / 3, rel=1e-5)
    assert float(
        mean_attack_power_loss(delta, np.array([1.0, 0.5, 1.0], "float32"))
    ) == pytest.approx((0 + 2 + 4) / 3 - 1)


def test_the_semantic_loss_is_the_mean_square_of_the_difference():
    source, estimate = np.random.default_rng(0).uniform(size=(2, 5, 4, 4, 1)).astype("float32")
    assert float(mean_squared_error(source, estimate)) == pytest.approx(
        ((source - estimate) ** 2).mean(), rel=1e-6
    )


def test_the_confidence_is_the_softmax_of_the_true_label():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], "float32"))
    assert float(eve_confidence(logits, np.array([0, 1]))) == pytest.approx((0.7 + 0.1) / 2)


def test_the_confidence_survives_huge_logits():
    logits = np.array([[1e4, -1e4], [1e4, -1e4]], "float32")
    assert float(eve_confidence(logits, np.array([0, 1]))) == pytest.approx(0.5)


def test_the_log_odds_are_those_of_the_truth_and_end_where_it_is_improbable():
    chances = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5]], "float32")
    labels = np.array([0, 0, 0])
    # log(7/3) + 2, max(0, log(1/9) + 2), log(1/4) + 2
    expected = (np.log(7 / 3) + 2 + 0 + np.log(1 / 4) + 2) / 3
    assert float(eve_log_odds(np.log(chances) + 50, labels)) == pytest.approx(expected, rel=1e-5)
    sure = np.array([[1e4, -1e4], [-1e4, 1e4]], "float32")
    assert float(eve_log_odds(sure, labels[:2])) == pytest.approx((2e4 + 2) / 2)


def test_the_logit_margin_is_zero_only_where_the_mistake_is_sure():
    logits = np.array([[3.0, 1.0, 2.0], [0.0, 9.0, 1.0], [1.0, 4.0, 3.9]], "float32")
    labels = np.array([0, 0, 2])
    # 3 - 2 + 5, max(0, 0 - 9 + 5), 3.9 - 4 + 5
    assert float(eve_logit_margin(logits, labels)) == pytest.approx((6 + 0 + 4.9) / 3, rel=1e-5)
    # as many sources as there are classes is chance
    assert float(eve_logit_margin(logits[:2], labels[:2])) == pytest.approx(6 / 2, rel=1e-5)


def test_the_entropy_gap_is_zero_for_a_uniform_answer_and_log_c_for_a_sure_one():
    uniform, sure = np.full((2, 4), 7.0, "float32"), 1e3 * np.eye(4, dtype="float32")[:2]
    labels = np.array([0, 1])
    assert float(eve_entropy_gap(uniform, labels)) == pytest.approx(0.0, abs=1e-6)
    assert float(eve_entropy_gap(sure, labels)) == pytest.approx(np.log(4), rel=1e-6)
    confidence = np.array([[0.7, 0.2, 0.1]], "float32")
    expected = np.log(3) + (confidence * np.log(confidence)).sum()
    assert float(eve_entropy_gap(np.log(confidence), labels[:1])) == pytest.approx(expected)
