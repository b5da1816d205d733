"""The keyless module that sends what Bob's task needs and nothing else."""

import keras
import numpy as np
import pytest

from arn_keras.data import arrays
from arn_keras.data.dataset import Split
from arn_keras.errors import ConfigError
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.pair.purge import build_identity, build_purge
from arn_keras.training import algorithm_1, purge_link
from arn_keras.training.transmit import in_batches

SCHEDULE = algorithm_1.Schedule(8, 64)
HOW = {"snr_db": (10.0, 10.0), "seed": 0, "checkpoint_dir": None}


def signals(seed, count):
    """Signals of power 1 that tell a label of 4, and an attribute of 2 that it tells nothing of."""
    rng = np.random.default_rng(seed)
    label, attribute = rng.integers(0, 4, count), rng.integers(0, 2, count)
    of_label, of_attribute = (np.random.default_rng(n).normal(size=(n, 32)) for n in (4, 2))
    y = of_label[label] + of_attribute[attribute] + 0.5 * rng.normal(size=(count, 32))
    y /= np.sqrt(np.mean(y**2, axis=1, keepdims=True))
    return y.astype(np.float32), label, attribute


@pytest.fixture(scope="module")
def purged():
    y, label, _ = signals(0, 6000)
    receiver = algorithm_1.train_eavesdropper(
        "receiver", lambda *shape: build_eavesdropper(*shape, (64,)), y, label, 4, SCHEDULE, **HOW
    )
    before = [weight.copy() for weight in receiver.get_weights()]
    modules = purge_link.train(receiver, y, label, SCHEDULE, **HOW)
    for was, now in zip(before, receiver.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    return receiver, modules["transmitter"]


def heard(sent, seed):
    noise = np.random.default_rng(seed).normal(scale=10**-0.5, size=sent.shape)
    return (sent + noise).astype(np.float32)


def share(classifier, sent, labels):
    return np.mean(np.argmax(classifier.predict(heard(sent, 5), verbose=0), axis=1) == labels)


def retrained(sent, sent_test, attribute, attribute_test):
    eve = algorithm_1.train_eavesdropper(
        "eve", lambda *shape: build_eavesdropper(*shape, (64,)), sent, attribute, 2, SCHEDULE, **HOW
    )
    return share(eve, sent_test, attribute_test)


def test_an_eve_who_retrains_on_purged_signals_guesses_and_bob_reads_as_before(purged):
    receiver, module = purged
    (y, _, attribute), (y_test, label_test, attribute_test) = signals(0, 6000), signals(1, 2000)
    sent, sent_test = (
        in_batches(lambda b: module(b, training=False), each) for each in (y, y_test)
    )
    assert share(receiver, y_test, label_test) > 0.99
    assert share(receiver, sent_test, label_test) > 0.99
    assert retrained(y, y_test, attribute, attribute_test) > 0.95
    # Chance is 0.5 with a deviation of 0.011 on 2,000 sources.
    assert abs(retrained(sent, sent_test, attribute, attribute_test) - 0.5) < 0.045


def test_what_is_sent_has_at_most_power_one_and_is_one_of_the_centers(purged):
    _, module = purged
    sent = module.predict(signals(1, 2000)[0], verbose=0)
    assert np.mean(sent**2) <= 1.0
    (centers,) = module.get_layer("centers").get_weights()
    distance = np.min(np.mean((sent[:, None] - centers[None]) ** 2, axis=-1), axis=1)
    assert np.quantile(distance, 0.95) < 1e-3


def test_the_module_computes_a_mean_of_centers_by_a_softmax():
    module = build_purge((2, 3), 4, hidden=(5,))
    y = np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32)
    w1, b1, w2, b2, centers = module.get_weights()
    scores = np.maximum(y.reshape(7, 6) @ w1 + b1, 0) @ w2 + b2
    chosen = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = (chosen @ centers).reshape(7, 2, 3)
    np.testing.assert_allclose(module.predict(y, verbose=0), expected, rtol=1e-4, atol=1e-5)


def test_bobs_module_leaves_what_he_receives_as_it_is():
    y = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(build_identity((4,)).predict(y, verbose=0), y)


def test_the_loss_is_bobs_cross_entropy_and_entropy_and_excess_power():
    receiver = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    link = purge_link.PurgeLink(build_purge((6,), 3), receiver)
    choice = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], np.float32)
    outputs = {
        "choice": choice,
        "sent": np.full((2, 6), 2.0, np.float32),
        "logits": np.zeros((2, 3), np.float32),
    }
    loss = float(link.compute_loss(None, np.array([0, 1]), outputs))
    entropy, power = purge_link.WEIGHTS
    assert loss == pytest.approx(np.log(3) + entropy * np.log(2) / 2 + power * 3.0, rel=1e-5)


def test_a_task_that_recovers_numbers_is_refused_in_one_line(tmp_path):
    from arn_keras.run.config import Config
    from arn_keras.run.job import Job
    from arn_keras.scenario.own import Own

    rng = np.random.default_rng(0)
    split = Split(
        rng.random((32, 4), np.float32), rng.integers(0, 2, 32), rng.random((32, 2), np.float32)
    )
    for name in ("train", "test"):
        arrays.write(tmp_path / f"{name}.npz", split)
    files = tuple(str(tmp_path / f"{name}.npz") for name in ("train", "test"))
    own = Own(transmitter="t.keras", receiver="r.keras", data=files, preprocessing="none")
    object.__setattr__(own, "identity", dict)
    config = Config(scenario="own", protection="purge", run_dir=str(tmp_path / "run"), problem=own)
    with pytest.raises(ConfigError, match="--protection purge: expected a task of label, got sig"):
        Job(config, own.dataset("auto", None, None), print)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_both_ends_are_a_few_builtin_operators(purged, precision):
    from arn_keras.export.litert import convert, operators

    module, y = purged[1], signals(1, 200)[0]
    content = convert(module, precision, y)
    assert set(operators(content)) <= {"FULLY_CONNECTED", "SOFTMAX", "QUANTIZE", "DEQUANTIZE"}
    assert "CUSTOM" not in operators(convert(build_identity((32,)), precision, y))
