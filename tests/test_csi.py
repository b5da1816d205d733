"""What Bob knows of each source's SNR: from his ear to his module, wherever that is called."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from bundles import converted_here  # noqa: F401
from kept_models import _parts, models  # noqa: F401
from wiretaps import SYMBOLS, wiretap

import arn_keras
from arn_keras import SecureLink
from arn_keras.audit.bob import bob
from arn_keras.audit.kerckhoffs import bob_sees
from arn_keras.audit.keys import wrong_key
from arn_keras.audit.wiretap import Wiretap
from arn_keras.channel import CHANNELS
from arn_keras.channel.awgn import AWGN
from arn_keras.channel.rayleigh import Rayleigh
from arn_keras.channel.unsynchronised import Unsynchronised
from arn_keras.errors import ConfigError, ModelError
from arn_keras.pair.arn import build_receiver_arn
from arn_keras.pair.chain import Protection
from arn_keras.pair.rotation import FAST
from arn_keras.pair.told import tell
from arn_keras.run.channels import channels
from arn_keras.run.config import Config
from arn_keras.run.given import check_modules
from arn_keras.system import forward

SHAPE = (8,)


def gains_of(sent, heard):
    """|h|^2 of each source of ones, without noise and equalised by nobody."""
    return np.mean(np.abs(np.asarray(heard).view("complex64") / sent.view("complex64")) ** 2, 1)


@pytest.mark.parametrize("fast_fading", [False, True])
def test_csi_is_the_snr_and_the_gain_of_each_source(fast_fading):
    sent, levels = np.ones((500, 8), "float32"), np.linspace(100, 130, 500, dtype="float32")
    how = {"seed": 3, "snr_offset_db": 2.0, "fast_fading": fast_fading}
    unknown, csi = Rayleigh(csi="none", **how).hear(sent, levels)
    np.testing.assert_allclose(csi, levels + 2.0, rtol=1e-6)  # he knows no gain: the average
    known, csi = Rayleigh(**how).hear(sent, levels)  # the same draws
    expected = levels + 2.0 + 10 * np.log10(gains_of(sent, unknown))
    np.testing.assert_allclose(csi, expected, atol=1e-3)
    np.testing.assert_allclose(known, sent, atol=2e-3)  # equalised


def test_csi_from_pilots_is_that_of_the_estimate():
    sent = np.ones((20_000, 2), "float32")
    for pilots in (1, 64):
        _, csi = Rayleigh(4, csi="pilots", pilots=pilots).hear(sent, snr_db=0.0)
        power = 10 ** (np.asarray(csi) / 10)
        # h^ of E|h^|^2 = 1 - c, c = v / (1 + v), v = 1 / N: the error is not in it.
        assert np.mean(power) == pytest.approx(1 / (1 + 1 / pilots), rel=0.03)


@pytest.mark.parametrize("channel", [AWGN, Rayleigh])
def test_hearing_is_a_call_and_what_is_known_of_it(channel):
    sent = np.random.default_rng(0).normal(size=(50, 8)).astype("float32")
    heard, csi = channel(5).hear(sent, snr_db=7.0)
    np.testing.assert_array_equal(heard, channel(5)(sent, snr_db=7.0))
    assert np.shape(csi) == (() if channel is AWGN else (50,))
    if channel is AWGN:
        assert float(csi) == 7.0


@pytest.mark.parametrize("channel", [AWGN, Rayleigh])
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_hearing_takes_what_a_call_takes(channel, dtype):
    sent, levels = np.ones((4, 8), dtype), np.array([[0.0], [5.0], [10.0], [15.0]])
    heard, csi = channel(5).hear(sent, levels)  # a column of SNRs, as a call
    np.testing.assert_array_equal(heard, channel(5)(sent, snr_db=levels))
    np.testing.assert_array_equal(csi, channel(5).hear(sent, levels[:, 0])[1])
    assert (csi.shape, csi.dtype) == ((4,), "float32")


class Jammed(Rayleigh):
    """A channel of one's own, which does not say what a listener knows of it."""

    def call(self, signal, snr_db):
        return 7.0 + super().call(signal, snr_db)


class Heard(AWGN):
    """Another, which does."""

    def hear(self, signal, snr_db):
        return self(signal, snr_db=snr_db), 3.0 + self.average_snr_db(snr_db)


