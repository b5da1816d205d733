"""Shapes, sizes and levels that builders, channels and losses are asked for."""

import keras
import numpy as np
import pytest

from arn_keras import (
    AWGN,
    Rayleigh,
    Rician,
    attack_power_loss,
    build_eavesdropper,
    build_receiver,
    build_receiver_arn,
    build_substitute,
    build_transmitter,
    build_transmitter_arn,
    eve_confidence,
    forward,
    keep_power,
    mean_squared_error,
)
from arn_keras.errors import ConfigError, DataError

SIGNAL = np.ones((4, 8), "float32")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build_transmitter(28), "source_shape as a tuple of lengths, got 28"),
        (lambda: build_transmitter((None, 6)), "lengths of source_shape >= 1, got None"),
        (lambda: build_transmitter((6,), symbols=0), "symbols >= 1, got 0"),
        (lambda: build_transmitter((6,), symbols=8.0), "symbols >= 1, got 8.0"),
        (lambda: build_receiver((6,), hidden=0), "hidden >= 1, got 0"),
        (lambda: build_receiver("28"), "source_shape as a tuple of lengths, got '28'"),
        (lambda: build_eavesdropper(8, 3), "signal_shape as a tuple of lengths, got 8"),
        (lambda: build_eavesdropper((8,), 1), "classes >= 2, got 1"),
        (lambda: build_eavesdropper((8,), 3, hidden=64), "hidden as a tuple of lengths, got 64"),
        (lambda: build_substitute((8,), 3, hidden=(0,)), "lengths of hidden >= 1, got 0"),
        (lambda: build_transmitter_arn(128), "signal_shape as a tuple of lengths, got 128"),
        (lambda: build_transmitter_arn((None, 8)), "lengths of signal_shape >= 1, got None"),
        (lambda: build_receiver_arn((8,), 64), "hidden as a tuple of lengths, got 64"),
        (lambda: build_receiver_arn((8,), width=0), "lengths of hidden >= 1, got 0"),
        (lambda: keep_power(None), "Alice's module, .*, got None"),
        (lambda: keep_power(build_transmitter((6,), 8)), "Alice's module, .*, got 'transmitter'"),
        (lambda: keep_power(keras.layers.Dense(8, name="d")), "Alice's module, .*, got 'd'"),
        (lambda: AWGN(snr_offset_db="3"), "a finite snr_offset_db, got '3'"),
        (lambda: Rician(k_factor_db="a"), "a finite k_factor_db, got 'a'"),
        (lambda: Rayleigh(csi="pilots", pilots=1.5), "pilots >= 1, got 1.5"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(call, message):
    with pytest.raises(ConfigError, match=f"^expected {message}") as refused:
        call()
    assert "\n" not in str(refused.value)


def test_lists_and_integers_of_numpy_are_shapes_too():
    assert build_transmitter([6], symbols=np.int64(8)).output_shape == (None, 8)
    assert build_eavesdropper(np.zeros((2, 8)).shape[1:], 3).input_shape == (None, 8)
    assert build_receiver((), symbols=8).output_shape == (None,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AWGN()(SIGNAL, snr_db=np.zeros(3)), "snr_db of 4 signals, got 3"),
        (lambda: Rayleigh()(SIGNAL, snr_db=np.zeros((1, 4))), r"of shape \[batch\], got \(1, 4\)"),
        (lambda: AWGN()(SIGNAL.astype(int), snr_db=1.0), "a signal of floats, got"),
        (lambda: eve_confidence(np.eye(4, dtype=int), np.arange(4)), "logits of floats, got int64"),
        (lambda: eve_confidence([[0.0, 1.0]], [1]), r"logits, \[batch, classes\]"),
        (lambda: mean_squared_error([1.0], [1.0]), "arrays of targets, got list"),
        (
            lambda: mean_squared_error(SIGNAL, SIGNAL.astype(int)),
            "an estimate of floats, got int64",
        ),
        (lambda: mean_squared_error(np.array(["a"]), np.ones(1)), "target of floats .*, got text"),
        (lambda: attack_power_loss([[1.0]], 0.1), "arrays of perturbations, got list"),
        (lambda: attack_power_loss(SIGNAL, np.ones(3)), "a budget for each of 4 sources, got 3"),
        (
            lambda: forward(
                np.array(["a"]), 0.0, receiver=abs, bob_channel=AWGN(), eve_channel=AWGN()
            ),
            "expected numbers, got <U1",
        ),
    ],
)
def test_what_would_be_broadcast_or_read_otherwise_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_one_snr_or_budget_is_for_all():
    assert AWGN()(SIGNAL, snr_db=np.zeros(1, "float32")).shape == SIGNAL.shape
    assert float(attack_power_loss(SIGNAL, np.full(1, 0.25, "float32"))) == 0.75
