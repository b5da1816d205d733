import numpy as np
import pytest

from arn_keras.measure.baselines import FastGradientSign, RandomNoise


@pytest.fixture
def signal():
    return np.random.default_rng(0).normal(size=(50, 8)).astype("float32")


def test_random_noise_has_the_power_in_every_source_and_no_mean(signal):
    noise = np.asarray(RandomNoise(-7.0, seed=1)(signal)) - signal
    np.testing.assert_allclose((noise**2).mean(axis=1), 10**-0.7, rtol=1e-4)
    assert abs(noise.mean()) < 3 * (10**-0.35) / np.sqrt(noise.size)


def test_random_noise_is_the_same_for_the_same_seed_only(signal):
    first, again, other = (np.asarray(RandomNoise(-7.0, s)(signal)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-2)


def test_the_sign_attack_goes_against_what_the_classifiers_read(signal, models):
    eve = models[2]
    attack = np.asarray(FastGradientSign([eve], -6.0)(signal)) - signal
    np.testing.assert_allclose((attack**2).mean(axis=1), 10**-0.6, rtol=1e-4)

    def confidence(x):
        logits = np.asarray(eve(x), float)
        return np.exp(logits - logits.max(1, keepdims=True)) / np.exp(
            logits - logits.max(1, keepdims=True)
        ).sum(1, keepdims=True)

    read = confidence(signal).argmax(1)
    rows = np.arange(len(signal))
    small = signal + 0.05 * attack
    assert (confidence(small)[rows, read] < confidence(signal)[rows, read]).all()


def test_of_several_classifiers_the_mean_of_the_logits_is_attacked(signal, models):
    from arn_keras.eve.dense import build_eavesdropper

    other = build_eavesdropper((8,), 3, hidden=(5,))
    one = np.asarray(FastGradientSign([models[2]], -6.0)(signal))
    twice = np.asarray(FastGradientSign([models[2], models[2]], -6.0)(signal))
    both = np.asarray(FastGradientSign([models[2], other], -6.0)(signal))
    np.testing.assert_allclose(one, twice, atol=1e-6)
    assert (np.abs(one - both) > 0.1).any()