def test_a_channel_of_ones_own_is_heard_as_it_is_called():
    sent = np.ones((4, 8), "float32")
    heard, csi = Jammed(5).hear(sent, 10.0)
    np.testing.assert_array_equal(heard, 7.0 + Rayleigh(5)(sent, snr_db=10.0))
    assert float(csi) == 10.0  # its own call, so nobody knows more


@pytest.mark.parametrize("csi", ["perfect", "none"])
def test_who_has_no_clock_knows_the_gain_of_her_air_all_the_same(csi):
    sent = np.ones((5, 16), "float32")
    heard, known = Unsynchronised(Rayleigh(csi=csi), 4, seed=3).hear(sent, 10.0)
    np.testing.assert_array_equal(
        heard, Unsynchronised(Rayleigh(csi=csi), 4, seed=3)(sent, snr_db=10.0)
    )
    assert (np.ptp(known) > 1) == (csi == "perfect")


def keeps_csi(name="received"):
    """A module whose output is what it is told, in each place."""
    signal, csi = keras.Input(SHAPE, name=name), keras.Input((1,), name="csi")
    return keras.Model([signal, csi], csi + 0.0 * signal)


def test_bobs_module_is_told_it_and_alices_cannot_be():
    how = {"receiver": lambda y, training: y, "eve_channel": AWGN()}
    sent = tf.ones((5, 8))
    signals = forward(sent, 10.0, bob_channel=Rayleigh(2), receiver_module=keeps_csi(), **how)
    _, csi = Rayleigh(2).hear(sent, 10.0)
    np.testing.assert_array_equal(signals.cleaned, np.repeat(np.asarray(csi)[:, None], 8, 1))
    assert np.ptp(csi) > 1
    with pytest.raises(ModelError, match=r"of a signal and of snr_db, .* got an input 'csi'"):
        forward(sent, 10.0, bob_channel=AWGN(), transmitter_module=keeps_csi("signal"), **how)


def test_a_module_that_asks_for_what_it_is_not_told_is_refused_where_it_is_given(models):
    with pytest.raises(ModelError, match=r"of a signal and of snr_db, .* got an input 'csi'"):
        SecureLink(*models, transmitter_arn=keeps_csi("signal"))
    signal, csi = keras.Input(SHAPE, name="received"), keras.Input(SHAPE, name="csi")
    with pytest.raises(ModelError, match=r"snr_db, csi, one value each, got .* shaped \[8\]"):
        SecureLink(*models, receiver_arn=keras.Model([signal, csi], signal + csi))
    assert SecureLink(*models, receiver_arn=keeps_csi()).built


def test_a_module_is_made_for_the_range_of_the_gains_and_begins_near_the_identity():
    module = build_receiver_arn(SHAPE, hidden=(6,), snr_db=(10.0, 10.0), csi=True)
    assert [each.name for each in module.inputs] == ["received", "csi"]
    place = module.get_layer("snr_place").get_config()
    ends = [place["scale"] * each + place["offset"] for each in (-5.0, 16.0)]
    np.testing.assert_allclose(ends, [-1, 1], atol=1e-6)
    with pytest.raises(ConfigError, match="average SNR, got None"):
        build_receiver_arn(SHAPE, csi=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "expected a channel whose gain Bob knows, got --channel awgn --csi perfect"),
        ({"channel": "rayleigh", "csi": "none"}, "got --channel rayleigh --csi none"),
        ({"channel": "rayleigh", "protection": "keyed"}, "--csi-aware: expected a pair of ARNs"),
    ],
)
def test_csi_that_nobody_has_or_takes_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        channels(Config(csi_aware=True, **fields))


@pytest.mark.parametrize(("channel", "knows"), [(Jammed, False), (Heard, True)])
def test_a_channel_of_ones_own_says_what_bob_knows(monkeypatch, channel, knows):
    monkeypatch.setitem(CHANNELS, "own", channel)
    config = Config(channel="own", csi_aware=True)
    if knows:
        assert isinstance(channels(config)["bob_channel"], Heard)
    else:
        with pytest.raises(ConfigError, match="expected a channel whose gain Bob knows"):
            channels(config)


def test_runs_of_before_keep_their_identity():
    plain = Config(channel="rayleigh")
    assert "csi_aware" not in plain.identity()
    aware = Config(channel="rayleigh", csi_aware=True)
    assert aware.identity() == {**plain.identity(), "csi_aware": True}


