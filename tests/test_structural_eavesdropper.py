import numpy as np
import pytest

from arn_keras.eve.structural import SignBlindFeatures, undo_last_mixing
from arn_keras.pair.rotation import KeyedRotation, orthonormal_factor, random_signs


def _signal(symbols, seed=0):
    return np.random.default_rng(seed).normal(size=(6, symbols)).astype("float32")


@pytest.mark.parametrize("symbols", [16, 37])
def test_features_do_not_see_signs_and_see_magnitudes(symbols):
    features = SignBlindFeatures()
    signal = _signal(symbols)
    flips = np.random.default_rng(1).choice([-1.0, 1.0], signal.shape).astype("float32")
    seen = np.asarray(features(signal))
    assert seen.shape == (6, 3 * symbols + symbols // 2 + 1)
    np.testing.assert_allclose(features(signal * flips), seen, atol=1e-3)
    assert np.abs(np.asarray(features(signal * np.arange(1, symbols + 1))) - seen).max() > 1
    np.testing.assert_allclose(seen[:, :symbols], np.abs(signal), rtol=1e-6)
    in_order = seen[:, symbols : 2 * symbols]
    np.testing.assert_allclose(in_order, np.sort(np.abs(signal)), rtol=1e-6)


@pytest.mark.parametrize("symbols", [64, 37])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_what_is_left_of_a_message_is_the_rounds_before_up_to_signs(symbols, rounds):
    signal, signs = _signal(symbols), random_signs(6, rounds, symbols, 1)
    sent = KeyedRotation(rounds)(signal, signs)
    before = KeyedRotation(rounds - 1)(signal, signs[:, :-1]) if rounds > 1 else signal
    left = np.asarray(undo_last_mixing(sent, rounds))
    np.testing.assert_allclose(np.abs(left), np.abs(before), atol=1e-5)


@pytest.mark.parametrize("symbols", [2, 12, 127, 128, 200])
def test_the_spectra_are_those_of_the_whole_matrix(symbols):
    signal = _signal(symbols)
    features = np.asarray(SignBlindFeatures()(signal))
    squares = signal.astype(float) ** 2
    squares -= squares.mean(axis=1, keepdims=True)
    spectrum = np.log((squares @ orthonormal_factor(symbols)) ** 2 + 1e-3)
    np.testing.assert_allclose(features[:, -symbols:], spectrum, atol=2e-3)
