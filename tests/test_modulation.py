"""The scenario whose private label is the modulation, and what it asks of the rooms."""

import json

import keras
import numpy as np
import pytest
from bundles import converted_here  # noqa: F401
from wiretaps import TINY

from arn_keras.audit import __main__ as audit
from arn_keras.audit import effort, ladder
from arn_keras.channel.awgn import AWGN
from arn_keras.channel.listener import ear
from arn_keras.channel.unsynchronised import Unsynchronised
from arn_keras.data.modulation import frames
from arn_keras.errors import RunDirError
from arn_keras.export import bundle
from arn_keras.figures.curves import figure_3
from arn_keras.link import constellation
from arn_keras.link.modem import build_receiver, build_transmitter
from arn_keras.machine.files import read_json
from arn_keras.measure.air import Air
from arn_keras.measure.modem_theory import symbol_error_rate
from arn_keras.measure.spectrum import (
    as_complex,
    occupied_bandwidth,
    papr_db,
    share_above,
    spectrum,
)
from arn_keras.pair import ROTATIONS
from arn_keras.pair.chain import with_fresh_keys
from arn_keras.pair.over_symbols import over_symbols
from arn_keras.pulse import ROLL_OFF, band_edge
from arn_keras.rooms import answer
from arn_keras.run import command
from arn_keras.run.command import parse
from arn_keras.run.saved import SavedRun
from arn_keras.scenario.modulation import Modulation
from arn_keras.sweep import __main__ as sweep
from arn_keras.task.modem import MODEM
from arn_keras.training.privacy import Privacy

