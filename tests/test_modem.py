import keras
import numpy as np
import pytest
from scipy import special

from arn_keras.channel.awgn import AWGN
from arn_keras.data.modulation import BLOCK, frames
from arn_keras.errors import ConfigError, DataError
from arn_keras.link import constellation
from arn_keras.link.modem import (
    DemapperCrossEntropy,
    SymbolError,
    build_receiver,
    build_transmitter,
)
from arn_keras.measure.modem_theory import es_n0_db, price_db, symbol_error_rate
from arn_keras.measure.spectrum import (
    as_complex,
    occupied_bandwidth,
    papr_db,
    share_above,
    spectrum,
)
from arn_keras.pulse import band_edge, band_filter, root_raised_cosine

NAMES = tuple(constellation.MODULATIONS)


def _errors(names, snr_db, count, samples=256, each=8, seed=0):
    """Wrong symbols of each frame, and what was sent."""
    sent = frames(count, samples // each, range(len(names)), each, seed=seed)
    signal = build_transmitter(names, samples, each)(sent)
    heard = AWGN(seed + 1)(signal, snr_db=snr_db)
    return constellation.symbol_errors(sent, build_receiver(samples, each)(heard), names), sent


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_of_a_constellation_differ_in_one_bit(name):
    points = constellation.points(name)
    labels = np.arange(len(points))
    distance = np.abs(points[:, None] - points) + 9 * np.eye(len(points))
    for one, other in np.argwhere(distance < distance.min() + 1e-9):
        assert int(labels[one] ^ labels[other]).bit_count() == 1
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1)
    assert len(set(np.round(points, 9))) == 2 ** constellation.MODULATIONS[name]


