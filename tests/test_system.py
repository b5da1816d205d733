import keras
import numpy as np
import pytest

from arn_keras.channel.awgn import AWGN
from arn_keras.data.preprocessing import unit_interval
from arn_keras.system import forward


class _Shift:
    """A module that adds a constant, in place of a network."""

    def __init__(self, shift):
        self.shift = shift

    def __call__(self, signal, training=False):
        return signal + self.shift


def _identity(signal, training=False):
    return signal


def _run(signal, **modules):
    return forward(
        signal,
        200.0,  # dB: no noise to speak of
        receiver=_identity,
        bob_channel=AWGN(0),
        eve_channel=AWGN(1),
        **modules,
    )


def test_the_perturbation_reaches_bob_as_well_as_eve():
    signal = np.zeros((4, 8), "float32")
    signals = _run(signal, transmitter_module=_Shift(0.25))
    for name in ("sent", "perturbation", "received", "overheard", "cleaned", "estimate"):
        np.testing.assert_allclose(getattr(signals, name), 0.25, atol=1e-6)


def test_the_receiver_module_helps_bob_and_not_eve():
    signal = np.zeros((4, 8), "float32")
    signals = _run(signal, transmitter_module=_Shift(0.25), receiver_module=_Shift(-0.25))
    np.testing.assert_allclose(signals.estimate, 0.0, atol=1e-6)
    np.testing.assert_allclose(signals.overheard, 0.25, atol=1e-6)


def test_without_modules_nothing_is_perturbed():
    signal = np.ones((4, 8), "float32")
    signals = _run(signal)
    assert signals.perturbation is None
    np.testing.assert_array_equal(signals.sent, signal)


def test_bob_and_eve_hear_different_noise():
    silence = np.zeros((1, 100_000), "float32")
    channels = {"bob_channel": AWGN(0), "eve_channel": AWGN(1)}
    signals = forward(silence, 0.0, receiver=_identity, **channels)
    assert abs(np.corrcoef(signals.received, signals.overheard)[0, 1]) < 0.02
    assert np.var(signals.received) == pytest.approx(1.0, abs=0.02)


def test_the_receiver_runs_as_deployed_even_in_training():
    inputs = keras.Input((1000,))
    receiver = keras.Model(inputs, keras.layers.Dropout(0.5)(inputs))
    signal = np.ones((2, 1000), "float32")
    found = forward(
        signal, 200.0, receiver=receiver, bob_channel=AWGN(0), eve_channel=AWGN(1), training=True
    )
    np.testing.assert_allclose(found.estimate, signal, atol=1e-6)


def test_only_8_bit_images_are_scaled():
    np.testing.assert_allclose(unit_interval(np.array([0, 51, 255], "uint8")), [0, 0.2, 1])
    floats = np.array([0.0, 51.0], "float32")
    assert unit_interval(floats) is floats
