import dataclasses

import keras
import numpy as np
import pytest
from wiretaps import CLASSES, SYMBOLS, TINY, wiretap

from arn_keras.audit import RUNGS, keys
from arn_keras.audit.bob import bob
from arn_keras.audit.effort import Finding
from arn_keras.audit.keys import (
    fewer_rounds,
    key_reuse,
    known_plaintext,
    sent_twice,
    structure,
    wrong_key,
)
from arn_keras.audit.report import _remainders
from arn_keras.audit.simple import planted_norm, simple
from arn_keras.measure.leakage import accuracy, leakage_nats
from arn_keras.pair.chain import Protection
from arn_keras.pair.haar import HAAR
from arn_keras.pair.rotation import fast
from arn_keras.rooms import answer

LADDER = {
    rung: each.attack
    for rung, each in ((rung, answer(RUNGS, rung)) for rung in RUNGS)
    if not each.keyed_only
}
CHANCE = 1 / CLASSES
KEYED = Protection("keyed", rotation=fast(5))


def _scores(tap, findings):
    labels = tap.labels[1]
    return {f.eve: (accuracy(f.logits, labels), leakage_nats(f.logits, labels)) for f in findings}


@pytest.fixture(scope="module")
def open_tap():
    return wiretap()


@pytest.fixture(scope="module")
def noise_tap():
    return wiretap(leaks=False)


@pytest.fixture(scope="module")
def keyed_tap(open_tap):
    """The same signals under keys, and what was trained without: an audit shares that, too."""
    tap = wiretap(protection=KEYED)
    tap.clean = open_tap.clean
    return tap


@pytest.mark.parametrize("rung", LADDER)
def test_a_planted_leak_is_found_by_every_eve_who_hears_more_than_the_power(rung, open_tap):
    scores = _scores(open_tap, LADDER[rung](open_tap, TINY))
    scores.pop("norm only", None)
    assert scores
    for eve, (hits, leakage) in scores.items():
        assert hits > 0.9, (eve, hits)
        assert leakage > 0.75 * np.log(CLASSES), (eve, leakage)


@pytest.mark.parametrize("rung", LADDER)
def test_a_signal_without_a_leak_leaves_every_eve_at_chance(rung, noise_tap):
    for eve, (hits, leakage) in _scores(noise_tap, LADDER[rung](noise_tap, TINY)).items():
        assert hits == pytest.approx(CHANCE, abs=0.05), (eve, hits)
        assert leakage < 0.01, (eve, leakage)


def test_the_norm_only_eve_finds_a_norm_that_tells_the_label_and_nothing_in_a_constant_one(
    open_tap,
):
    told = wiretap(leaks=False, gain=(0.4, 0.7, 1.0, 1.3), snr_db=20.0)
    hits, leakage = _scores(told, simple(told, TINY))["norm only"]
    assert hits > 0.9
    assert leakage > 0.8
    hits, leakage = _scores(open_tap, simple(open_tap, TINY))["norm only"]
    assert hits == pytest.approx(CHANCE, abs=0.05)
    assert leakage < 0.01
    assert _scores(open_tap, planted_norm(open_tap, TINY))["norm only"][0] > CHANCE + 0.1


def test_a_keyed_message_has_a_constant_norm_whatever_the_class():
    tap = wiretap(protection=KEYED, gain=(0.4, 0.7, 1.0, 1.3), snr_db=20.0)
    for eve, (hits, leakage) in _scores(tap, simple(tap, TINY)).items():
        assert hits == pytest.approx(CHANCE, abs=0.05), eve
        assert leakage < 0.01, eve
    assert bob(tap)["norm_spread"] < 1e-5


@pytest.mark.parametrize("rung", ["E0", "E3", "E5"])
def test_fresh_keys_hide_a_leak_that_the_same_eve_would_find(rung, keyed_tap):
    for eve, (hits, leakage) in _scores(keyed_tap, LADDER[rung](keyed_tap, TINY)).items():
        assert hits == pytest.approx(CHANCE, abs=0.05), (eve, hits)
        assert leakage < 0.015, (eve, leakage)


def test_key_attacks_give_nothing_but_reuse_of_a_key_brings_eve_back(keyed_tap):
    tap = keyed_tap
    secret = [wrong_key(tap), *known_plaintext(tap, TINY, reused=False), sent_twice(tap, TINY)]
    for eve, (hits, leakage) in _scores(tap, secret).items():
        assert hits == pytest.approx(CHANCE, abs=0.05), (eve, hits)
        assert leakage < 0.015, (eve, leakage)
    reused = known_plaintext(tap, TINY, reused=True)
    assert [each.more["messages"] for each in reused] == [1, 64, 256]
    hits = [accuracy(each.logits, tap.labels[1]) for each in reused]
    # One pair gives a map of rank 1: plus or minus one signal, so two of the four labels at most.
    assert hits[0] <= 0.5 < 0.93 < hits[2]
    (everything,) = key_reuse(tap, dataclasses.replace(TINY, recordings=()))
    assert accuracy(everything.logits, tap.labels[1]) > 0.9
    assert not any(each.counts for each in reused)
    assert all(each.counts for each in secret)


def test_a_wrong_key_shows_a_picture_no_better_than_the_mean_one(keyed_tap):
    more = wrong_key(keyed_tap).more
    assert more["mse"] > more["mse_mean_picture"] > 0.01