TOY = ["--scenario", "modulation", "--modulations", "bpsk", "16qam", "--samples", "64"]
TOY += ["--samples-per-symbol", "4", "--frames", "64", "--test-frames", "40", "--snr-db", "0"]
TOY += ["--epochs", "1", "--eve-epochs", "1", "--knowledge", "white"]
TOY += ["--block-width", "16", "--block-depth", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two modulations against one eavesdropper, without its bundle."""
    path = tmp_path_factory.mktemp("modulation") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Modulation, "measured", {"frozen": "expert"})
        assert command.main([*TOY, "--no-export", "--run-dir", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def problem(run):
    """Of that run, its models loaded."""
    return SavedRun.read(run).problem()


def _synchronous(count, names=tuple(constellation.MODULATIONS), symbols=32):
    """Frames on Alice's own clock."""
    numbers = [list(constellation.MODULATIONS).index(name) for name in names]
    sent = frames(count, symbols, numbers)
    sent[:, -1, 1:] = 0
    return sent


def test_rows_say_what_is_on_the_air_and_a_pair_sends_no_power_of_its_own(run):
    rows = read_json(run / "results.json")
    assert [row["case"] for row in rows] == ["original", "transmitter_only", "paired"]
    for row in rows:
        assert row["es_n0_db"] == pytest.approx(10 * np.log10(4))
        assert row["sent_power"] == pytest.approx(1, abs=1e-5)
        assert row["ser"] == pytest.approx((row["ser_bpsk"] + row["ser_16qam"]) / 2)
        assert 0 < row["occupied_bandwidth"] < 2 * band_edge(4)
        assert 0 < row["papr_db"] < 12
    assert rows[0]["out_of_band"] < 1e-11
    assert 1e-11 < rows[2]["out_of_band"] < 1e-3 * 10 ** (rows[2]["measured_psr_db"] / 10)
    assert (run / "figures" / "examples.png").exists()
    assert read_json(run / "config.json")["task"] == "modem"


def test_the_audit_says_what_the_keyed_pair_costs_bob_and_the_band(run, monkeypatch):
    monkeypatch.setattr(Modulation, "measured", {"frozen": "expert"})
    monkeypatch.setattr(effort, "QUICK", TINY)
    monkeypatch.setattr(ladder, "RUNGS", {rung: ladder.RUNGS[rung] for rung in ("E0", "E5")})
    assert audit.main([str(run), "--quick", "--protection", "arn", "keyed"]) == 0
    found = read_json(run / "audit" / "audit.json")
    bob = {row["protection"]: row for row in found["rows"] if row["rung"] == "Bob"}
    assert bob["keyed"]["rotation"] == "haar over symbols"
    assert bob["keyed"]["ser"] == pytest.approx(bob["none"]["ser"], rel=0.3)
    assert bob["keyed"]["out_of_band"] < 1e-10
    assert bob["keyed"]["papr_db"] > bob["none"]["papr_db"] + 1
    assert {row["eve"] for row in found["rows"] if row["rung"] == "E5"} == {
        "classifier of Bob's answers"
    }


def test_the_pair_becomes_a_bundle_of_built_in_operators_within_its_tolerances(
    run, converted_here, tmp_path
):
    asked = ["float32", "int8"]
    _, manifest = bundle.export(run, precisions=asked, out=tmp_path / "bundle")
    assert manifest["measure"]["field"] == "symbol_mse"
    assert {"ser", "ser_change", "symbol_mse_change"} <= set(manifest["parity"][0])
    assert list(manifest["modules"]["transmitter"]) == asked
    for entries in manifest["modules"].values():
        for entry in entries.values():
            assert not any(name.startswith("FLEX") for name in entry["operators"])
            assert "CONV_2D" in entry["operators"]


@pytest.mark.parametrize(("box", "field"), [("single", "loss"), ("ensemble", "ensemble")])
def test_a_pair_is_trained_by_the_scenarios_weights_at_the_power_of_the_plain_modem(
    problem, box, field
):
    frozen = [problem.transmitter, problem.receiver, problem.classifier("expert")]
    link = problem.pair_link(Privacy("black", box), frozen)
    expected = getattr(Modulation, f"{field}_weights")["confidence"]
    np.testing.assert_allclose(link.loss_weights, expected)
    assert problem.keeps_power
    module = problem.trained_modules(link)["transmitter"]
    signal = problem.signals[:5]
    np.testing.assert_allclose(np.mean(module(signal).numpy() ** 2, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--modulations", "qpsk", "am"], "--scenario modulation: expected different modulations"),
        (["--modulations", "qpsk", "qpsk"], "got qpsk, qpsk"),
        (["--modulations", "qpsk"], "--modulations: expected two or more, got qpsk"),
        (["--samples", "56"], "at least 8 symbols for the pulse, got 56"),
        (["--samples", "250"], "divide a frame of 250 samples, got 8"),
        (["--samples-per-symbol", "1"], "got 1"),
        (["--samples-per-symbol", "0"], "got 0"),
        (["--samples", "-256"], "at least 8 symbols for the pulse, got -256"),
        (["--frames", "0"], "--frames: expected at least 6, one of each modulation, got 0"),
        (["--test-frames", "5"], "--test-frames: expected at least 6"),
        (["--samples", "many"], "many"),
        (["--samples", "9" * 26 + "2"], "--samples: expected at most 16777216, got 9"),
        (["--frames", "9" * 26], "--frames: expected at most 2147483648, got 9"),
        (["--test-frames", "9" * 26], "--test-frames: expected at most 2147483648, got 9"),
    ],
)
def test_what_cannot_be_ends_with_one_line_and_status_2(options, says, capsys):
    with pytest.raises(SystemExit) as caught:
        parse(["--scenario", "modulation", *options])
    assert caught.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert says in said[-1]
    assert not any("Traceback" in line for line in said)


@pytest.mark.parametrize("main", [command.main, sweep.main])
def test_a_limit_leaves_a_frame_of_each_modulation(main, tmp_path, capsys):
    out = ["--run-dir" if main is command.main else "--out", str(tmp_path / "out")]
    assert main(["--scenario", "modulation", "--limit", "5", *out]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].endswith("--limit: expected at least 6, one of each modulation, got 5")
    assert not list(tmp_path.rglob("*.keras"))


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [("options", "frames", 64.0), ("options", "synchronised", "no"), ("config", "seed", 0.5)],
)
def test_a_run_whose_numbers_are_not_whole_is_refused(run, tmp_path, place, name, value):
    found = read_json(run / "config.json")
    (found["config"]["options"] if place == "options" else found["config"])[name] = value
    (tmp_path / "config.json").write_text(json.dumps(found))
    with pytest.raises(RunDirError, match=f"{name}: expected .*, got {value!r}"):
        SavedRun.read(tmp_path)


