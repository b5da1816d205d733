from dataclasses import replace

import keras
import numpy as np
import pytest

from arn_keras.data.dataset import Dataset, Split
from arn_keras.measure.evaluation import Evaluation, cases, examples, rows
from arn_keras.pair import chain
from arn_keras.pair.chain import compose
from arn_keras.pair.haar import HAAR
from arn_keras.pair.rotation import (
    ROUNDS,
    build_receiver_keyed,
    build_transmitter_keyed,
    random_signs,
)


@pytest.fixture
def split(labels):
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), "uint8")
    return Split(images, labels)


@pytest.fixture
def dataset(split):
    return Dataset("small", split, split, 3, preprocessing="unit_interval")


@pytest.fixture
def pair(models):
    from arn_keras import build_receiver_arn, build_transmitter_arn

    return build_transmitter_arn((8,), (16,)), build_receiver_arn((8,), (16,))


def test_a_row_agrees_with_numpy_on_the_signals_it_was_measured_on(models, split, dataset, pair):
    measure = Evaluation(*models, seed=1, dataset=dataset, batch_size=40)
    modules = cases(*pair)["paired"]
    row = measure.row(split, 10.0, **modules)
    signals = measure.signals(split, 10.0, **modules)
    mse = ((split.source / 255.0 - np.asarray(signals.estimate, float)) ** 2).mean()
    logits = np.asarray(models[2](signals.overheard), float)
    log_confidence = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    truth = log_confidence[np.arange(40), split.label]
    share = np.bincount(split.label) / 40
    power = (np.asarray(signals.perturbation, float) ** 2).mean()
    assert row["mse"] == pytest.approx(mse, rel=1e-5)
    assert row["psnr_db"] == pytest.approx(-10 * np.log10(mse), abs=1e-4)
    assert row["eve_accuracy"] == pytest.approx((logits.argmax(1) == split.label).mean())
    assert row["eve_confidence"] == pytest.approx(np.exp(truth).mean(), rel=1e-5)
    assert row["measured_psr_db"] == pytest.approx(10 * np.log10(power), abs=1e-4)
    entropy = -(share * np.log(share)).sum()
    assert row["leakage_nats"] >= max(0, entropy + truth.mean()) - 1e-6
    assert row["sources"] == 40


def test_the_leakage_of_a_row_is_that_of_the_audit_whatever_the_batches(models, split, dataset):
    transmitter, receiver, _ = models
    logits = 8 * np.random.default_rng(1).normal(size=(40, 3)) + 9 * np.eye(3)[split.label]
    heard = []

    def eve(overheard, training=False):
        start = sum(heard[::2])  # she is asked twice of each batch: of Bob's signal too
        if len(heard) % 2:
            start -= heard[-1]
        heard.append(len(overheard))
        return logits[start : start + len(overheard)].astype("float32")

    eve.output_shape = (None, 3)
    for batch_size in (40, 16):
        heard.clear()
        how = {"seed": 0, "dataset": dataset, "batch_size": batch_size}
        row = Evaluation(transmitter, receiver, eve, **how).row(split, 10.0)
        best = min(_loss(logits / t, split.label) for t in np.logspace(-1, 2.5, 3501))
        share = np.bincount(split.label) / 40
        expected = -(share * np.log(share)).sum() - best
        assert row["leakage_nats"] == pytest.approx(expected, rel=5e-3)
        assert expected > 1.01 * (-(share * np.log(share)).sum() - _loss(logits, split.label))


def _loss(logits, labels):
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels])


def test_an_eve_who_knows_the_label_leaks_its_whole_entropy(models, split, dataset):
    transmitter, receiver, _ = models

    def sure(overheard, training=False):
        return 50.0 * keras.ops.one_hot(split.label, 3)

    sure.output_shape = (None, 3)
    row = Evaluation(transmitter, receiver, sure, seed=0, dataset=dataset).row(split, 10.0)
    share = np.bincount(split.label) / 40
    assert row["leakage_nats"] == pytest.approx(-(share * np.log(share)).sum(), abs=1e-6)
    assert row["eve_accuracy"] == row["bob_accuracy"] == 1.0


def test_the_mean_does_not_depend_on_how_sources_are_batched(models, split, dataset):
    without_noise = 200.0
    whole, parts = (
        Evaluation(*models, seed=0, dataset=dataset, batch_size=size).row(split, without_noise)
        for size in (40, 7)
    )
    assert whole.pop("measured_psr_db") is parts.pop("measured_psr_db") is None
    assert whole == pytest.approx(parts, rel=1e-5)


def test_the_noise_is_the_same_in_every_case_and_every_time(models, split, dataset, pair):
    measure = Evaluation(*models, seed=4, dataset=dataset)
    first = measure.signals(split, 0.0)
    again = measure.signals(split, 0.0, transmitter_module=pair[0])
    noise = np.asarray(first.received) - first.sent
    np.testing.assert_allclose(noise, np.asarray(again.received) - again.sent, atol=1e-5)
    other = measure.signals(split, 0.0, batch=1)
    assert not np.allclose(noise, np.asarray(other.received) - other.sent, atol=1e-2)


