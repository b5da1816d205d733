"""Fading against theory: error rates of modems, laws of the gain, the error of an estimate."""

import math

import keras
import numpy as np
import pytest
from scipy import stats

import arn_keras
from arn_keras.channel.awgn import AWGN
from arn_keras.channel.rayleigh import Rayleigh
from arn_keras.channel.rician import Rician
from arn_keras.errors import ConfigError, DataError
from arn_keras.run.channels import fields
from arn_keras.run.config import Config

SOURCES = 100_000


def silence(sources, reals):
    return np.zeros((sources, reals), "float32")


def complex_of(signal):
    return np.asarray(signal).view("complex64")


def gains(channel, sources=SOURCES, symbols=1):
    drawn = channel.draw_gain(np.zeros((sources, symbols, 2), "float32"))
    return complex_of(drawn)[..., 0]


def bits(reals, seed=0):
    return np.random.default_rng(seed).choice([-1.0, 1.0], (SOURCES // 4, reals)).astype("float32")


def q(x):
    return stats.norm.sf(x)


@pytest.mark.parametrize("snr_db", [0.0, 4.0])
def test_bits_over_white_noise_err_as_theory_says(snr_db):
    # QPSK: each real of power 1 in noise of 1 / SNR, Q(sqrt(SNR)) = Q(sqrt(Es / N0)).
    sent = bits(16)
    received = np.asarray(AWGN(1)(sent, snr_db=snr_db))
    expected = q(math.sqrt(10 ** (snr_db / 10)))
    assert np.mean(received * sent < 0) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("equalizer", ["mmse", "zero-forcing"])
@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_qpsk_over_rayleigh_errs_as_theory_says(snr_db, equalizer):
    # Bits of power Eb = Es / 2: (1 - sqrt(g / (1 + g))) / 2 with g = Eb / N0 = SNR / 2.
    sent = bits(16)
    channel = Rayleigh(2, fast_fading=True, equalizer=equalizer)
    received = np.asarray(channel(sent, snr_db=snr_db))
    g = 10 ** (snr_db / 10) / 2
    expected = (1 - math.sqrt(g / (1 + g))) / 2
    assert np.mean(received * sent < 0) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("channel", [AWGN, Rayleigh])
def test_bpsk_errs_as_theory_says(channel):
    # All the power of a symbol in its in-phase part: Eb / N0 = SNR.
    sent = np.stack([math.sqrt(2) * bits(8), np.zeros((SOURCES // 4, 8))], -1)
    sent = sent.reshape(-1, 16).astype("float32")
    how = {"fast_fading": True} if channel is Rayleigh else {}
    received = np.asarray(channel(3, **how)(sent, snr_db=3.0))
    g = 10**0.3
    expected = q(math.sqrt(2 * g)) if channel is AWGN else (1 - math.sqrt(g / (1 + g))) / 2
    wrong = np.mean((received * sent)[:, ::2] < 0)
    assert wrong == pytest.approx(expected, rel=0.03)


def test_the_gains_follow_their_laws_and_have_mean_power_1():
    for channel, law in (
        (Rayleigh(4), stats.rayleigh(scale=math.sqrt(0.5))),
        (Rician(4, k_factor_db=6.0), None),
    ):
        drawn = gains(channel)
        assert np.mean(np.abs(drawn) ** 2) == pytest.approx(1.0, rel=0.02)
        if law is None:
            k = 10**0.6
            scale = math.sqrt(1 / (2 * (k + 1)))
            law = stats.rice(math.sqrt(k / (k + 1)) / scale, scale=scale)
        assert stats.kstest(np.abs(drawn).astype(float), law.cdf).pvalue > 0.01


def test_the_phase_of_rayleigh_is_uniform_and_gains_of_sources_and_symbols_are_white():
    drawn = gains(Rayleigh(5, fast_fading=True), symbols=2)
    assert stats.kstest(np.angle(drawn[:, 0]), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.01
    for one, other in ((drawn[1:, 0], drawn[:-1, 0]), (drawn[:, 0], drawn[:, 1])):
        assert abs(np.mean(one * other.conj())) < 4 / math.sqrt(SOURCES)
    assert abs(np.mean(drawn[:, 0] ** 2)) < 4 / math.sqrt(SOURCES)  # circular


def test_a_block_has_one_gain_and_fast_fading_one_a_symbol():
    ones = np.tile(np.float32([1.0, 0.0]), (50, 3, 4))
    block = complex_of(Rayleigh(6, csi="none")(ones, snr_db=80.0)).reshape(50, -1)
    assert np.abs(block - block[:, :1]).max() < 1e-3
    assert np.std(block[:, 0]) > 0.5
    fast = complex_of(Rayleigh(6, csi="none", fast_fading=True)(ones, snr_db=80.0))
    assert len(np.unique(np.round(fast, 3))) > 590


def test_what_is_received_has_the_gain_that_was_drawn():
    channel = Rayleigh(7, csi="none")
    signal = np.random.default_rng(0).normal(size=(20, 8)).astype("float32")
    channel.reseed([3, 0])
    gain = gains(channel, 20, 4)
    channel.reseed([3, 0])
    heard = complex_of(channel(signal, snr_db=70.0))
    np.testing.assert_allclose(heard, gain * complex_of(signal), atol=2e-3)


@pytest.mark.parametrize("csi", ["perfect", "pilots"])
def test_zero_forcing_without_noise_gives_back_the_signal(csi):
    signal = np.random.default_rng(1).normal(size=(40, 5, 8)).astype("float32")
    heard = Rayleigh(8, csi=csi, equalizer="zero-forcing")(signal, snr_db=90.0)
    np.testing.assert_allclose(heard, signal, atol=0.02)


@pytest.mark.parametrize("snr_db", [-5.0, 10.0])
def test_the_equaliser_s_error_is_the_least_there_is(snr_db):
    # E|z - z^|^2 / E|z|^2 = E[1 / (1 + |h|^2 SNR)] = e^(1/SNR) E1(1/SNR) / SNR for Rayleigh.
    from scipy.special import exp1

    signal = np.random.default_rng(2).normal(size=(SOURCES // 4, 8)).astype("float32")
    snr = 10 ** (snr_db / 10)
    error = np.mean(
        (np.asarray(Rayleigh(9, fast_fading=True)(signal, snr_db=snr_db)) - signal) ** 2
    )
    assert error == pytest.approx(math.exp(1 / snr) * exp1(1 / snr) / snr, rel=0.02)
    worse = Rayleigh(9, fast_fading=True, equalizer="zero-forcing")(signal, snr_db=snr_db)
    assert np.mean((np.asarray(worse) - signal) ** 2) > 1.5 * error


@pytest.mark.parametrize("channel", [Rayleigh, Rician])
@pytest.mark.parametrize("pilots", [1, 8])
def test_an_estimate_errs_as_theory_says(channel, pilots):
    listener = channel(10, csi="pilots", pilots=pilots)
    drawn = listener.draw_gain(np.zeros((SOURCES, 1, 2), "float32"))
    variance = 10**-0.3
    estimate, error = listener.estimate(drawn, variance)
    scattered = 1.0 if channel is Rayleigh else 1 / (1 + 10**0.6)
    expected = 1 / (1 / scattered + pilots / variance)
    assert float(error) == pytest.approx(expected, rel=1e-4)
    wrong = complex_of(estimate) - complex_of(drawn)
    assert np.mean(np.abs(wrong) ** 2) == pytest.approx(expected, rel=0.03)
    # What is left of the gain is uncorrelated with its estimate: it was all used.
    assert abs(np.mean(wrong * complex_of(estimate).conj())) < 0.01


def test_strong_line_of_sight_is_white_noise():
    signal = silence(SOURCES // 4, 8)
    heard = np.asarray(Rician(11, k_factor_db=60.0, equalizer="zero-forcing")(signal, snr_db=5.0))
    assert np.var(heard) == pytest.approx(10**-0.5, rel=0.02)


def test_the_average_snr_is_that_of_the_link_and_of_each_source():
    levels = np.repeat(np.float32([0.0, 20.0]), 20_000)
    heard = np.asarray(Rayleigh(12, csi="none", snr_offset_db=3.0)(silence(40_000, 4), levels))
    for part, snr_db in ((heard[:20_000], 3.0), (heard[20_000:], 23.0)):
        assert np.var(part) == pytest.approx(10 ** (-snr_db / 10), rel=0.02)


def test_a_link_over_fading_is_loaded_with_what_each_listener_knows(tmp_path):
    parts = arn_keras.build_transmitter((4, 4, 1), 6, 8), arn_keras.build_receiver((4, 4, 1), 6, 8)
    eve = arn_keras.build_eavesdropper((6,), 3, (8,))
    bob = Rician(k_factor_db=3.0, csi="pilots", pilots=4, equalizer="zero-forcing")
    spy = Rayleigh(fast_fading=True)
    link = arn_keras.SecureLink(*parts, eve, bob_channel=bob, eve_channel=spy)
    link.compile("adam", run_eagerly=True)
    source, labels = np.zeros((8, 4, 4, 1), "float32"), np.arange(8) % 3
    link.fit(source, labels, batch_size=8, verbose=0)
    link.save(tmp_path / "link.keras")
    found = keras.saving.load_model(tmp_path / "link.keras")
    for name in ("bob_channel", "eve_channel"):
        assert getattr(found, name).get_config() == getattr(link, name).get_config()
    np.testing.assert_array_equal(found.predict(source, verbose=0), link.predict(source, verbose=0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rician(k_factor_db=math.nan), "finite k_factor_db, got nan"),
        (lambda: Rician(k_factor_db=-400), "k_factor_db between -300 and 300, got -400"),
        (lambda: Rayleigh(snr_offset_db=math.inf), "finite snr_offset_db, got inf"),
        (lambda: Rayleigh(csi="pilots", pilots=-8), "pilots >= 1, got -8"),
        (lambda: Rayleigh(pilots=8), "csi='pilots' beside pilots"),
        (lambda: Rayleigh(csi="pilots", fast_fading=True), "block fading"),
        (lambda: Rayleigh(csi="all"), "csi of perfect, pilots, none, got 'all'"),
        (lambda: Rayleigh(equalizer="best"), "equalizer of mmse, zero-forcing, got 'best'"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_an_odd_number_of_reals_is_refused():
    with pytest.raises(DataError, match=r"even number of reals in the last axis.*got 7"):
        Rayleigh()(silence(2, 7), snr_db=0.0)


NONE_OF_THEM = dict.fromkeys(("fast_fading", "k_factor_db", "pilots", "equalizer"))


@pytest.mark.parametrize(
    ("options", "in_effect"),
    [
        ({}, {"channel": "awgn", "csi": "perfect", **NONE_OF_THEM}),
        (
            {"channel": "rayleigh", "fast_fading": True},
            {"fast_fading": True, "k_factor_db": None, "pilots": None, "equalizer": "mmse"},
        ),
        (
            {"channel": "rician", "csi": "pilots", "equalizer": "zero-forcing"},
            {"fast_fading": False, "k_factor_db": 6.0, "pilots": 8, "equalizer": "zero-forcing"},
        ),
        (
            {"channel": "rician", "k_factor_db": -3.0, "csi": "pilots", "pilots": 2},
            {"k_factor_db": -3.0, "pilots": 2},
        ),
        ({"channel": "rayleigh", "csi": "none"}, {"csi": "none", "equalizer": None}),
        ({"eve_snr_offset_db": 3.0}, {"eve_snr_offset_db": 3.0}),
    ],
)
def test_a_row_says_of_the_air_what_is_in_effect_and_what_is_by_default(options, in_effect):
    found = fields(Config(**options))
    assert found.keys() == {"channel", "csi", "eve_snr_offset_db", *NONE_OF_THEM}
    assert found | in_effect == found
