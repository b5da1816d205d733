"""The keyed transform against dense matrices, exact enumeration and measured laws."""

import itertools
import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arn_keras.pair.rotation import (
    ROUNDS,
    KeyedRotation,
    build_receiver_keyed,
    build_transmitter_keyed,
    grid_shape,
    interleaver,
    orthonormal_factor,
    random_signs,
)

SEEDS = st.integers(0, 2**32 - 1)


def draw_signs(rng, *shape):
    return rng.choice([-1.0, 1.0], shape).astype("float32")


def hashed(number):
    """MurmurHash3's 32-bit finaliser, from its reference, in Python's integers."""
    number ^= number >> 16
    number = number * 0x85EBCA6B % 2**32
    number ^= number >> 13
    number = number * 0xC2B2AE35 % 2**32
    return number ^ number >> 16


def dense_matrix(signs):
    """Q as an n x n matrix in float64, from its definition, by other means than the layer's."""
    rounds, n = signs.shape
    rows = 2 ** int(math.log2(n) / 2)
    columns = n // rows
    factors = []
    for size in (rows, columns):
        factor = np.ones((1, 1))
        while len(factor) < size:
            factor = np.kron([[1, 1], [1, -1]], factor)
        if len(factor) != size:
            spectrum = np.fft.fft(np.eye(size))
            factor = spectrum.real - spectrum.imag
        factors.append(factor / np.sqrt(size))
    mixed = rows * columns
    order = sorted(range(mixed), key=lambda place: hashed(place + 1))
    matrix = np.eye(n)
    for index in range(rounds):
        start = 0 if index % 2 == 0 else n - mixed
        mixing = np.eye(n)
        mixing[start : start + mixed, start : start + mixed] = (
            np.kron(*factors) @ np.eye(mixed)[order]
        )
        matrix = mixing @ (signs[index].astype("float64")[:, None] * matrix)
    return matrix


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 4096), rounds=st.integers(1, 6), seed=SEEDS)
def test_the_transform_keeps_every_angle_and_its_inverse_gives_the_signal_back(n, rounds, seed):
    rng = np.random.default_rng(seed)
    signals = rng.normal(size=(4, n)).astype("float32")
    signs = np.repeat(draw_signs(rng, 1, rounds, n), 4, axis=0)
    rotated = np.asarray(KeyedRotation(rounds)(signals, signs))
    scale = np.linalg.norm(signals) ** 2
    np.testing.assert_allclose(rotated @ rotated.T, signals @ signals.T, atol=3e-6 * scale)
    restored = np.asarray(KeyedRotation(rounds, inverse=True)(rotated, signs))
    np.testing.assert_allclose(restored, signals, atol=2e-5)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 200), rounds=st.integers(1, 4), seed=SEEDS)
def test_the_layer_is_the_dense_matrix_of_the_definition(n, rounds, seed):
    signs = draw_signs(np.random.default_rng(seed), rounds, n)
    basis = np.eye(n, dtype="float32")
    matrix = np.asarray(KeyedRotation(rounds)(basis, np.repeat(signs[None], n, axis=0))).T
    np.testing.assert_allclose(matrix, dense_matrix(signs), atol=2e-6)
    np.testing.assert_allclose(matrix @ matrix.T, basis, atol=5e-6)


@pytest.mark.parametrize("n", [8, 12, 127, 128])
def test_an_inverse_with_one_wrong_sign_is_not_the_inverse(n):
    rng = np.random.default_rng(n)
    signal = rng.normal(size=(1, n)).astype("float32")
    signs = draw_signs(rng, 1, 3, n)
    rotated = KeyedRotation(3)(signal, signs)
    signs[0, 2, -1] *= -1
    restored = np.asarray(KeyedRotation(3, inverse=True)(rotated, signs))
    assert np.abs(restored - signal).max() > 1e-3


def test_constants_and_multiplications_are_far_from_n_squared():
    for n in range(1, 4097):
        rows, columns = grid_shape(n)
        assert n - rows < rows * columns <= n
        assert rows**2 + columns**2 <= 5 * n
        assert rows + columns <= 3 * math.sqrt(n)
    layer = KeyedRotation()
    layer(np.ones((1, 4093), "float32"), np.ones((1, ROUNDS, 4093), "float32"))
    assert layer.weights == []
    constants = [*layer.factors, layer.order]
    assert sum(constant.size for constant in constants) == 32**2 + 127**2 + 32 * 127 < 6 * 4093


@pytest.mark.parametrize("size", [1, 2, 3, 6, 16, 31, 127, 128])
def test_a_factor_is_symmetric_and_orthonormal(size):
    factor = orthonormal_factor(size)
    np.testing.assert_allclose(factor, factor.T, atol=1e-15)
    np.testing.assert_allclose(factor @ factor, np.eye(size), atol=1e-13)