@pytest.mark.parametrize(("samples", "each"), [(256, 8), (128, 8), (128, 4)])
def test_the_pulse_and_its_matched_filter_leave_no_symbol_in_another(samples, each):
    pulse = root_raised_cosine(samples, each)
    through = np.fft.ifft(np.abs(np.fft.fft(pulse)) ** 2).real
    np.testing.assert_allclose(through[::each], [1, *np.zeros(samples // each - 1)], atol=1e-12)
    # The middle of a root-raised cosine that is not periodic, in closed form, roll-off 0.35.
    middle = (1 - 0.35 + 4 * 0.35 / np.pi) / np.sqrt(each)
    assert pulse[0] == pytest.approx(middle, rel=2e-3)


@pytest.mark.parametrize(("samples", "each"), [(256, 8), (128, 8), (256, 4)])
def test_every_frame_is_sent_with_power_one_and_stays_in_its_band(samples, each):
    sent = frames(300, samples // each, range(6), each)
    signal = build_transmitter(NAMES, samples, each)(sent).numpy()
    assert signal.shape == (300, 2 * samples)
    np.testing.assert_allclose(np.mean(signal.astype(float) ** 2, axis=1), 1, atol=1e-5)
    assert share_above(*spectrum(signal), band_edge(each)) < 1e-11
    # 99 % of a raised cosine: 0.5 % of its power is above f, each side.
    f = np.linspace(0, 1, 100_001)
    power = np.cos(np.pi / 2 * np.clip((f - 0.325) / 0.35, 0, 1)) ** 2
    width = 2 * f[np.searchsorted(np.cumsum(power) / power.sum(), 0.99)]
    assert occupied_bandwidth(signal) == pytest.approx(width / each, rel=0.03)


def test_without_noise_bob_finds_every_bit_where_he_was_told_to_look():
    wrong, sent = _errors(NAMES, 200.0, 120)
    assert not wrong.any()
    estimate = build_receiver()(build_transmitter(NAMES)(sent))
    _, points, gain, _ = constellation.sent(sent, NAMES)
    found = constellation.estimates(sent, estimate, NAMES)
    expected = points * (gain / constellation.told(gain))[:, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    elsewhere = sent.copy()
    elsewhere[:, -1, 2] = (elsewhere[:, -1, 2] + 3) % 8
    assert constellation.symbol_errors(elsewhere, estimate, NAMES).mean() > 1


def test_a_phase_and_a_timing_turn_and_shift_the_signal():
    sent = frames(12, 32, range(6))
    sent[:, -1, 1:3] = 0
    transmitter = build_transmitter(NAMES)
    plain = as_complex(transmitter(sent).numpy())
    sent[:, -1, 1:3] = (1.0, 3)
    moved = as_complex(transmitter(sent).numpy())
    np.testing.assert_allclose(moved, np.roll(plain, 3, axis=1) * np.exp(1j), atol=1e-5)


def _expected(name, labels, ratio):
    """Probability of an error of each sent symbol at its frame's own Es/N0, in closed form."""
    if name.endswith("psk") or name == "bpsk":
        rates = np.array([symbol_error_rate(name, 10 * np.log10(each)) for each in ratio[:, 0]])
        return np.broadcast_to(rates[:, None], labels.shape)
    points = constellation.points(name)[labels]
    whole = constellation.points(name)
    half = np.min(np.abs(whole[1:] - whole[0])) / 2
    tail = special.erfc(half * np.sqrt(ratio)) / 2  # of one side of one axis
    right = np.ones(labels.shape)
    for part, every in ((points.real, whole.real), (points.imag, whole.imag)):
        if np.ptp(every) > 1e-9:
            right = right * (1 - np.where(np.abs(part) > np.abs(every).max() - 1e-9, 1, 2) * tail)
    return 1 - right


@pytest.mark.parametrize(
    ("name", "level_db", "samples", "each"),
    [
        ("bpsk", 3.0, 256, 8),
        ("qpsk", 6.0, 256, 8),
        ("8psk", 11.0, 256, 8),
        ("16qam", 12.5, 256, 8),
        ("64qam", 19.03, 256, 8),
        ("pam4", 9.0, 256, 8),
        # Another pulse; it knows nothing of the points.
        ("64qam", 19.03, 128, 4),
        ("pam4", 9.0, 128, 4),
    ],
)
def test_symbol_error_rates_are_those_of_theory(name, level_db, samples, each):
    count = 3000
    snr_db = level_db - 10 * np.log10(each)
    assert es_n0_db(snr_db, each) == pytest.approx(level_db)
    wrong, sent = _errors((name,), snr_db, count, samples, each)
    labels, _, gain, _ = constellation.sent(sent, (name,))
    # A frame's symbols have the energy |gain|^2 / 2 times that of the constellation.
    ratio = np.abs(gain[:, None]) ** 2 / 2 * 10 ** (level_db / 10)
    expected = _expected(name, labels, ratio)
    deviation = np.sqrt(np.sum(expected * (1 - expected)))
    assert wrong.sum() > 1000
    assert abs(wrong.sum() - expected.sum()) < 3 * deviation
    assert wrong.sum() / labels.size == pytest.approx(symbol_error_rate(name, level_db), rel=0.06)


def test_theory_is_the_integral_of_the_noise_beyond_the_borders():
    rng = np.random.default_rng(0)
    for name in NAMES:
        points = constellation.points(name)
        sent = rng.integers(0, len(points), 100_000)
        noise = rng.normal(size=(100_000, 2)) @ [1, 1j] * np.sqrt(10**-1.2 / 2)
        found = np.argmin(np.abs((points[sent] + noise)[:, None] - points), axis=1)
        rate = symbol_error_rate(name, 12.0)
        assert abs(np.mean(found != sent) - rate) < 4 * np.sqrt(rate / 100_000) + 1e-9
    assert symbol_error_rate("bpsk", 0.0) == pytest.approx(0.0786496, rel=1e-5)


def test_a_price_is_the_loss_of_snr_that_does_the_same_harm():
    rate = symbol_error_rate("64qam", 18.2)
    assert price_db("64qam", rate, 19.03) == pytest.approx(0.83, abs=1e-4)
    assert price_db("64qam", symbol_error_rate("64qam", 19.5), 19.03) < 0
    assert price_db("bpsk", 0.0, 10.0) == -np.inf
    assert price_db("bpsk", 0.9, 10.0) == np.inf


def test_frames_come_from_the_seed_alone_and_in_any_part():
    whole = frames(BLOCK + 30, 8, range(6), seed=5)
    np.testing.assert_array_equal(frames(40, 8, range(6), seed=5, first=BLOCK - 10), whole[-40:])
    assert np.any(frames(40, 8, range(6), seed=6) != whole[:40])
    assert np.any(frames(40, 8, range(6), seed=5, split=1) != whole[:40])
    modulation, phase, timing, *rest = whole[:, -1].T
    assert np.ptp(np.bincount(modulation.astype(int))) <= 1
    assert set(np.unique(timing)) == set(range(8))
    assert abs(np.exp(1j * phase).mean()) < 0.05
    assert not np.any(rest)
    assert whole[:, :-1].mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("loss", [SymbolError(NAMES), DemapperCrossEntropy(NAMES)])
def test_the_losses_of_the_modem_are_those_of_numpy_and_have_gradients(loss):
    import tensorflow as tf

    sent = frames(60, 32, range(6))
    signal = AWGN(3)(build_transmitter(NAMES)(sent), snr_db=8.0)
    receiver = build_receiver()
    with tf.GradientTape() as tape:
        tape.watch(signal)
        found = loss(sent, receiver(signal))
    gradient = tape.gradient(found, signal).numpy()
    assert np.all(np.isfinite(gradient))
    assert np.abs(gradient).max() > 0
    labels, points, gain, _ = constellation.sent(sent, NAMES)
    got = constellation.estimates(sent, receiver(signal), NAMES)
    got *= (constellation.told(gain) / gain)[:, None]  # the losses know the gain itself
    expected = []
    for row in range(60):
        whole = constellation.points(NAMES[int(sent[row, -1, 0])])
        if isinstance(loss, SymbolError):
            least = np.min(np.abs(whole[1:] - whole[0])) / 2
            expected.append(np.mean(np.abs(got[row] - points[row]) ** 2) / least**2)
        else:
            logits = -(np.abs(got[row][:, None] - whole) ** 2) * 10**1.9
            total = special.logsumexp(logits, axis=1)
            expected.append(np.mean(total - logits[np.arange(32), labels[row]]))
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)
    again = type(loss).from_config(loss.get_config())
    np.testing.assert_array_equal(again(sent, receiver(signal)), found)


def test_a_modem_is_saved_and_loaded(tmp_path):
    sent = frames(7, 16, range(2), 4)
    transmitter, receiver = build_transmitter(("qpsk", "pam4"), 64, 4), build_receiver(64, 4)
    assert transmitter.count_params() == receiver.count_params() == 0
    for model, given in ((transmitter, sent), (receiver, transmitter(sent))):
        model.save(tmp_path / "model.keras")
        np.testing.assert_array_equal(
            keras.models.load_model(tmp_path / "model.keras")(given), model(given)
        )


def test_peaks_and_bands_of_known_signals():
    n = 64
    turn = np.exp(2j * np.pi * 5 * np.arange(n) / n)
    tone, two = turn, turn + turn**-1
    spike = np.eye(n)[0]
    signals = np.stack([tone, two, spike]).astype(np.complex64).view(np.float32)
    np.testing.assert_allclose(papr_db(signals), [0, 10 * np.log10(2), 10 * np.log10(n)], atol=1e-5)
    assert occupied_bandwidth(signals[:1]) == pytest.approx(0.99 / n, rel=1e-4)
    assert occupied_bandwidth(signals[1:2]) == pytest.approx((10 + 0.99) / n, rel=1e-3)
    assert occupied_bandwidth(signals[2:]) == pytest.approx(0.99, rel=1e-6)
    assert share_above(*spectrum(signals[:1]), 4.5 / n) == pytest.approx(1)
    assert share_above(*spectrum(signals[2:]), 0.25) == pytest.approx(31 / 64)
    assert (
        occupied_bandwidth(np.zeros((1, 8))) == share_above(*spectrum(np.zeros((1, 8))), 0.1) == 0
    )


def test_the_band_filter_passes_the_band_and_little_else():
    response = np.abs(np.fft.fft(band_filter(), 4096)) ** 2
    outside = np.abs(np.fft.fftfreq(4096)) > band_edge()
    assert response[outside].sum() / response.sum() < 2e-4
    assert response[0] == pytest.approx(1)
    np.testing.assert_allclose(band_filter(), band_filter()[::-1])


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda: build_transmitter(("qpsk", "am")), "got qpsk, am"),
        (lambda: build_transmitter(()), "got none"),
        (lambda: build_transmitter(("qpsk", "qpsk")), "different modulations"),
        (lambda: build_receiver(250), "divide a frame of 250"),
        (lambda: build_receiver(256, 1), "got 1"),
        (lambda: build_receiver(56), "at least 8 symbols"),
        (lambda: build_receiver(256, 8, 0.0), "got 0.0"),
        (lambda: frames(0, 32, range(6)), "got 0, 32 and 6"),
        (lambda: symbol_error_rate("fm", 3.0), "got fm"),
    ],
)
def test_what_cannot_be_is_one_line(attempt, says):
    with pytest.raises((ConfigError, DataError), match=says) as refusal:
        attempt()
    assert "\n" not in str(refusal.value)
