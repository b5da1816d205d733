"""Recordings through the air of GNU Radio, a program that shares nothing with the receiver."""

import csv
import json
import math
import os
import pathlib
import subprocess

import keras
import numpy as np
import pytest
from radio_links import new_key, receive, send
from run_dirs import untrained_run
from tiny_bundles import tiny_bundle

from arn_keras.data import images
from arn_keras.data.dataset import Split
from arn_keras.data.preprocessing import unit_interval
from arn_keras.export.radio import ends
from arn_keras.export.radio.frame import LEVEL
from arn_keras.export.radio.receive import receive as receive_all
from arn_keras.export.radio.recording import Recording, files
from arn_keras.export.radio.send import send as send_split

COUNT = 160
PYTHON = "/usr/bin/python3"
SCRIPT = pathlib.Path(__file__).with_name("gnuradio_air.py")
#: Carrier offset of a hundredth of the symbol rate, three tenths of a sample, three echoes.
HARD = {"frequency_offset": 0.0025, "delay": 0.3, "taps": [1, 0, 0, 0, [0, 0.25], 0, 0, 0, 0.1]}


@pytest.fixture(scope="module", autouse=True)
def _gnuradio():
    """Skips where GNU Radio cannot be had, but not in CI."""
    probe = ["/usr/bin/env", PYTHON, "-c", "from gnuradio import channels"]
    done = subprocess.run(probe, check=False, capture_output=True)
    there = done.returncode == 0
    if not there and os.environ.get("CI"):
        pytest.fail("expected Debian's gnuradio, which no test of the air may do without in CI")
    if not there:
        pytest.skip("needs Debian's gnuradio: make radio; make test gets it where it can")


def air(sent, heard, snr_db, **options):
    """Puts a recording through the air at an SNR of its symbols, power 1 a real."""
    (data, meta), (out, about) = files(sent), files(heard)
    voltage = LEVEL * math.sqrt(4 * 10 ** (-snr_db / 10))  # its square: variance of a sample
    job = json.dumps({"noise_voltage": voltage, **options})
    subprocess.run([PYTHON, SCRIPT, data, out, job], check=True, capture_output=True)
    found = json.loads(meta.read_text())
    del found["global"]["core:sha512"]
    about.write_text(json.dumps({**found, "annotations": []}))
    return heard


def report(folder):
    return json.loads((folder / "report.json").read_text())


def _channel(shape=(128,)):
    """Ends without modules: Bob's squared error is the noise's variance."""
    return ends.End(ends.SignalLink(shape), None, False, b"a pair", False)


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """A recording of signals of power 1, and these."""
    path = tmp_path_factory.mktemp("sent")
    signals = np.random.default_rng(0).normal(size=(COUNT, 128)).astype("float32")
    split = Split(signals, np.zeros(COUNT, int))
    send_split(_channel(), split, path / "air", symbol_rate=250_000, samples_per_symbol=4)
    return path / "air", split


@pytest.mark.parametrize(
    ("snr_db", "options", "lost", "decibels"),
    [(10, {}, 0, 0.25), (5, {}, 0, 0.25), (0, {}, 6, 0.35), (10, HARD, 0, 1.0)],
)
def test_bob_keeps_the_snr_and_his_frames(sent, tmp_path, snr_db, options, lost, decibels):
    name, split = sent
    heard = Recording(air(name, tmp_path / "heard", snr_db, **options), 250_000)
    out = tmp_path / "out"
    found = receive_all(_channel(), heard, out, sources=split, symbol_rate=250_000)
    assert found["frames_lost"] <= lost
    left_db = -10 * math.log10(found["quality"]["mse"])
    assert snr_db - decibels < left_db < snr_db + 0.1
    assert found["snr_db"] == pytest.approx(left_db, abs=0.4)
    offset = options.get("frequency_offset", 0) * 1e6
    assert found["carrier_offset_hz"] == pytest.approx(offset, abs=5)


def test_slow_fading_is_followed_from_frame_to_frame(sent, tmp_path):
    name, split = sent
    heard = Recording(air(name, tmp_path / "heard", 20, fading=[3e-6, 5]), 250_000)
    out = tmp_path / "out"
    found = receive_all(_channel(), heard, out, sources=split, symbol_rate=250_000)
    assert found["frames_lost"] == 0
    with open(out / "frames.csv", newline="") as stream:
        snr_db = [float(row["snr_db"]) for row in csv.DictReader(stream)]
    assert max(snr_db) - min(snr_db) > 2.5
    assert np.abs(np.diff(snr_db)).max() < 1.5


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory of the digits whose link was trained a little."""
    from arn_keras import SemanticLink
    from arn_keras.link.dense import build_receiver, build_transmitter

    keras.utils.set_random_seed(0)
    run, digits = untrained_run(tmp_path_factory.mktemp("run")), images.load("digits").train
    link = SemanticLink(
        build_transmitter((8, 8, 1), 16, 64),
        build_receiver((8, 8, 1), 16, 64),
        preprocessing=unit_interval,
    )
    link.compile(keras.optimizers.Adam(5e-3), "mse")
    link.fit(digits.source, epochs=8, batch_size=64, snr_db=10.0, verbose=0)
    link.transmitter.save(run / "link" / "transmitter.keras")
    link.receiver.save(run / "link" / "receiver.keras")
    return run, link


def test_bob_s_pictures_are_as_good_as_in_the_simulation(run, tmp_path, capsys):
    path, link = run
    file = tmp_path / "digits.npy"
    np.save(file, images.load("digits").test.source[:200])
    assert send(path, file, tmp_path / "air", "--plain") == 0
    heard = air(tmp_path / "air", tmp_path / "heard", 10)
    assert receive(path, heard, tmp_path / "out", "--plain", "--sources", file) == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert found["frames_found"] == len(np.load(tmp_path / "out" / "estimates.npy")) == 200
    assert (tmp_path / "out" / "pictures.png").stat().st_size > 1000
    pictures = np.load(file).astype("float32") / 255
    signal, simulated = np.asarray(link.transmitter(pictures)), {}
    for snr_db in (5, 10):
        noise = 10 ** (-snr_db / 20) * np.random.default_rng(0).normal(size=(8, *signal.shape))
        errors = [np.mean((link.receiver(signal + each) - pictures) ** 2) for each in noise]
        simulated[snr_db] = np.mean(errors)
    assert simulated[5] > 1.2 * simulated[10]  # so that noise matters
    assert found["quality"]["mse"] == pytest.approx(simulated[10], rel=0.05)


def test_a_keyed_pair_works_over_the_air_and_takes_no_header_twice(tmp_path, capsys):
    made = tiny_bundle(tmp_path, 1, precisions=("float32",), protection="keyed")
    signals = np.random.default_rng(0).normal(size=(60, 8)).astype("float32")
    signals /= np.sqrt(np.mean(signals**2, axis=1, keepdims=True))
    np.save(tmp_path / "signals.npy", signals)
    at_alice, at_bob = new_key(made.path, tmp_path / "key")
    assert send(made.path, tmp_path / "signals.npy", tmp_path / "air", *at_alice) == 0
    heard = air(tmp_path / "air", tmp_path / "heard", 10)
    assert receive(made.path, heard, tmp_path / "out", *at_bob) == 0
    cleaned = np.load(tmp_path / "out" / "signals.npy")
    assert len(cleaned) == 60
    assert np.mean((cleaned - signals) ** 2) == pytest.approx(0.1, rel=0.2)
    capsys.readouterr()
    assert receive(made.path, heard, tmp_path / "again", *at_bob) == 2
    assert "may be taken, got none" in capsys.readouterr().err