@pytest.mark.parametrize("n", [12, 16])
def test_white_noise_stays_white_under_one_key(n):
    rng = np.random.default_rng(n)
    draws = 40_000
    noise = rng.normal(size=(draws, n)).astype("float32")
    signs = np.broadcast_to(draw_signs(rng, 3, n), (draws, 3, n))
    received = np.asarray(KeyedRotation(3, inverse=True)(noise, signs))
    # Deviations of a covariance's entries: sqrt(2 / draws) on the diagonal, 1 / sqrt(draws) off it.
    error = (received.T @ received / draws - np.eye(n)) * math.sqrt(draws)
    error[np.diag_indices(n)] /= math.sqrt(2)
    assert np.abs(error).max() < 4.5
    assert 0.8 < error[np.triu_indices(n)].std() < 1.2


def test_from_two_rounds_on_the_second_moment_says_nothing_of_the_signal():
    signal = np.array([[1.9, 0.1, -0.4, 0.5]], "float32")
    signal *= 2 / np.linalg.norm(signal)
    for rounds, leaks in ((1, True), (2, False)):
        # Every key there is: the expectation is exact.
        keys = np.array(list(itertools.product([-1.0, 1.0], repeat=4 * rounds)), "float32")
        keys = keys.reshape(-1, rounds, 4)
        sent = np.asarray(KeyedRotation(rounds)(np.repeat(signal, len(keys), axis=0), keys))
        np.testing.assert_allclose(sent.mean(axis=0), 0, atol=1e-6)
        moment = sent.T @ sent / len(keys)
        assert (np.abs(moment - np.eye(4)).max() > 0.5) == leaks
        if not leaks:
            np.testing.assert_allclose(moment, np.eye(4), atol=1e-6)


def test_a_sparse_signal_takes_the_marginal_of_a_random_rotation_in_three_rounds():
    n, messages = 128, 4000
    signal = np.zeros((messages, n), "float32")
    signal[:, 5] = math.sqrt(n)
    rng = np.random.default_rng(0)
    kurtosis = [
        np.mean(np.asarray(KeyedRotation(r)(signal, draw_signs(rng, messages, r, n))) ** 4.0)
        for r in (1, 2, 3)
    ]
    # One round spreads the spike to equal magnitudes, whose next mixing is a sum of n fair signs
    # (kurtosis 3 - 2/n); a coordinate of a Haar-random rotation has kurtosis 3n / (n + 2).
    assert kurtosis[0] == pytest.approx(1, abs=1e-4)
    assert kurtosis[1] == pytest.approx(3 - 2 / n, abs=0.05)
    assert kurtosis[2] == pytest.approx(3 * n / (n + 2), abs=0.05)


def squares_correlation(sent):
    """E[(z_i^2 - 1)(z_{i xor d}^2 - 1)] for d = 1, 2, ..., less its value under a Haar rotation."""
    n = sent.shape[1]
    squares = sent**2 - 1
    means = [np.mean(squares * squares[:, np.arange(n) ^ d]) for d in range(1, n)]
    return np.array(means) - (n / (n + 2) - 1)


def test_after_five_rounds_eve_finds_no_correlation_of_the_squares():
    n, messages = 128, 4000
    rng = np.random.default_rng(0)
    signal = 0.8 ** np.arange(n, dtype="float32")
    signal = np.repeat([signal * math.sqrt(n) / np.linalg.norm(signal)], messages, axis=0)
    # A mean of messages * n / 2 products of variance 4; 4.5 deviations.
    limit = 4.5 * 2 / math.sqrt(messages * n / 2)
    for rounds, found in ((2, True), (ROUNDS, False)):
        # She undoes the public last mixing, and a square does not see the last flips: what is left
        # is the square of a rotation by one round less.
        left = KeyedRotation(rounds - 1)(signal, draw_signs(rng, messages, rounds - 1, n))
        worst = np.abs(squares_correlation(np.asarray(left))).max()
        assert worst > 10 * limit if found else worst < limit


