"""Bundles whose modules are told the SNR: right answers, and a refusal of what would mislead."""

import shutil

import bundles
import keras
import numpy as np
import pytest
from bundles import SHAPE, write_config
from tiny_bundles import tiny_bundle

from arn_keras.errors import ConfigError, ExportError, RunDirError
from arn_keras.export import micro, runtime
from arn_keras.export.conversion import Ends, write_modules
from arn_keras.export.radio.ends import open_end
from arn_keras.export.runtime import Pair, SignalError
from arn_keras.export.web.__main__ import made
from arn_keras.pair.told import tell
from arn_keras.power import db_to_ratio

LOW, HIGH = -5.0, 25.0


@pytest.fixture(scope="module")
def aware(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("aware"), snr_range_db=(LOW, HIGH))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("plain"), precisions=("float32",))


def rms(array):
    return np.sqrt(np.mean(np.square(array)))


@pytest.mark.parametrize("precision", ["float32", "int8", "int8-io"])
def test_each_end_answers_as_keras_does_at_the_snr_that_it_is_told(aware, precision):
    levels = np.linspace(LOW, HIGH, 8)
    with Pair.load(aware.path, precision) as pair:
        assert pair.alice.told == pair.bob.told == (LOW, HIGH)
        for end, run, module, given in (
            (pair.alice, pair.alice.protect, aware.alice, aware.signal[:8]),
            (pair.bob, pair.bob.clean, aware.bob, aware.received[:8]),
        ):
            into = end.quantize if end.quantization else np.asarray
            back = end.dequantize if end.quantization else np.asarray
            wanted = np.asarray(tell(module, given, snr_db=levels))
            found = back(run(into(given), snr_db=levels))
            allowed = 1e-6 if precision == "float32" else 0.05
            assert rms(found - wanted) < allowed * rms(wanted)
            singles = [run(into(g), snr_db=s) for g, s in zip(given, levels, strict=True)]
            np.testing.assert_array_equal(back(np.array(singles)), found)
            at_one = back(run(into(given), snr_db=LOW))
            assert rms(at_one - wanted) > 0.2 * rms(wanted)  # it does depend on it


@pytest.mark.parametrize(
    ("snr_db", "message"),
    [
        (None, "expected snr_db from -5 to 25, got None"),
        (float("nan"), "expected snr_db from -5 to 25, got nan"),
        (db_to_ratio(20.0), "expected snr_db from -5 to 25, got 100"),  # a ratio, not dB
        (-5.1, "expected snr_db from -5 to 25, got -5.1"),
        ("ten", "expected snr_db from -5 to 25, got 'ten'"),
        ([10.0, 10.0, 10.0], "expected one snr_db, or one a signal, got shape"),
        ([[10.0]], "expected one snr_db, or one a signal, got shape"),
    ],
)
def test_an_snr_that_is_missing_or_none_is_one_clear_line(aware, snr_db, message):
    with Pair.load(aware.path) as pair:
        for signal in (aware.signal[0], aware.signal[:2]):
            with pytest.raises(SignalError, match=message):
                pair.alice.protect(signal, snr_db=snr_db)
            with pytest.raises(SignalError, match=message):
                pair.bob.clean(signal, snr_db=snr_db)
        with pytest.raises(SignalError, match="expected another input"):
            pair.bob.run(aware.signal[0])  # nor what was left of the call before


def test_a_pair_that_is_told_nothing_refuses_an_snr(plain):
    with Pair.load(plain.path) as pair:
        assert pair.alice.told is None
        for run in (pair.alice.protect, pair.bob.clean):
            with pytest.raises(SignalError, match="expected no snr_db: the module is not told it"):
                run(plain.signal[0], snr_db=10.0)
        with pytest.raises(SignalError, match="expected the signal alone"):
            pair.alice.run(plain.signal[0], lambda row: np.zeros(1, np.float32))


def test_the_selftest_and_the_manifest_know_what_a_module_is_told(aware, plain, tmp_path):
    assert [name for name, _ in runtime.selftest(aware.path)] == ["float32", "int8", "int8-io"]
    for modules, told in ((aware, [LOW, HIGH]), (plain, None)):
        manifest = runtime.read_manifest(modules.path)
        for of_role in manifest["modules"].values():
            assert all(entry.get("snr_db") == told for entry in of_role.values())
        with np.load(modules.path / "vectors.npz") as vectors:
            assert ("snr_db" in vectors) == bool(told)
        assert ("told the SNR" in (modules.path / "README.md").read_text()) == bool(told)