def test_the_original_link_is_one_row_and_every_knowledge_adds_two(models, split, dataset, pair):
    measure = Evaluation(*models, seed=0, dataset=dataset)
    found = rows(measure, split, {"white": pair, "black": pair}, [0.0, 10.0], psr_db=-10.0, seed=7)
    assert [(row["case"], row["knowledge"]) for row in found[:5]] == [
        ("original", None),
        ("transmitter_only", "white"),
        ("paired", "white"),
        ("transmitter_only", "black"),
        ("paired", "black"),
    ]
    assert [row["snr_db"] for row in found] == [0.0] * 5 + [10.0] * 5
    assert found[0]["protection"] == "none"
    assert found[0]["measured_psr_db"] is None
    assert (
        set(found[0])
        == set(found[1])
        == {
            *("case", "knowledge", "protection", "snr_db", "psr_db", "measured_psr_db", "mse"),
            *("psnr_db", "eve", "eve_accuracy", "eve_confidence", "leakage_nats", "bob_accuracy"),
            *("seed", "sources", "sent_power"),
        }
    )


def test_both_keyed_ends_get_the_same_keys_each_message_its_own_and_again_the_same(
    models, split, dataset
):
    measure = Evaluation(*models, seed=4, dataset=dataset)
    keyed = build_transmitter_keyed((8,)), build_receiver_keyed((8,))
    without_noise = 200.0
    modules = cases(*keyed)["paired"]
    signals = measure.signals(split, without_noise, **modules)
    signal = np.asarray(measure.signals(split, without_noise).sent)
    np.testing.assert_allclose(signals.cleaned, signal, atol=1e-4)
    assert np.mean((np.asarray(signals.sent) - signal) ** 2) > 1
    again = measure.signals(split, without_noise, **modules)
    np.testing.assert_array_equal(signals.sent, again.sent)
    other = measure.signals(split, without_noise, batch=1, **modules)
    assert np.mean((np.asarray(signals.sent) - other.sent) ** 2) > 1
    same = Split(np.repeat(split.source[:1], 40, axis=0), split.label)
    sent = np.asarray(measure.signals(same, without_noise, **modules).sent)
    assert np.mean((sent[1:] - sent[:-1]) ** 2) > 1


def test_rotations_that_are_large_are_drawn_for_a_few_messages_at_a_time(
    models, split, dataset, monkeypatch
):
    drawn, random_keys = [], HAAR.random_keys
    keyed = HAAR.build_transmitter((8,)), HAAR.build_receiver((8,))

    def counted(messages, *how):
        drawn.append(int(messages))
        return random_keys(messages, *how)

    monkeypatch.setattr(chain, "KEY_MEMORY", 7 * 4 * 8 * 8 + 1)
    monkeypatch.setattr(chain, "rotation_of", lambda module: replace(HAAR, random_keys=counted))
    measure = Evaluation(*models, seed=4, dataset=dataset)
    row = measure.row(split, 200.0, *keyed)
    assert drawn == [7, 7, 7, 7, 7, 5]
    plain = measure.row(split, 200.0)
    assert row["mse"] == pytest.approx(plain["mse"], rel=1e-4)
    assert row["sources"] == 40


def test_an_arn_and_a_keyed_module_are_one_behind_the_other(models, split, dataset, pair):
    lock, unlock = build_transmitter_keyed((8,)), build_receiver_keyed((8,))
    signs = random_signs(40, ROUNDS, 8, 0)
    signal = keras.random.normal((40, 8), seed=1)
    locked = compose(pair[0], lock)([signal, signs])
    np.testing.assert_allclose(locked, lock([pair[0](signal), signs]), atol=1e-6)
    cleaned = compose(unlock, pair[1])([locked, signs])
    np.testing.assert_allclose(cleaned, pair[1](unlock([locked, signs])), atol=1e-6)
    measure = Evaluation(*models, seed=0, dataset=dataset)
    row = measure.row(split, 10.0, compose(pair[0], lock), compose(unlock, pair[1]))
    assert row["measured_psr_db"] > 1


def test_examples_show_each_label_first(models, split, dataset, pair):
    shown = examples(Evaluation(*models, seed=0, dataset=dataset), dataset, pair, 10.0, count=5)
    assert sorted(shown["label"][:3]) == [0, 1, 2]
    assert shown["bob_paired"].shape == (5, 6, 6, 1)
    assert shown["eve_original"].shape == (5,)
    assert "names" not in shown
    named = replace(dataset, label_names=("cat", "dog", "automobile"))
    shown = examples(Evaluation(*models, seed=0, dataset=dataset), named, pair, 10.0, count=3)
    assert shown["names"].tolist() == ["cat", "dog", "automobile"]
