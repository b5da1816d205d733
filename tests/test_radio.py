import keras
import numpy as np
import pytest

from arn_keras.channel.awgn import AWGN
from arn_keras.data.modulation import frames
from arn_keras.errors import ConfigError
from arn_keras.eve.expert import SymbolFeatures, build_expert_eavesdropper
from arn_keras.eve.radio import build_iq_eavesdropper, build_symbol_eavesdropper
from arn_keras.export.litert import convert_all, operators
from arn_keras.link.constellation import MODULATIONS
from arn_keras.link.modem import build_transmitter
from arn_keras.measure.spectrum import as_complex, share_above, spectrum
from arn_keras.pair.in_band import in_band_residual
from arn_keras.pulse import band_edge

NAMES = tuple(MODULATIONS)
EVES = [build_iq_eavesdropper, build_symbol_eavesdropper, build_expert_eavesdropper]


def _module(samples=128, **options):
    signal = keras.Input((2 * samples,), name="signal")
    residual = in_band_residual(signal, **options)
    model = keras.Model(signal, keras.layers.Add(name="sent")([signal, residual]))
    for each in model.trainable_variables:  # far from the identity, as after a training
        each.assign(0.3 * keras.random.normal(each.shape, seed=len(each.shape)))
    return model


@pytest.mark.parametrize("each", [8, 4])
def test_a_perturbation_stays_in_the_modems_band_whatever_the_weights(each):
    noise = np.random.default_rng(0).normal(size=(64, 256)).astype("float32")
    module = _module(samples_per_symbol=each)
    change = module(noise).numpy() - noise
    assert np.mean(change**2) > 0.01
    assert share_above(*spectrum(change), band_edge(each)) < 1e-3
    assert share_above(*spectrum(noise), band_edge(each)) > 0.5


def test_the_filter_of_a_module_is_not_trained_and_all_symbols_are_treated_alike():
    module = _module(width=8, depth=1)
    filtered = [v.path for v in module.non_trainable_variables]
    assert len(filtered) == 1
    assert "in_band" in filtered[0]
    frame = np.random.default_rng(0).normal(size=(3, 256)).astype("float32")
    moved = np.roll(frame, 16 * 3, axis=1)
    np.testing.assert_allclose(module(moved), np.roll(module(frame), 16 * 3, axis=1), atol=1e-4)


def test_a_module_in_the_band_runs_on_built_in_operators(tmp_path):
    module = _module(width=8, depth=1)
    path = tmp_path / "module.keras"
    module.save(path)
    np.testing.assert_allclose(
        keras.models.load_model(path)(np.ones((1, 256))), module(np.ones((1, 256))), atol=1e-6
    )
    converted = convert_all(keras.models.load_model(path), ["float32"])["float32"]
    assert set(operators(converted)) <= {
        "RESHAPE", "STRIDED_SLICE", "CONCATENATION", "CONV_2D", "EXPAND_DIMS", "ADD", "SLICE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("build", "options"),
    [(EVES[0], {"filters": (24, 32)}), (EVES[1], {"width": 32, "depth": 1}), (EVES[2], {})],
)
def test_an_eavesdropper_learns_to_tell_modulations_apart(build, options):
    keras.utils.set_random_seed(0)
    names = ("bpsk", "8psk", "pam4")
    sent = frames(1200, 16, range(3), seed=1)
    signal = build_transmitter(names, 128)(sent).numpy()
    eve = build((256,), 3, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    eve.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=False)  # of 72 steps
    label = sent[:, -1, 0].astype(int)
    eve.fit(signal[:900], label[:900], batch_size=50, epochs=4, verbose=0)
    guess = np.argmax(eve(signal[900:]), axis=1)
    assert np.mean(guess == label[900:]) > 0.6  # of three