def test_the_letters_figure_1_is_not_drawn_of_frames(tmp_path, capsys):
    asked = ["--scenario", "modulation", "--frames", "20", "--test-frames", "20", "--figure", "1"]
    assert sweep.main([*asked, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].endswith(
        "--figure 1: expected pictures, got modulation: 20 training and 20 test sources of 33x6"
    )


def test_a_data_set_has_no_place_in_it(tmp_path, capsys):
    asked = ["--dataset", "mnist", "--run-dir", str(tmp_path / "run")]
    assert command.main([*TOY, *asked]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert "--dataset: expected none, for frames are drawn, got 'mnist'" in said
    assert not (tmp_path / "run").exists()


def test_frames_of_the_scenario_are_on_alices_clock_and_labelled_by_modulation():
    scenario = Modulation(modulations=("pam4", "qpsk"), frames=50, test_frames=20)
    found = scenario.dataset("auto", None, 10)
    assert (len(found.train), len(found.test), found.classes) == (10, 20, 2)
    sent = found.train.source
    assert not sent[:, -1, 1:].any()
    numbers = [list(constellation.MODULATIONS).index(name) for name in ("pam4", "qpsk")]
    np.testing.assert_array_equal(sent[:, -1, 0], np.take(numbers, found.train.label))
    assert np.any(found.test.source[:10, :-1] != sent[:, :-1])


def test_who_is_not_synchronised_hears_another_phase_and_another_delay_each_time():
    sent = build_transmitter()(_synchronous(400)).numpy()
    listener = ear(Unsynchronised(AWGN(snr_offset_db=200.0), 8), 3, "eve_channel")
    assert listener.snr_offset_db == 200.0
    heard = listener(sent, snr_db=0.0).numpy()
    one, other = as_complex(sent), as_complex(heard)
    spectra = [np.fft.fft(each.astype(complex)) for each in (one, other)]
    np.testing.assert_allclose(abs(spectra[1]), abs(spectra[0]), atol=1e-2)
    # A delay is a slope of the phase over frequency: found where the frames fit each other best.
    fit = abs(np.fft.ifft(spectra[1] * spectra[0].conj()))
    delay = fit.argmax(axis=1)
    assert set(delay) == set(range(8))
    assert np.bincount(delay).min() > 25
    turn = np.angle(np.sum(other * np.roll(one, 3, axis=1).conj(), axis=1))[delay == 3]
    assert np.ptp(turn) > 5
    listener.reseed([7, 0])
    first = listener(sent, snr_db=-190.0).numpy()
    listener.reseed([7, 0])
    np.testing.assert_array_equal(listener(sent, snr_db=-190.0), first)
    assert np.std(listener.synchronised()(sent, snr_db=-200.0) - sent) == pytest.approx(1, abs=0.01)


def test_an_eve_who_is_given_phase_and_timing_hears_as_bob_does():
    heard = AWGN()
    assert Modulation(synchronised=True).overhears(heard) is heard
    assert isinstance(Modulation().overhears(heard), Unsynchronised)


@pytest.mark.parametrize("name", ROTATIONS)
def test_a_rotation_of_symbols_keeps_power_band_and_bobs_error_rate(name):
    names = ("16qam", "64qam")
    sent = _synchronous(1200, names)
    signal = build_transmitter()(sent)
    rotation = over_symbols(answer(ROTATIONS, name), 8, ROLL_OFF)
    modules = rotation.build_transmitter((512,)), rotation.build_receiver((512,))
    lock, unlock = with_fresh_keys(modules, len(sent), 5)
    sent_signal = lock(signal)
    locked = sent_signal.numpy()
    np.testing.assert_allclose(np.mean(locked**2, axis=1), 1, atol=1e-4)
    assert share_above(*spectrum(locked), band_edge()) < 1e-11
    plain = signal.numpy()
    assert occupied_bandwidth(locked) == pytest.approx(occupied_bandwidth(plain), rel=0.01)
    assert np.median(papr_db(locked)) > np.median(papr_db(plain)) + 1
    assert abs(np.mean(locked * plain)) < 0.05
    np.testing.assert_allclose(unlock(sent_signal), plain, atol=1e-4)
    wrong = []
    for received in (unlock(AWGN(1)(sent_signal, snr_db=4.0)), AWGN(2)(signal, snr_db=4.0)):
        wrong.append(constellation.symbol_errors(sent, build_receiver()(received)).sum())
    assert min(wrong) > 3000
    assert wrong[0] == pytest.approx(wrong[1], rel=0.06)


def test_a_keyed_modem_is_saved_and_loaded(tmp_path):
    rotation = over_symbols(answer(ROTATIONS, "haar"), 4, ROLL_OFF)
    signal = build_transmitter(samples=64, samples_per_symbol=4)(_synchronous(6, symbols=16))
    keys = keras.ops.tile(keras.ops.eye(32)[None], (6, 1, 1))
    for module in (rotation.build_transmitter((128,)), rotation.build_receiver((128,))):
        module.save(tmp_path / "module.keras")
        again = keras.models.load_model(tmp_path / "module.keras")
        np.testing.assert_array_equal(again([signal, keys]), module([signal, keys]))
        np.testing.assert_allclose(again([signal, keys]), signal, atol=1e-5)  # the identity


def test_the_header_tells_the_gain_within_half_a_step_and_that_of_a_psk_exactly():
    sent = frames(3000, 32, range(6))
    *_, gain, _ = constellation.sent(sent)
    off = abs(constellation.told(gain) / gain)
    assert np.quantile(abs(np.log(off)), 0.99) < np.log(constellation.GAIN_STEP) / 2 + 1e-9
    np.testing.assert_allclose(np.angle(constellation.told(gain) / gain), 0, atol=1e-9)
    np.testing.assert_allclose(off[np.isin(sent[:, -1, 0], [0, 1, 2])], 1, atol=1e-6)
    assert len(np.unique(np.round(abs(constellation.told(gain)), 6))) <= 16


def test_the_meter_gives_theorys_error_rates_and_the_blind_guess_is_chance():
    names = ("qpsk", "64qam")
    sent = _synchronous(3000, names)
    heard = AWGN(4)(build_transmitter()(sent), snr_db=-2.0)
    meter = MODEM.meter()
    for part in (slice(0, 1000), slice(1000, None)):
        meter.add(sent[part], build_receiver()(heard[part]))
    fields = meter.fields(3000)
    assert set(fields) == {"ser", "ser_qpsk", "ser_64qam", "symbol_mse"}
    assert fields["symbol_mse"] == pytest.approx(10**0.2 / 8, rel=0.02)
    for name in names:
        level = -2.0 + 10 * np.log10(8)
        assert fields[f"ser_{name}"] == pytest.approx(symbol_error_rate(name, level), rel=0.06)
    blind = MODEM.meter()
    blind.add(sent, MODEM.blind(sent, len(sent)))
    found = blind.fields(3000)
    assert found["ser_qpsk"] == pytest.approx(3 / 4, abs=0.02)
    assert found["ser_64qam"] == pytest.approx(63 / 64, abs=0.01)


def test_the_air_of_batches_is_that_of_all_frames():
    signal = build_transmitter()(_synchronous(90)).numpy()
    air = Air(8, ROLL_OFF)
    for part in (slice(0, 70), slice(70, None)):
        air.add(signal[part])
    found = air.fields(3.0)
    assert found["es_n0_db"] == pytest.approx(12.0309, abs=1e-4)
    assert found["occupied_bandwidth"] == pytest.approx(occupied_bandwidth(signal))
    assert found["out_of_band"] == pytest.approx(share_above(*spectrum(signal), band_edge()))
    assert found["papr_db"] == pytest.approx(np.median(papr_db(signal)))


def test_an_axis_of_snr_says_what_es_n0_is_there(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    shown = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: shown.append(figure))
    row = {"case": "original", "knowledge": None, "black_box": None, "training_snr_db": None}
    row |= {"seed": 0, "ser": 0.1, "eve_accuracy": 0.9}
    rows = [{**row, "snr_db": at, "es_n0_db": at + 9.0309} for at in (0.0, 10.0)]
    figure_3(tmp_path / "x.png", rows, MODEM.measures[0], 1 / 6, "title")
    figure_3(tmp_path / "x.png", [{**row, "snr_db": 0.0}], MODEM.measures[0], 1 / 6, "title")
    labels = [figure.axes[0].get_xlabel() for figure in shown]
    assert labels == ["SNR per sample (dB); Es/N0 is 9.03 dB more", "SNR (dB)"]
