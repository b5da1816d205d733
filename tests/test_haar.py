"""The exactly uniform rotation: its law, its arithmetic, and what the modules make of it."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from arn_keras.errors import ConfigError
from arn_keras.pair.chain import RandomKeys, compose, with_fresh_keys
from arn_keras.pair.haar import (
    HAAR,
    MatrixRotation,
    build_receiver_haar,
    build_transmitter_haar,
    random_rotations,
)
from arn_keras.pair.haar_draw import haar_rotation, keystream_bytes, normal_numbers
from arn_keras.pair.haar_shared import SHARED_HAAR, random_factors
from arn_keras.pair.keyed import chosen_rotation, is_keyed
from arn_keras.pair.remainder import NORMAL_RMS, float_shift, normal_shift, remainder
from arn_keras.pair.rotation import FAST


def draw(rng, n):
    return haar_rotation(rng.bytes(keystream_bytes(n)), n)


def by_definition(keystream, n, dtype, backwards=False):
    """Q as haar_draw.py's header defines it, one reflection after another, in any precision."""
    pairs = math.ceil(n * (n + 1) / 4)
    words = np.frombuffer(keystream, "<u8", pairs)
    turns = np.frombuffer(keystream, "<u4", pairs, 8 * pairs)
    radius = [math.sqrt(-2 * math.log((int(word) + 0.5) / 2**64)) for word in words]
    angle = [2 * math.pi * int(turn) / 2**32 for turn in turns]
    numbers = [r * math.cos(a) for r, a in zip(radius, angle, strict=True)]
    numbers += [r * math.sin(a) for r, a in zip(radius, angle, strict=True)]
    numbers, at, rotation = np.array(numbers, dtype), 0, np.eye(n, dtype=dtype)
    signs = np.ones(n, dtype)
    order = slice(None, None, -1 if backwards else 1)
    for i in range(n):
        x = numbers[at : at + n - i].copy()
        at += n - i
        sign = dtype(-1 if x[0] < 0 else 1)
        signs[i] = sign if i == n - 1 else -sign
        if i < n - 1:
            x[0] += sign * np.sqrt(np.sum((x * x)[order], dtype=dtype))
            x /= np.sqrt(np.sum((x * x)[order], dtype=dtype))
            part = rotation[:, i:]
            part -= 2 * np.outer(np.sum((part * x)[:, order], axis=1, dtype=dtype), x)
    return rotation * signs


@settings(max_examples=10, deadline=None)
@given(n=st.integers(1, 512), seed=st.integers(0, 2**32 - 1))
def test_every_draw_is_orthogonal_and_its_transpose_gives_the_signal_back(n, seed):
    rng = np.random.default_rng(seed)
    rotation = draw(rng, n)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(n), atol=1e-13)
    signal = rng.normal(size=(1, n)).astype("float32")
    given = rotation.astype("float32")[None]
    sent = np.asarray(build_transmitter_haar((n,))([signal, given]))
    assert np.mean(sent**2) == pytest.approx(1, rel=1e-5)
    cleaned = np.asarray(build_receiver_haar((n,))([sent, given]))
    np.testing.assert_allclose(
        cleaned, signal * math.sqrt(n) / np.linalg.norm(signal), atol=1e-5 * math.sqrt(n)
    )


@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 33, 128])
def test_the_products_are_the_reflections_of_the_definition(n):
    keystream = np.random.default_rng(n).bytes(keystream_bytes(n))
    exact = haar_rotation(keystream, n)
    np.testing.assert_allclose(exact, by_definition(keystream, n, np.float64), atol=1e-13)
    for backwards in (False, True):  # two machines whose floating point differs
        other = by_definition(keystream, n, np.float32, backwards)
        np.testing.assert_allclose(other, exact, atol=1e-5)