def test_a_pair_of_ones_own_that_takes_csi_is_a_pair():
    signal = tf.zeros((2, *SHAPE))
    check_modules("arn/white", {"receiver": keeps_csi()}, signal)


class Tap(Wiretap):
    """Eve's side of a link whose signals are ones, and of nothing else."""

    def __init__(self, protection):
        self.signals = self.unprotected = (np.ones((4, 8), "float32"),) * 2
        self.protection, self.snr_db, self.seed = protection.at(10.0), 10.0, 1
        self.shape, self.eve_channel = SHAPE, Rayleigh(snr_offset_db=-3.0)

    def receive(self, cleaned):
        return cleaned


def test_eve_with_bobs_chain_tells_it_what_she_knows_of_her_own_gain():
    tap = Tap(Protection("arn", None, keeps_csi()))
    heard, csi = tap.hear(tap.signals[1])
    np.testing.assert_array_equal(heard, tap.overhear(tap.signals[1]))
    seen = bob_sees(tap, heard, csi)
    np.testing.assert_array_equal(seen, np.repeat(csi[:, None], 8, 1))
    assert np.ptp(csi) > 1


def test_rungs_that_use_bobs_module_tell_it_too():
    signal, csi = keras.Input((SYMBOLS,), name="received"), keras.Input((1,), name="csi")
    module = keras.Model([signal, csi], signal + 0.0 * csi)
    tap = wiretap(protection=Protection("arn+keyed", None, module, FAST))
    tap.bob_channel = tap.eve_channel = Rayleigh()
    assert 0 < bob(tap)["mse"] < wrong_key(tap).more["mse"]


@pytest.fixture(scope="module")
def aware_run(tmp_path_factory):
    """A run of the digits over fading, its pair told both."""
    path = tmp_path_factory.mktemp("aware") / "run"
    from arn_keras.run.command import main

    words = "--dataset digits --channel rayleigh --csi-aware --snr-aware --snr-db 0 20 "
    words += "--epochs 1 --link-epochs 1 --eve-epochs 1 --knowledge white --limit 200 --quiet"
    assert main([*words.split(), "--no-export", "--run-dir", str(path)]) == 0
    return path


def test_a_run_tells_bob_the_csi_on_the_device_too(aware_run, converted_here, tmp_path):
    from arn_keras.export import bundle
    from arn_keras.export.runtime import Pair, selftest

    out, _ = bundle.export(aware_run, precisions=["float32"], out=tmp_path / "bundle")

    loaded = {
        role: keras.saving.load_model(aware_run / "arn" / "white" / f"{role}.keras")
        for role in ("transmitter", "receiver")
    }
    told = {role: model.inputs[1].name for role, model in loaded.items()}
    assert told == {"transmitter": "snr_db", "receiver": "csi"}
    assert "float32" in dict(selftest(out))
    received = np.random.default_rng(1).normal(size=(4, *loaded["receiver"].input_shape[0][1:]))
    received, csi = received.astype("float32"), np.float32([-12.0, 3.0, 10.0, 25.0])
    with Pair.load(out) as pair:
        found = pair.bob.clean(received, csi=csi)
    np.testing.assert_allclose(found, tell(loaded["receiver"], received, csi=csi), atol=1e-4)


def test_a_link_of_ones_own_whose_bob_knows_his_gain_is_saved(aware_run, tmp_path):
    from arn_keras.run.saved import SavedRun

    problem = SavedRun.read(aware_run).problem(None)
    models = problem.transmitter, problem.receiver, problem.classifier("eve")
    link = arn_keras.SecureLink(*models, *problem.pair("white"), **problem.channels)
    link.compile("adam", run_eagerly=True)
    data = [(each.source[:80] / np.float32(16), each.label[:80]) for each in _splits(problem)]
    link.fit(*data[0], batch_size=80, snr_db=(0.0, 20.0), verbose=0)
    path = arn_keras.save_run(tmp_path / "own", link, train=data[0], test=data[1], say=None)
    saved = SavedRun.read(path).config
    assert (saved.csi_aware, saved.snr_aware, saved.channel) == (True, True, "rayleigh")
    again = keras.saving.load_model(path / "arn" / "white" / "receiver.keras")
    assert again.inputs[1].name == "csi"


def _splits(problem):
    return problem.dataset.train, problem.dataset.test