@pytest.mark.parametrize("n", [64, 256, 1024])
def test_the_interleaver_breaks_every_shift_structure_of_the_hadamard_matrix(n):
    order = interleaver(n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    hadamard = orthonormal_factor(n)
    # Correlation of each Walsh function, interleaved, with each other one: 1 somewhere would be a
    # shared structure; a random permutation has about sqrt(4 ln(n) / n) as the largest of n^2.
    correlation = np.abs(hadamard[1:, order] @ hadamard[1:].T)
    assert correlation.max() < 1.4 * math.sqrt(4 * math.log(n) / n)


@settings(max_examples=4, deadline=None)
@given(n=st.integers(1, 300), scale=st.floats(1e-3, 1e3), seed=SEEDS)
def test_the_sent_power_is_one_whatever_the_signal_s_norm(n, scale, seed):
    rng = np.random.default_rng(seed)
    signal = (scale * rng.normal(size=(3, n))).astype("float32")
    signal[:, 0] += np.float32(scale)
    signs = draw_signs(rng, 3, ROUNDS, n)
    sent = np.asarray(build_transmitter_keyed((n,))([signal, signs]))
    np.testing.assert_allclose(np.mean(sent**2, axis=1), 1, rtol=1e-5)
    cleaned = np.asarray(build_receiver_keyed((n,))([sent, signs]))
    power = np.mean(signal.astype("float64") ** 2, axis=1, keepdims=True)
    np.testing.assert_allclose(cleaned, signal / np.sqrt(power), atol=1e-4)


def test_signals_of_any_shape_are_rotated_as_flat_ones():
    rng = np.random.default_rng(1)
    signal = rng.normal(size=(2, 4, 3, 5)).astype("float32")
    signs = draw_signs(rng, 2, 2, 60)
    shaped = np.asarray(build_transmitter_keyed((4, 3, 5), rounds=2)([signal, signs]))
    flat = np.asarray(build_transmitter_keyed((60,), rounds=2)([signal.reshape(2, 60), signs]))
    assert shaped.shape == (2, 4, 3, 5)
    np.testing.assert_array_equal(shaped.reshape(2, 60), flat)


def test_a_message_is_rotated_by_its_own_signs_alone():
    rng = np.random.default_rng(2)
    signal = rng.normal(size=(3, 16)).astype("float32")
    signs = draw_signs(rng, 3, ROUNDS, 16)
    sent = np.asarray(KeyedRotation()(signal, signs))
    for index in range(3):
        expected = dense_matrix(signs[index]) @ signal[index]
        np.testing.assert_allclose(sent[index], expected, atol=3e-6)


def test_a_saved_module_comes_back_with_its_rounds_and_no_key(tmp_path):
    rng = np.random.default_rng(3)
    inputs = [rng.normal(size=(2, 20)).astype("float32"), draw_signs(rng, 2, 4, 20)]
    for build in (build_transmitter_keyed, build_receiver_keyed):
        model = build((20,), rounds=4)
        model.save(tmp_path / "module.keras")
        loaded = keras.models.load_model(tmp_path / "module.keras")
        np.testing.assert_array_equal(np.asarray(loaded(inputs)), np.asarray(model(inputs)))
        assert loaded.weights == []
    config = KeyedRotation(7, inverse=True, name="q").get_config()
    assert {key: config[key] for key in ("rounds", "inverse", "name")} == {
        "rounds": 7,
        "inverse": True,
        "name": "q",
    }
    json.dumps(config)


def test_random_signs_are_fair_fresh_and_repeatable_by_seed():
    generator = keras.random.SeedGenerator(4)
    first, second = (np.asarray(random_signs(50, 5, 128, generator)) for _ in range(2))
    assert set(np.unique(first)) == {-1.0, 1.0}
    for moment in (first.mean(), second.mean(), (first * second).mean()):
        assert abs(moment) < 4 / math.sqrt(first.size)
    again = np.asarray(random_signs(50, 5, 128, keras.random.SeedGenerator(4)))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("n", "build"), [(128, build_transmitter_keyed), (100, build_receiver_keyed)]
)
def test_a_module_converts_to_builtin_operators_and_gives_the_same(n, build):
    from ai_edge_litert.interpreter import Interpreter

    from arn_keras.export.litert import convert

    model = build((n,))
    content = convert(model, "float32")  # refuses other operators
    # The constants once, 4 bytes each, and the graph: nothing grows with n^2.
    assert len(content) < 4 * 6 * n + 16_000
    rng = np.random.default_rng(5)
    signal, signs = rng.normal(size=(1, n)).astype("float32"), draw_signs(rng, 1, ROUNDS, n)
    runner = Interpreter(model_content=content).get_signature_runner()
    (output,) = runner(**{model.inputs[0].name: signal, "signs": signs}).values()
    np.testing.assert_allclose(output, np.asarray(model([signal, signs])), atol=1e-5)


def test_shapes_that_do_not_fit_are_refused_in_one_line():
    signal = np.ones((1, 8), "float32")
    with pytest.raises(ValueError, match=r"expected signs of shape \[batch, 2, 8\], got"):
        KeyedRotation(2)(signal, np.ones((1, 3, 8), "float32"))
    with pytest.raises(ValueError, match="expected rounds >= 1, got 0"):
        KeyedRotation(0)
    with pytest.raises(ValueError, match="expected a signal of fixed, non-empty shape, got"):
        build_transmitter_keyed((None,))
    with pytest.raises(ValueError, match="expected a signal of fixed, non-empty shape, got"):
        build_receiver_keyed((4, 0))