@pytest.mark.parametrize("build", EVES)
def test_an_eavesdropper_is_saved_and_loaded(build, tmp_path):
    eve = build((256,), 6)
    signal = np.random.default_rng(0).normal(size=(5, 256)).astype("float32")
    eve.save(tmp_path / "eve.keras")
    again = keras.models.load_model(tmp_path / "eve.keras")
    np.testing.assert_allclose(again(signal), eve(signal), atol=1e-5)
    assert eve(signal).shape == (5, 6)


@pytest.mark.parametrize("build", EVES[:2])
def test_behind_a_low_pass_nothing_outside_the_band_is_heard(build):
    eve = build((256,), 6, low_pass=True)
    rng = np.random.default_rng(0)
    signal = build_transmitter(NAMES, 128)(frames(20, 16, range(6))).numpy()
    spectrum = np.fft.fft(rng.normal(size=(20, 128, 2)) @ [1, 1j])
    spectrum[:, np.abs(np.fft.fftfreq(128)) < 2 * band_edge()] = 0
    attack = np.fft.ifft(spectrum).astype(np.complex64).view(np.float32)
    attack *= 0.3 / attack.std()
    quiet = eve(signal + attack) - eve(signal)
    plain = build((256,), 6)
    assert np.abs(quiet).max() < 0.1 * np.abs(plain(signal + attack) - plain(signal)).max()


def _features(names, symbols, count, snr_db=None, each=8):
    sent = frames(count, symbols, range(len(names)), each)
    signal = build_transmitter(names, symbols * each, each)(sent)
    signal = signal if snr_db is None else AWGN(1)(signal, snr_db=snr_db)
    layer = SymbolFeatures(symbols * each, each)
    points, whole = layer(signal)
    return sent, signal, layer, points.numpy(), whole.numpy()


@pytest.mark.parametrize(
    ("name", "c20", "c40", "c42"),
    [
        ("bpsk", 1, 2, -2),
        ("qpsk", 0, 1, -1),
        ("8psk", 0, 0, -1),
        ("pam4", 1, 1.36, -1.36),
        ("16qam", 0, 0.68, -0.68),
        ("64qam", 0, 0.619, -0.619),
    ],
)
def test_the_experts_cumulants_are_those_of_swami_and_sadler(name, c20, c40, c42):
    *_, whole = _features((name,), 256, 48, each=4)
    found = whole[:, 3:].mean(axis=0)
    np.testing.assert_allclose(found[[0, 1, 3]], [c20, c40, c42], atol=0.13)


def test_the_expert_finds_the_timing_and_does_not_care_for_the_phase():
    sent, signal, layer, points, whole = _features(NAMES, 64, 300, snr_db=10.0)
    pairs = np.reshape(signal, (-1, 512, 2))
    grid = np.einsum("bmc,mn->bnc", pairs, layer._matrix).reshape(-1, 64, 8, 2)
    late = (layer.timing(grid).numpy() - sent[:, -1, 2]) % 8
    assert np.mean(np.isin(late, [7, 0, 1])) > 0.97
    turned = (as_complex(signal.numpy()) * np.exp(0.7j)).astype(np.complex64).view(np.float32)
    points_of_turned, whole_of_turned = layer(turned)
    np.testing.assert_allclose(whole_of_turned, whole, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(points_of_turned[..., :2], points[..., :2], atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "says"), [((5,), r"\[5\]"), ((8, 8), r"\[8, 8\]"), ((300,), "divide a frame of 150")]
)
def test_a_signal_that_is_no_frame_is_refused(shape, says):
    with pytest.raises(ConfigError, match=says):
        in_band_residual(keras.Input(shape))


@pytest.mark.parametrize("build", [build_iq_eavesdropper, build_symbol_eavesdropper])
@pytest.mark.parametrize("shape", [(129,), (64, 16)])
def test_an_eavesdropper_of_samples_refuses_signals_without_pairs(build, shape):
    with pytest.raises(ConfigError, match=r"expected interleaved I/Q signals \[2 n\], got"):
        build(shape, 3)