def test_an_eve_who_undoes_the_last_mixing_reads_through_one_round_and_not_through_five():
    tap = wiretap()
    rng = np.random.default_rng(0)
    for each, labels in zip(tap.signals, tap.labels, strict=True):
        each[:] = 0.1 * rng.normal(size=each.shape)
        for row, label in enumerate(labels):  # a magnitude that tells the label
            each[row, 4 * label : 4 * label + 4] += 2 * rng.choice([-1, 1], 4)
    found = {}
    for rounds in (1, 5):
        tap.protection = Protection("keyed", rotation=fast(rounds))
        finding = structure(tap, TINY)
        assert finding.more == {"rounds": rounds}
        found[rounds] = accuracy(finding.logits, tap.labels[1])
    assert found[1] > 0.9
    assert found[5] == pytest.approx(CHANCE, abs=0.05)


def test_sparse_signals_under_the_uniform_rotation_tell_an_eve_without_noise_nothing():
    """They got through four rounds of the fast one; here there is no mixing to undo."""
    tap = wiretap(protection=Protection("keyed", rotation=HAAR), snr_db=60.0)
    for each, labels in zip(tap.signals, tap.labels, strict=True):
        each[:] = 0
        for row, label in enumerate(labels):
            each[row, label] = 4.0
    finding = structure(tap, TINY)
    assert (finding.eve, finding.more, finding.counts) == ("looks for structure", {}, True)
    assert accuracy(finding.logits, tap.labels[1]) == pytest.approx(CHANCE, abs=0.05)
    assert fewer_rounds(tap, TINY) == []


def test_bob_s_row_says_what_the_uniform_rotation_leaks_in_numbers():
    row = bob(wiretap(protection=Protection("keyed", rotation=HAAR)))
    assert row["rotation"] == "haar"
    assert 0 < row["remainder_nats"] < 1e-8
    assert row["norm_spread"] < 1e-5
    assert row["sent_power"] == pytest.approx(1, abs=1e-5)
    assert bob(wiretap(protection=KEYED))["rotation"] == "fast"
    assert "rotation" not in bob(wiretap())


def test_the_curve_over_rounds_does_not_count_for_the_worst_case(keyed_tap, monkeypatch):
    tap, weaker = keyed_tap, []

    def structure(tap, effort):
        weaker.append((tap.snr_db, tap.protection.rounds, tap.protection.name))
        return Finding("an Eve", None, more={"rounds": tap.protection.rounds})

    monkeypatch.setattr(keys, "structure", structure)
    (finding,) = fewer_rounds(tap, TINY)
    assert weaker == [(60.0, 1, "keyed")]
    assert (finding.counts, finding.more) == (False, {"rounds": 1})
    assert (tap.snr_db, tap.protection.rounds) == (10.0, 5)


@pytest.fixture(scope="module")
def clean(open_tap):
    """Eves who were trained without any module, by the floats that were the rule."""
    return {None: open_tap.clean, "float64": {}}


@pytest.mark.parametrize(
    ("floatx", "dtype"), [("float64", "float64"), ("float64", None), (None, "mixed_float16")]
)
def test_bob_and_a_defended_eve_are_measured_whatever_floats_a_module_computes_in(
    floatx, dtype, clean
):
    expected = bob(wiretap())["mse"]
    keras.config.set_floatx(floatx or "float32")
    try:
        module = keras.layers.Rescaling(1.0, dtype=dtype)
        arn = keras.Sequential([keras.Input((SYMBOLS,)), module])
        tap = wiretap(protection=Protection("arn", arn, arn))
        tap.clean = clean[floatx]
        assert bob(tap)["mse"] == pytest.approx(expected, rel=0.05)
        assert len(answer(RUNGS, "E2").attack(tap, TINY)) > 2
    finally:
        keras.config.set_floatx("float32")


def test_bob_pays_nothing_for_a_key():
    free, keyed = bob(wiretap()), bob(wiretap(protection=KEYED))
    assert keyed["mse"] == pytest.approx(free["mse"], rel=0.02)
    assert free["perturbation_power"] == 0
    assert keyed["sent_power"] == pytest.approx(1, abs=1e-5)
    # Q y is orthogonal to y on average, so that the added power is 2.
    assert keyed["perturbation_power"] == pytest.approx(2, abs=0.05)


def test_bob_is_measured_in_the_noise_that_is_asked_for():
    tap = wiretap(snr_db=40.0)
    y = tap.signals[1].astype(float)
    slope = np.mean((np.exp(-y) / (1 + np.exp(-y)) ** 2) ** 2)
    assert bob(tap)["mse"] == pytest.approx(1e-4 * slope, rel=0.03)


def test_the_report_says_what_each_rotation_claims():
    row = {"rung": "Bob", "protection": "keyed", "rotation": "haar"}
    measured = {"shift": 4e-6, "remainder_nats": 8e-11}
    (line,) = _remainders([row | measured, {"rung": "Bob", "protection": "none"}])
    assert "plus d^2 / (2 v) = 8.0e-11 nats a message, d = 4.0e-06" in line
    (line,) = _remainders([row | {"rotation": "fast"}])
    assert "the fast rotation, of which attacks tried are all that is claimed" in line
