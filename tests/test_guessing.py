import math

import numpy as np
import pytest

from arn_keras.audit.report import headline
from arn_keras.measure.guessing import RISK, accuracy_limit, leakage_limit
from arn_keras.measure.leakage import leakage_nats


def tail(hits, sources, chance):
    """P(Bin(sources, chance) > hits), term by term."""
    return sum(
        math.comb(sources, k) * chance**k * (1 - chance) ** (sources - k)
        for k in range(hits + 1, sources + 1)
    )


@pytest.mark.parametrize(
    ("chance", "sources", "looks"), [(0.1, 360, 20), (0.5, 40, 1), (0.9, 8, 3)]
)
def test_the_limit_is_the_least_number_of_hits_that_guessing_rarely_exceeds(chance, sources, looks):
    hits = round(accuracy_limit(chance, sources, looks) * sources)
    assert tail(hits, sources, chance) <= RISK / looks < tail(hits - 1, sources, chance)


def _rows(accuracies, sources):
    common = {"protection": "keyed", "counts": True, "curve": [], "sources": sources}
    return [
        {**common, "eve_accuracy": value, "leakage_nats": 0.0, "majority_rate": 0.1}
        for value in accuracies
    ]


def test_a_ladder_of_20_guessing_eves_on_360_sources_rarely_passes_for_a_leak():
    chance = np.random.default_rng(0)
    labels = np.arange(360) % 10
    ladders = [np.mean(chance.integers(0, 10, (20, 360)) == labels, axis=1) for _ in range(2000)]
    limit = headline(_rows(ladders[0], 360))["keyed"]["guessing_accuracy"]
    assert limit == accuracy_limit(0.1, 360, 20)
    exceeded = np.mean([max(each) > limit for each in ladders])
    assert exceeded <= RISK
    assert np.mean([max(each) > 0.115 for each in ladders]) > 0.95  # a fixed 1.5 points


def test_an_eve_who_does_better_than_guessing_is_over_the_limit():
    assert accuracy_limit(0.1, 360, 20) < 0.17
    assert accuracy_limit(0.1, 10_000, 60) < 0.112
    assert accuracy_limit(0.1, 360, 200) > accuracy_limit(0.1, 360, 20)
    assert accuracy_limit(0.1, 10, 10**6) <= 1
    assert accuracy_limit(0.1, 360) == accuracy_limit(0.1, 360, 1)  # one look, unless said
    assert leakage_limit(360) == leakage_limit(360, 1)


def test_every_measured_epoch_and_restart_is_a_look():
    rows = _rows([0.1, 0.1, 0.1], 360)
    rows[1]["curve"] = [[1, 0.1, 2.3]] * 4
    rows[2] |= {"curve": [[1, 0.1, 2.3]] * 3, "restarts": 2}
    found = headline(rows)["keyed"]
    assert found["looks"] == 1 + 4 + 6
    assert found["guessing_accuracy"] == accuracy_limit(0.1, 360, 11)
    assert found["guessing_leakage_nats"] == leakage_limit(360, 11)


@pytest.mark.parametrize("confidence", [0.01, 1.0, 30.0])
def test_the_leakage_of_guessing_eves_stays_below_its_limit(confidence):
    chance = np.random.default_rng(1)
    share = np.array((0.4, 0.3, 0.2, 0.1))
    limit, exceeded = leakage_limit(360, 20), 0
    for _ in range(15):
        labels = chance.choice(4, 360, p=share)
        found = [
            leakage_nats(np.log(share) + confidence * chance.normal(size=(360, 4)), labels)
            for _ in range(20)
        ]
        exceeded += max(found) > limit
    assert exceeded == 0
    assert limit == pytest.approx(math.log(36 * 20 / 0.01) / 360)


def test_a_leak_of_two_hundredths_of_a_nat_is_found_on_a_thousand_sources():
    labels = np.arange(1000) % 2
    heard = np.where(np.arange(1000) // 2 % 5 < 2, 1 - labels, labels)  # wrong in 2 of 5
    logits = np.log(np.where(heard[:, None] == np.arange(2), 0.6, 0.4))
    capacity = math.log(2) + 0.4 * math.log(0.4) + 0.6 * math.log(0.6)
    assert leakage_nats(logits, labels) == pytest.approx(capacity, abs=1e-9)
    assert capacity > leakage_limit(1000, 20)
