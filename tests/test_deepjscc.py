import fractions

import keras
import numpy as np
import pytest

from arn_keras.channel.awgn import AWGN
from arn_keras.errors import ConfigError
from arn_keras.export.litert import convert_all, operators
from arn_keras.link.deepjscc import build_receiver, build_transmitter, signal_shape
from arn_keras.training.semantic_link import SemanticLink


@pytest.mark.parametrize(
    ("shape", "compression", "signal"),
    [
        ((32, 32, 3), "1/6", (8, 8, 16)),
        ((32, 32, 3), 1 / 12, (8, 8, 8)),
        ((28, 28, 1), fractions.Fraction(1, 8), (7, 7, 4)),
        ((24, 40, 3), "1/6", (6, 10, 16)),
    ],
)
def test_a_source_of_n_values_gets_k_complex_symbols(shape, compression, signal):
    found = signal_shape(shape, compression)
    assert found == signal
    ratio = np.prod(found) / 2 / np.prod(shape)
    assert ratio == pytest.approx(float(fractions.Fraction(compression)))
    assert build_transmitter(shape, compression).output_shape == (None, *signal)
    assert build_receiver(shape, compression).input_shape == (None, *signal)
    assert build_receiver(shape, compression).output_shape == (None, *shape)


def test_every_source_is_sent_with_power_one_whatever_else_is_in_the_batch():
    sources = np.random.default_rng(0).uniform(size=(16, 16, 16, 3)).astype("float32")
    sources[3:6] *= 0.01
    transmitter = build_transmitter((16, 16, 3))
    signals = transmitter(sources).numpy().astype(float)
    np.testing.assert_allclose((signals**2).mean(axis=(1, 2, 3)), 1.0, atol=2e-6)
    np.testing.assert_allclose(transmitter(sources[3:4])[0], signals[3], atol=1e-5)


def test_the_weights_are_those_of_the_layers():
    first = 5 * 5 * 3 * 32 + 32 + 5 * 5 * 32 * 48 + 48 + 3 * 3 * 48 * 48 + 48
    slopes, symbols, linear = 32 + 48 + 48, 3 * 3 * 48 * 16 + 16, 8 * 8 * 3 * 16
    assert build_transmitter((32, 32, 3)).count_params() == first + slopes + symbols + linear


def test_the_signals_of_complex_symbols_are_neighbours_in_memory():
    source = np.random.default_rng(0).uniform(size=(1, 8, 8, 3)).astype("float32")
    signal = build_transmitter((8, 8, 3))(source).numpy()
    symbols = signal.view(np.complex64)
    assert symbols.shape == (1, 2, 2, 8)
    np.testing.assert_array_equal(symbols.real, signal[..., 0::2])
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(2, abs=1e-4)


def test_a_link_learns_pictures_better_than_their_mean():
    keras.utils.set_random_seed(0)
    shape, rng = (8, 8, 1), np.random.default_rng(0)
    coarse = rng.uniform(size=(512, 2, 2, 1)).repeat(4, axis=1).repeat(4, axis=2)
    pictures = coarse.astype("float32")
    ends = (build(shape, "1/4", filters=(8, 8)) for build in (build_transmitter, build_receiver))
    link = SemanticLink(*ends)
    link.compile(keras.optimizers.Adam(3e-3), "mse", jit_compile=False)  # of 128 steps
    link.fit(pictures, batch_size=32, epochs=8, snr_db=20.0, verbose=0)
    heard = AWGN(1)(link.transmitter(pictures), snr_db=20.0)
    assert np.mean((link.receiver(heard) - pictures) ** 2) < 0.2 * pictures.var()


@pytest.mark.parametrize(
    ("build", "needed"), [(build_transmitter, "CONV_2D"), (build_receiver, "TRANSPOSE_CONV")]
)
def test_both_ends_are_builtin_operators(build, needed):
    model = convert_all(build((8, 8, 3), filters=(4, 4)), ["float32"])["float32"]
    assert needed in operators(model)


@pytest.mark.parametrize(
    ("shape", "compression", "message"),
    [
        ((30, 32, 3), "1/6", r"whose sides 4 divides, got \(30, 32, 3\)"),
        ((32, 32), "1/6", r"pictures \(height, width, channels\).* got \(32, 32\)"),
        ((28, 28, 1), "1/6", r"multiple of 1/16 .* 1 channel\(s\), for example 1/8 or 3/16"),
        ((32, 32, 3), "1/100", "multiple of 1/48 .* for example 1/48 or 1/24, got 1/100"),
        ((32, 32, 3), "-1/6", "k/n from 1/10000 to 4, for example 1/6, got -1/6"),
        ((32, 32, 3), "1e-9", "k/n from 1/10000 to 4, for example 1/6, got 1e-9"),
        ((32, 32, 3), "1e300", "k/n from 1/10000 to 4, for example 1/6, got 1e300"),
        ((32, 32, 3), "1e99999999", "k/n from 1/10000 to 4, for example 1/6, got 1e99999999"),
        ((32, 32, 3), "1e-99999999", "k/n from 1/10000 to 4, for example 1/6, got 1e-99999999"),
        ((32, 32, 3), "a lot", "k/n from 1/10000 to 4, for example 1/6, got a lot"),
        ((32, 32, 3), None, "k/n from 1/10000 to 4, for example 1/6, got None"),
        ((32, 32, 3), float("nan"), "k/n from 1/10000 to 4, for example 1/6, got nan"),
    ],
)
def test_pictures_and_compressions_that_do_not_fit_are_refused_in_one_line(
    shape, compression, message
):
    for build in (build_transmitter, build_receiver):
        with pytest.raises(ConfigError, match=message) as error:
            build(shape, compression)
        assert "\n" not in str(error.value)


def test_one_step_of_a_conv_pair_moves_nothing_else_not_even_statistics():
    from arn_keras.eve.residual import build_residual_eavesdropper
    from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
    from arn_keras.training.secure_link import SecureLink

    shape = (8, 8, 3)
    transmitter, receiver = (
        build(shape, filters=(4, 4)) for build in (build_transmitter, build_receiver)
    )
    signals = transmitter.output_shape[1:]
    eve = build_residual_eavesdropper(signals, 5, width=4, depth=1)
    pair = [
        build(signals, block="conv", width=4, depth=1)
        for build in (build_transmitter_arn, build_receiver_arn)
    ]
    link = SecureLink(transmitter, receiver, eve, *pair)
    link.compile(keras.optimizers.Adam(1e-2), shards=2, run_eagerly=True)
    rng = np.random.default_rng(0)
    pictures = rng.uniform(size=(8, *shape)).astype("float32")
    frozen, moved = [transmitter, receiver, eve], pair
    before = [model.get_weights() for model in frozen + moved]
    link.fit(pictures, rng.integers(5, size=8), batch_size=8, verbose=0)
    for model, weights in zip(frozen + moved, before, strict=True):
        same = [
            np.array_equal(one, two) for one, two in zip(weights, model.get_weights(), strict=True)
        ]
        assert all(same) if model in frozen else not any(same), model.name