def test_the_normal_numbers_are_normal_and_independent():
    count = 200_001
    numbers = normal_numbers(np.random.default_rng(0).bytes(12 * (count + 1) // 2 + 12), count)
    assert stats.kstest(numbers, "norm").pvalue > 1e-3
    half = count // 2
    assert abs(np.mean(numbers[:half] * numbers[half + 1 :])) < 4.5 / math.sqrt(half)
    assert abs(np.mean(numbers[:half] ** 2 * numbers[half + 1 :] ** 2) - 1) < 4.5 * math.sqrt(
        8 / half
    )
    assert np.isfinite(normal_numbers(bytes(12), 2)).all()  # the least word
    assert np.isfinite(normal_numbers(b"\xff" * 12, 2)).all()  # and the greatest


def moments(rotations):
    """E[q11^2], E[q11^4], E[q11^2 q12^2], E[q11^2 q22^2], E[q11 q12 q21 q22], by all entries."""
    q = rotations
    n = q.shape[1]
    r, c = np.roll(q, 1, axis=1), np.roll(q, 1, axis=2)
    d = np.roll(c, 1, axis=1)
    values = (q**2, q**4, q**2 * c**2, q**2 * d**2, q * c * r * d)
    exact = (
        1 / n,
        3 / (n * (n + 2)),
        1 / (n * (n + 2)),
        (n + 1) / (n * (n - 1) * (n + 2)),
        -1 / (n * (n - 1) * (n + 2)),
    )
    return [(v.reshape(len(q), -1).mean(axis=1), e) for v, e in zip(values, exact, strict=True)]


@functools.cache
def rotations_of(source, n, count):
    rng = np.random.default_rng(7)
    if source == "client":
        return np.stack([draw(rng, n) for _ in range(count)])
    # Of the messages that share a factor, one each.
    generator, unlock = keras.random.SeedGenerator(7), SHARED_HAAR.build_receiver((n,))

    def draw_of_audit():
        return unlock([tf.eye(n), random_factors(1, SHARED_HAAR.key_shape(n), generator)])

    draws = {"training": lambda: random_rotations(1, n, generator), "audit": draw_of_audit}

    @tf.function
    def drawn():  # one message after another, in the graph
        places = tf.zeros(count // 10)
        return tf.map_fn(lambda _: tf.reshape(draws[source](), (n, n)), places, 1)

    return np.asarray(drawn(), float)


def test_a_last_number_of_zero_is_a_rotation_like_any_other():
    """The sine of an angle of exactly 0, once in 2^32 messages: there is no division by it."""
    for n in (1, 2, 3, 8):
        keystream = np.frombuffer(np.random.default_rng(n).bytes(keystream_bytes(n)), "<u4").copy()
        pairs, last = len(keystream) // 3, n * (n + 1) // 2 - 1
        keystream[2 * pairs + last % pairs] = 0 if last >= pairs else 1 << 30
        with np.errstate(all="raise"):
            rotation = haar_rotation(keystream.tobytes(), n)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(n), atol=1e-12)


@pytest.mark.parametrize("source", ["client", "training", "audit"])
@pytest.mark.parametrize("n", [3, 8])
def test_moments_to_order_four_are_those_of_the_haar_measure(source, n):
    rotations = rotations_of(source, n, 8000)
    for values, exact in moments(rotations):
        # A moment that is the same for every rotation has no spread but rounding.
        spread = np.std(values) / math.sqrt(len(values)) + 1e-8
        assert abs(values.mean() - exact) < 4.5 * spread
    flat = rotations.reshape(len(rotations), -1)
    limit = 4.5 * 4 / math.sqrt(n * len(rotations))
    assert np.abs(flat.mean(axis=0)).max() < limit
    assert np.abs((flat**3).mean(axis=0)).max() < limit


def test_determinants_of_both_signs_come_equally_often():
    rng = np.random.default_rng(1)
    few = [np.stack([draw(rng, n) for _ in range(2000)]) for n in (1, 2)]
    for rotations in (*few, rotations_of("client", 3, 8000), rotations_of("client", 8, 8000)):
        signs = np.sign(np.linalg.det(rotations))
        assert abs(np.mean(signs)) < 4.5 / math.sqrt(len(rotations))


@pytest.mark.parametrize("source", ["client", "training", "audit"])
def test_coordinates_of_three_very_different_signals_have_one_law(source):
    n, count = 16, 4000
    ramp = np.arange(n) - 3.0
    signals = [np.eye(n)[3], np.ones(n), ramp]
    rotations = rotations_of(source, n, count)
    for signal in signals:
        sent = rotations @ (signal / np.linalg.norm(signal))
        for at in (0, 7, n - 1):
            # (z_i + 1) / 2 of a uniform point on the sphere is Beta((n - 1) / 2, (n - 1) / 2).
            law = stats.beta((n - 1) / 2, (n - 1) / 2, loc=-1, scale=2)
            assert stats.kstest(sent[:, at], law.cdf).pvalue > 1e-4
        halves = np.sum(sent[:, : n // 2] ** 2, axis=1)
        assert stats.kstest(halves, stats.beta(n / 4, n / 4).cdf).pvalue > 1e-4


def test_the_tests_of_the_law_find_a_wrong_sign_convention():
    """Without Mezzadri's signs the first column of each reflection favours one side."""
    rng, n = np.random.default_rng(2), 8
    drawn = np.stack([np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2000)])
    assert stats.kstest(drawn[:, 0, 0], stats.beta(3.5, 3.5, -1, 2).cdf).pvalue < 1e-9


def test_a_saved_module_comes_back_and_is_told_by_its_input_s_name(tmp_path):
    rng = np.random.default_rng(3)
    inputs = [rng.normal(size=(2, 4, 5)).astype("float32")]
    inputs.append(np.stack([draw(rng, 20) for _ in range(2)]).astype("float32"))
    for build in (build_transmitter_haar, build_receiver_haar):
        model = build((4, 5))
        model.save(tmp_path / "module.keras")
        loaded = keras.models.load_model(tmp_path / "module.keras")
        np.testing.assert_array_equal(np.asarray(loaded(inputs)), np.asarray(model(inputs)))
        assert is_keyed(loaded)
        assert loaded.weights == []
    with pytest.raises(ValueError, match=r"expected rotations of shape \[batch, 8, 8\], got"):
        MatrixRotation()(np.ones((1, 8), "float32"), np.ones((1, 8, 7), "float32"))


def of_channel_knowledge(name, combine):
    """A module that is not keyed and has three inputs."""
    signal = keras.Input((8,), name=name)
    csi, snr_db = keras.Input((8,), name="csi"), keras.Input((1,), name="snr_db")
    return keras.Model([csi, signal, snr_db], combine(signal, csi + 0 * snr_db), name="aware")


def test_a_module_that_takes_channel_knowledge_is_not_keyed_and_gets_its_own():
    alice = of_channel_knowledge("signal", lambda y, csi: y * csi)
    bob = of_channel_knowledge("received", lambda y, csi: y / csi)
    assert not is_keyed(alice)
    assert with_fresh_keys((alice, None), 4, 0) == [alice, None]
    rng = np.random.default_rng(4)
    for rotation in (FAST, HAAR):
        lock = compose(alice, rotation.build_transmitter((8,)))
        unlock = compose(rotation.build_receiver((8,)), bob)
        assert is_keyed(lock)
        assert {each.name for each in lock.inputs} == {
            "signal",
            "csi",
            "snr_db",
            rotation.key_input,
        }
        keys = rotation.random_keys(4, rotation.key_shape(8), 5)
        signal, csi = rng.uniform(1, 2, size=(2, 4, 8)).astype("float32")
        more = {"csi": csi, "snr_db": np.zeros((4, 1)), rotation.key_input: keys}
        more = {name: keras.ops.convert_to_tensor(each, "float32") for name, each in more.items()}

        def run(module, value, more=more):
            return module([more.get(each.name, value) for each in module.inputs])

        cleaned = run(unlock, run(lock, keras.ops.convert_to_tensor(signal)))
        exact = signal * csi
        exact /= np.sqrt(np.mean(exact**2, axis=1, keepdims=True))
        np.testing.assert_allclose(cleaned, exact / csi, atol=1e-5)


def test_keys_that_nobody_has_are_fresh_for_each_message_and_one_if_reused():
    signal = np.tile(np.eye(8, dtype="float32")[:1], (40, 1))  # sparse: the hardest to hide
    for rotation in (HAAR, HAAR.audited):
        sent = np.asarray(RandomKeys((8,), rotation)(signal))
        assert len(np.unique(sent.round(5), axis=0)) == 40
        reused = np.asarray(RandomKeys((8,), rotation, reused=True)(signal))
        assert len(np.unique(reused.round(5), axis=0)) == 1
    lock, unlock = HAAR.build_transmitter((8,)), HAAR.build_receiver((8,))
    at_alice, at_bob = with_fresh_keys((lock, unlock), 40, 1)
    restored = np.asarray(at_bob(at_alice(keras.ops.convert_to_tensor(signal))))
    np.testing.assert_allclose(restored, math.sqrt(8) * signal, atol=1e-5)


def test_the_default_is_haar_up_to_128_symbols_and_fast_beyond():
    assert chosen_rotation("auto", (8, 16)) is HAAR
    assert chosen_rotation("auto", (129,)) is FAST
    assert chosen_rotation("haar", (1024,)) is HAAR
    with pytest.raises(ConfigError, match="expected one of fast, haar, got 'rot13'"):
        chosen_rotation("rot13", (8,))


def test_an_audit_s_rotations_keep_the_power_and_bob_s_inverse_is_exact():
    """Both factors at once, for a signal with places; copies are under keys of their own."""
    assert HAAR.audited is SHARED_HAAR
    assert FAST.audited is FAST
    signal = np.random.default_rng(9).normal(size=(6, 4, 4, 2)).astype("float32")
    keys = RandomKeys((4, 4, 2), SHARED_HAAR, copies=2, seed=1)
    sent = np.asarray(keys(signal))
    assert sent.shape == (6, 4, 4, 4)
    np.testing.assert_allclose(np.mean(sent[..., :2] ** 2, axis=(1, 2, 3)), 1, rtol=1e-5)
    assert np.abs(np.corrcoef(sent[..., :2].ravel(), sent[..., 2:].ravel())[0, 1]) < 0.4
    drawn = keys.draw(6)
    received = keys.module([tf.constant(signal), drawn])
    scaled = signal / np.sqrt(np.mean(signal**2, axis=(1, 2, 3), keepdims=True))
    cleaned = SHARED_HAAR.build_receiver((4, 4, 2))([received, drawn])
    np.testing.assert_allclose(cleaned, scaled, atol=1e-5)


@pytest.mark.parametrize("build", [build_transmitter_haar, build_receiver_haar])
def test_a_module_converts_to_builtin_operators_and_gives_the_same(build):
    from ai_edge_litert.interpreter import Interpreter

    from arn_keras.export.litert import convert

    model, rng = build((128,)), np.random.default_rng(5)
    content = convert(model, "float32")  # refuses other operators
    assert len(content) < 4000
    signal, rotation = rng.normal(size=(1, 128)).astype("float32"), draw(rng, 128)[None]
    runner = Interpreter(model_content=content).get_signature_runner()
    given = {model.inputs[0].name: signal, "rotation": rotation.astype("float32")}
    (output,) = runner(**given).values()
    np.testing.assert_allclose(output, np.asarray(model(list(given.values()))), atol=1e-5)


def test_the_remainder_bounds_what_coarser_numbers_do():
    """The bound on the words' part, by experiment: 2^16 steps of the angle in place of 2^32."""
    rng, n, coarser = np.random.default_rng(6), 32, 2**16
    pairs, squares = math.ceil(n * (n + 1) / 4), []
    for _ in range(40):
        keystream = rng.bytes(keystream_bytes(n))
        turns = np.frombuffer(keystream, "<u4", pairs, 8 * pairs)
        rounded = (turns // coarser * coarser + coarser // 2).astype("<u4").tobytes()
        other = keystream[: 8 * pairs] + rounded
        shift = (haar_rotation(keystream, n) - haar_rotation(other, n)) @ np.eye(n)[-1]
        squares.append(n * np.sum(shift**2))
    measured, bound = math.sqrt(np.mean(squares)), coarser * normal_shift(n)
    assert 0.01 * bound < measured < bound


def test_the_remainder_s_bound_is_above_the_sum_of_its_terms_at_every_n():
    """Reflections of 3 ... n numbers at the worst, and that of two, whose mean is a logarithm."""
    longer = np.arange(3, 20_001)
    summed = math.sqrt(-math.log(NORMAL_RMS)) + np.cumsum(np.sqrt((longer - 1) / (longer - 2)))
    for n in (2, 3, 8, 128, 1024, 20_000):
        terms = math.sqrt(-math.log(NORMAL_RMS)) if n == 2 else summed[n - 3]
        assert math.sqrt(2 * n) * NORMAL_RMS * terms < normal_shift(n)


def test_the_remainder_of_a_run_is_far_below_what_an_eve_could_use():
    signals = np.random.default_rng(8).normal(size=(8, 128)).astype("float32")
    found = remainder(signals, 0.1, 0)
    assert found["shift"] == pytest.approx(normal_shift(128) + float_shift(signals, 0))
    assert 1e-8 < found["shift"] < 1e-4
    assert found["remainder_nats"] == pytest.approx(found["shift"] ** 2 / 0.2)
    assert found["remainder_nats"] < 1e-8