def test_a_manifest_that_keeps_silent_of_the_snr_is_refused(aware, tmp_path):
    from arn_keras.export import manifest

    copy = shutil.copytree(aware.path, tmp_path / "copy")
    found = runtime.read_manifest(copy)
    for entry in found["modules"]["receiver"].values():
        del entry["snr_db"]
    manifest.write(copy, found)
    with pytest.raises(runtime.BundleError, match="expected what the manifest says, got"):
        Pair.load(copy)


def test_a_keyed_pair_is_told_the_snr_too_and_a_wrong_one_takes_no_number(tmp_path):
    both = tiny_bundle(
        tmp_path, precisions=("float32",), protection="arn+keyed", snr_range_db=(LOW, HIGH)
    )
    key = tmp_path / "key"
    runtime.new_key(both.path, key)
    shutil.copy(key, tmp_path / "bob")
    ends = {"key": key, "counter": f"{key}.counter"}, {"key": tmp_path / "bob"}
    with (
        Pair.load(both.path, role="transmitter", **ends[0]) as at_alice,
        Pair.load(both.path, role="receiver", **ends[1]) as at_bob,
    ):
        signal = both.signal[0]
        for wrong in (None, 40.0):
            with pytest.raises(SignalError, match="expected snr_db from -5 to 25"):
                at_alice.alice.protect(signal, snr_db=wrong)
        header, sent = at_alice.alice.protect(signal, snr_db=3.0)
        with pytest.raises(SignalError, match="expected snr_db from -5 to 25"):
            at_bob.bob.clean(sent, header)
        cleaned = at_bob.bob.clean(sent, header, snr_db=3.0)  # it was not taken before
    protected = np.asarray(tell(both.alice, signal[None], snr_db=3.0))
    protected = protected * np.sqrt(SHAPE[0]) / np.linalg.norm(protected)
    np.testing.assert_allclose(
        cleaned, np.asarray(tell(both.bob, protected, snr_db=3.0))[0], atol=1e-4
    )


def test_microcontrollers_give_the_same_answers_at_the_same_snr(aware, tmp_path):
    for precision in ("int8", "int8-io"):
        out, rows = micro.export(aware.path, precision, tmp_path / precision)
        assert len(rows) == 2
        assert all(row["steps"] <= micro.STEPS for row in rows)
        kind = "float" if precision == "int8" else "int8_t"
        assert f"const {kind} kSnrDb[1]" in (out / "receiver_arn_example.cc").read_text()


def test_the_radio_refuses_a_pair_that_it_would_not_tell_anything(aware):
    with pytest.raises(
        ConfigError, match="expected a pair that is not told the SNR, for the radio"
    ):
        open_end(aware.path, "transmitter")


def test_the_page_refuses_it_too_and_shows_another(aware, plain, tmp_path):
    for name, modules in (("aware", aware), ("plain", plain)):
        write_config(tmp_path / name)
        shutil.copytree(modules.path, tmp_path / name / "bundle")
    assert made(tmp_path / "plain")[1]["pair"] == f"{0:064x}"
    with pytest.raises(RunDirError, match="expected a pair that is not told the SNR, for the page"):
        made(tmp_path / "aware")


def test_a_module_whose_signal_is_not_its_first_input_is_refused_by_name(tmp_path):
    snr_db, signal = keras.Input((1,), name="snr_db"), keras.Input(SHAPE, name="signal")
    sent = keras.layers.Dense(*SHAPE)(keras.layers.Concatenate()([signal, snr_db]))
    module = keras.Model([snr_db, signal], sent)
    with pytest.raises(ExportError, match="the signal as its first input, got 'snr_db'"):
        write_modules(
            tmp_path,
            Ends((module, module), None),
            ("float32",),
            (None, None),
            ranges={"snr_db": (0.0, 10.0)},
        )


def test_a_module_that_is_told_two_things_is_refused_by_name(tmp_path):
    names = "signal", "snr_db", "csi"
    inputs = [keras.Input(SHAPE if name == "signal" else (1,), name=name) for name in names]
    sent = keras.layers.Dense(*SHAPE)(keras.layers.Concatenate()(inputs))
    module = keras.Model(inputs, sent)
    ranges = dict.fromkeys(("snr_db", "csi"), (0.0, 10.0))
    with pytest.raises(ExportError, match="told one thing, got snr_db and csi"):
        write_modules(tmp_path, Ends((module, module)), ("float32",), (None, None), ranges=ranges)


@pytest.fixture(scope="module", params=[(LOW, HIGH), None], ids=["range", "one SNR"])
def knowing(request, tmp_path_factory):
    """A pair whose Bob is told how well he heard each source, its range of SNRs beside it."""
    path = tmp_path_factory.mktemp("knowing")
    return tiny_bundle(path, snr_range_db=request.param, csi=True), request.param


@pytest.mark.parametrize("precision", ["float32", "int8", "int8-io"])
def test_bob_answers_as_keras_does_at_the_csi_that_he_is_told(knowing, precision):
    made, snr_range_db = knowing
    low, high = (-20.0, 31.0) if snr_range_db else (-5.0, 16.0)
    with Pair.load(made.path, precision) as pair:
        assert pair.alice.told == snr_range_db
        assert pair.bob.told == (low, high)
        end, levels, given = pair.bob, np.linspace(low, high, 8), made.received[:8]
        into = end.quantize if end.quantization else np.asarray
        back = end.dequantize if end.quantization else np.asarray
        wanted = np.asarray(tell(made.bob, given, csi=levels))
        found = back(end.clean(into(given), csi=levels))
        assert rms(found - wanted) < (1e-6 if precision == "float32" else 0.05) * rms(wanted)
        at_one = back(end.clean(into(given), csi=low))
        assert rms(at_one - wanted) > 0.1 * rms(wanted)  # it does depend on it
        np.testing.assert_array_equal(back(end.clean(into(given), csi=low - 50)), at_one)  # a fade


def test_a_bob_of_ones_own_hears_of_a_fade_as_deep_as_it_is(tmp_path, monkeypatch):
    alice, _ = bundles.tiny_pair(0)
    received, csi = keras.Input(SHAPE, name="received"), keras.Input((1,), name="csi")
    cleaned = keras.layers.Dense(*SHAPE)(keras.layers.Concatenate()([received, csi]))
    own = keras.Model([received, csi], cleaned)
    monkeypatch.setattr(bundles, "tiny_pair", lambda *_, **__: (alice, own))
    made = bundles.tiny_bundle(tmp_path, precisions=("float32",), csi=True)
    given, levels = made.received[:3], np.float32([-55.0, 10.0, 40.0])
    with Pair.load(made.path) as pair:
        found = pair.bob.clean(given, csi=levels)
    np.testing.assert_allclose(found, tell(own, given, csi=levels), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("csi", [None, float("nan"), -np.inf, "ten", [[10.0]], [10.0] * 3])
def test_a_csi_that_is_missing_or_none_is_one_clear_line(knowing, csi):
    made, _ = knowing
    with Pair.load(made.path) as pair:
        for signal in (made.received[0], made.received[:2]):
            with pytest.raises(SignalError, match=r"expected (one )?csi"):
                pair.bob.clean(signal, csi=csi)
        with pytest.raises(SignalError, match="expected no snr_db: the module is not told it"):
            pair.bob.clean(made.received[0], snr_db=10.0, csi=10.0)
        with pytest.raises(SignalError, match="expected no csi: the module is not told it"):
            pair.alice.protect(made.signal[0], csi=10.0)


def test_the_selftest_and_the_readme_know_of_the_csi(knowing, tmp_path):
    made, snr_range_db = knowing
    assert [name for name, _ in runtime.selftest(made.path)] == ["float32", "int8", "int8-io"]
    text = (made.path / "README.md").read_text()
    assert "give `clean` `csi=` too" in text
    assert ("give `protect` `snr_db=` too" in text) == bool(snr_range_db)
    assert "Both\nends are told" not in text
    out, rows = micro.export(made.path, "int8", tmp_path / "micro")
    assert all(row["steps"] <= micro.STEPS for row in rows)
    assert "const float kCsi[1]" in (out / "receiver_arn_example.cc").read_text()
    for refused, error in ((open_end, ConfigError),):
        with pytest.raises(error, match="expected a pair that is not told the SNR"):
            refused(made.path, "receiver")


def test_a_keyed_bob_is_told_the_csi_behind_his_rotation(tmp_path):
    both = tiny_bundle(tmp_path, precisions=("float32",), protection="arn+keyed", csi=True)
    key = tmp_path / "key"
    runtime.new_key(both.path, key)
    shutil.copy(key, tmp_path / "bob")
    with (
        Pair.load(both.path, role="transmitter", key=key, counter=f"{key}.counter") as at_alice,
        Pair.load(both.path, role="receiver", key=tmp_path / "bob") as at_bob,
    ):
        header, sent = at_alice.alice.protect(both.signal[0])
        with pytest.raises(SignalError, match="expected csi"):
            at_bob.bob.clean(sent, header)
        cleaned = at_bob.bob.clean(sent, header, csi=3.0)  # it was not taken before
    protected = np.asarray(tell(both.alice, both.signal[:1]))
    protected = protected * np.sqrt(SHAPE[0]) / np.linalg.norm(protected)
    wanted = np.asarray(tell(both.bob, protected, csi=3.0))[0]
    np.testing.assert_allclose(cleaned, wanted, atol=1e-4)
