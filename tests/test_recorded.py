"""Frames of a modem out of recordings of one's own: the symbols that were sent, or a refusal."""

import json
import pathlib

import numpy as np
import pytest
from scipy import signal as dsp

from arn_keras.errors import ConfigError, DataError
from arn_keras.link import constellation, recorded
from arn_keras.machine.files import read_json
from arn_keras.pulse import root_raised_cosine
from arn_keras.run import command
from arn_keras.run.saved import SavedRun
from arn_keras.scenario.modulation import Modulation

NAMES = tuple(constellation.MODULATIONS)
SPS = 8


def shaped(points, samples_per_symbol=SPS, delay=0.0):
    """A stream of symbols through a long pulse, at any timing, by SciPy."""
    fine = 16
    impulses = np.zeros(len(points) * samples_per_symbol * fine, complex)
    impulses[:: samples_per_symbol * fine] = points
    each = samples_per_symbol * fine
    pulse = np.roll(root_raised_cosine(64 * each, each), 32 * each)
    stream = dsp.fftconvolve(impulses, pulse, "same")
    return np.roll(stream, round(delay * fine))[::fine].astype("complex64")


def stream_of(name, symbols, seed=0, *, noise=0.0, phase=0.7, gain=3.0, delay=0.0, sps=SPS):
    """(labels, samples) of a random stream of a modulation."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2 ** constellation.MODULATIONS[name], symbols)
    samples = gain * np.exp(1j * phase) * shaped(constellation.points(name)[labels], sps, delay)
    size = np.sqrt(np.mean(np.abs(samples) ** 2) / 2) * noise
    samples += size * (rng.normal(size=len(samples)) + 1j * rng.normal(size=len(samples)))
    return labels, samples.astype("complex64")


def record(path, streams, rate=8e6, **more):
    """A SigMF recording of (label, samples), one behind the other."""
    samples = np.concatenate([each for _, each in streams])
    samples.astype("<c8").tofile(f"{path}.sigmf-data")
    start, annotations = 0, []
    for label, each in streams:
        where = {"core:sample_start": start, "core:sample_count": len(each)}
        annotations.append({**where, "core:label": label})
        start += len(each)
    about = {"core:datatype": "cf32_le", "core:sample_rate": rate, "core:version": "1.2.0", **more}
    captures = [{"core:sample_start": 0}]
    write(path, {"global": about, "captures": captures, "annotations": annotations})
    return str(path)


def write(path, metadata):
    """Metadata of a recording."""
    pathlib.Path(f"{path}.sigmf-meta").write_text(json.dumps(metadata))


def labels_of(frames):
    """The points that frames hold, by their modulation's labels."""
    return constellation.sent(frames)[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("delay", [0.0, 0.5, 3.3])
def test_the_symbols_that_were_sent_are_found_at_any_timing_phase_and_gain(tmp_path, name, delay):
    sent, samples = stream_of(name, 3000, 1, noise=0.01, delay=delay, phase=2.1)
    recording = recorded.Samples(record(tmp_path / "own", [(name, samples)]))
    found = recorded._frames(recording, (name,), 16, SPS, 1000)[name]
    assert found.shape[1:] == (17, 6)
    assert len(found) >= (3000 - 32 - 3 * 16) // 16
    assert np.all(found[:, -1] == [NAMES.index(name), 0, 0, 0, 0, 0])
    points = constellation.points(name)
    truth, decided = points[sent], points[labels_of(found).ravel()]
    # A constellation has symmetries: the stream is found up to one, and up to where it begins.
    best = 0
    for turn in np.exp(2j * np.pi * np.arange(8) / 8):
        for first in range(12, 22):
            part = truth[first : first + 900] * turn
            best = max(best, np.mean(np.abs(part - decided[:900]) < 1e-6))
    assert best == 1


def test_a_recording_is_the_data_of_a_run_which_keeps_it(tmp_path):
    spelled = {"bpsk": "BPSK", "16qam": "QAM-16"}
    paths = []
    for split, symbols in (("train", 1400), ("test", 800)):
        streams = [(spelled[n], stream_of(n, symbols, 5, sps=4)[1]) for n in spelled]
        streams.insert(1, ("music", streams[0][1]))  # none of the modulations
        paths.append(record(tmp_path / split, streams))
    words = ["--scenario", "modulation", "--modulations", "bpsk", "16qam", "--samples", "64"]
    words += ["--samples-per-symbol", "4", "--snr-db", "0", "--epochs", "1", "--eve-epochs", "1"]
    words += ["--protection", "none", "--no-export", "--quiet", "--recordings", *paths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Modulation, "measured", {"frozen": "expert"})
        assert command.main([*words, "--run-dir", str(tmp_path / "run")]) == 0
        for path in tmp_path.glob("t*.sigmf-*"):
            path.unlink()
        again = SavedRun.read(tmp_path / "run").problem().dataset
    assert [len(split) for split in (again.train, again.test)] == [170, 96]
    assert np.bincount(again.train.label).tolist() == [85, 85]
    assert again.label_names == ("bpsk", "16qam")
    numbers = again.test.source[:, -1, 0].astype(int)
    assert [again.label_names[i] for i in again.test.label] == [NAMES[n] for n in numbers]
    assert {row["sources"] for row in read_json(tmp_path / "run" / "results.json")} == {96}


def test_of_one_recording_a_tenth_is_held_out(tmp_path):
    streams = [(name, stream_of(name, 1200, 2)[1]) for name in ("qpsk", "8psk")]
    data = recorded.load([record(tmp_path / "own", streams)], ("qpsk", "8psk"), 16, SPS, (99, 9))
    assert [len(each) for each in (data.train, data.test)] == [99, 9]
    assert "a 10th of each modulation is held out" in data.notes[0]
    train = {each.tobytes() for each in data.train.source}
    assert not train & {each.tobytes() for each in data.test.source}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s + 0.9 * np.random.default_rng(0).normal(size=(len(s), 2)) @ [1, 1j], "noise"),
        (lambda s: s * np.exp(2e-3j * np.arange(len(s))), "frequency offset"),
        (lambda s: s[::2], "another rate"),
        (lambda s: 0 * s, "got silence"),
        (lambda s: s * np.nan, "expected finite samples"),
        (lambda s: s[:100], "got none of qpsk"),
    ],
)
def test_what_would_be_decided_wrongly_is_refused(tmp_path, change, message):
    streams = [
        ("qpsk", change(stream_of("qpsk", 1200)[1]).astype("complex64")),
        ("8psk", stream_of("8psk", 1200)[1]),
    ]
    with pytest.raises(DataError, match=message) as refused:
        recorded.load([record(tmp_path / "own", streams)], ("qpsk", "8psk"), 16, SPS, (99, 9))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("sent", NAMES)
def test_another_modulation_than_is_said_is_refused(tmp_path, sent):
    _, samples = stream_of(sent, 300)
    for said in NAMES:
        recording = recorded.Samples(record(tmp_path / "own", [(said, samples)]))
        if said == sent:
            assert len(recorded._frames(recording, (said,), 16, SPS, 99)[said]) == 16
        else:
            with pytest.raises(DataError, match=f"sample 0: expected .*symbols of {said}"):
                recorded._frames(recording, (said,), 16, SPS, 99)


@pytest.mark.parametrize("change", [lambda x: x[3:], lambda x: x * 1j**0.5, lambda x: 0 * x])
def test_a_stream_that_breaks_in_its_last_symbols_is_refused(tmp_path, change):
    _, samples = stream_of("qpsk", 1200)
    samples = np.concatenate([samples[:9200], change(samples[9200:])])
    recording = recorded.Samples(record(tmp_path / "own", [("qpsk", samples)]))
    with pytest.raises(DataError, match=r"got 0\.[012]\d, of one frame (0\.[789]|1\.)"):
        recorded._frames(recording, ("qpsk",), 16, SPS, 99)


def test_what_a_receiver_that_stood_still_says_is_no_break(tmp_path):
    _, samples = stream_of("qpsk", 1200)
    path = record(
        tmp_path / "own", [("qpsk", np.concatenate([samples[:4800], 1j * samples[4803:]]))]
    )
    found = read_json(f"{path}.sigmf-meta")
    found["captures"].append({"core:sample_start": 4800})
    write(path, found)
    assert len(recorded._frames(recorded.Samples(path), ("qpsk",), 16, SPS, 99)["qpsk"]) == 70


def test_no_more_is_read_than_is_asked_for(tmp_path):
    name = "qpsk"
    streams = [(name, stream_of(name, 5000)[1])]
    streams[0][1][-1] = np.nan  # nobody looks
    recording = recorded.Samples(record(tmp_path / "own", streams))
    assert 9 <= len(recorded._frames(recording, (name,), 16, SPS, 9)[name]) < 130


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"core:sample_start": -1}, "-1 is less than the minimum of 0"),
        ({"core:sample_count": 10**30}, "is greater than the maximum"),
        ({"core:label": None}, "None is not of type 'string'"),
        ({"core:sample_count": 99_999}, "truncated: expected 99999 whole samples or more"),
        ({"core:sample_count": 0}, "got none of qpsk"),
        ({"core:sample_count": None}, "None is not of type 'integer'"),
        ({"core:sample_count": 9601}, "sample 9600: .* got 8psk within the one before"),
        ({"core:sample_start": 0.0, "core:sample_count": 9600.0}, None),
    ],
)
def test_annotations_that_cannot_be_are_one_clear_line(tmp_path, change, message):
    streams = [(name, stream_of(name, 1200)[1]) for name in ("qpsk", "8psk")]
    path = record(tmp_path / "own", streams)
    found = read_json(f"{path}.sigmf-meta")
    found["annotations"][0] |= change
    write(path, found)
    if message is None:
        assert recorded.load([path], ("qpsk", "8psk"), 16, SPS, (99, 9)).classes == 2
        return
    with pytest.raises(DataError, match=message) as refused:
        recorded.load([path], ("qpsk", "8psk"), 16, SPS, (99, 9))
    assert "\n" not in str(refused.value)


def test_an_annotation_without_a_number_ends_with_its_capture(tmp_path):
    path = record(tmp_path / "own", [("qpsk", stream_of("qpsk", 100)[1])])
    found = read_json(f"{path}.sigmf-meta")
    found["annotations"] = [{"core:sample_start": n, "core:label": "qpsk"} for n in (8, 400)]
    found["captures"].append({"core:sample_start": 300})
    write(path, found)
    assert recorded.Samples(path).annotations == [(8, 292, "qpsk"), (400, 400, "qpsk")]


def test_indices_that_count_from_elsewhere_are_refused(tmp_path):
    path = record(tmp_path / "own", [("qpsk", stream_of("qpsk", 100)[1])], **{"core:offset": 8})
    with pytest.raises(DataError, match="got core:offset"):
        recorded.Samples(path)


def test_nobody_is_tested_on_what_he_was_trained_on(tmp_path):
    streams = [(name, stream_of(name, 1200)[1]) for name in ("qpsk", "8psk")]
    paths = [record(tmp_path / split, streams) for split in ("train", "test")]
    with pytest.raises(DataError, match="expected another recording to test on"):
        recorded.load(paths, ("qpsk", "8psk"), 16, SPS, (99, 9))


def test_of_two_recordings_the_one_that_lacks_frames_is_named(tmp_path):
    both = [(name, stream_of(name, 600)[1]) for name in ("qpsk", "8psk")]
    paths = [record(tmp_path / "train", both[:1]), record(tmp_path / "test", both)]
    with pytest.raises(DataError, match=r"train.sigmf-meta: .* got none of 8psk"):
        recorded.load(paths, ("qpsk", "8psk"), 16, SPS, (99, 9))


def test_recordings_of_two_rates_more_than_two_or_none_are_one_clear_line(tmp_path, capsys):
    streams = [(name, stream_of(name, 1200, 2)[1]) for name in ("qpsk", "8psk")]
    one = record(tmp_path / "one", streams)
    two = record(tmp_path / "two", streams, rate=4e6)
    scenario = "--scenario", "modulation", "--modulations", "qpsk", "8psk", "--recordings"
    for paths, message in (
        ((one, two), "two.sigmf-meta: expected the first recording's rate, got another"),
        ((one, one, one), "--recordings: expected one or two, got 3"),
        ((str(tmp_path / "none"),), "none"),
        (("",), "expected the name of a recording, got ''"),
        ((one, "/"), "expected the name of a recording, got '/'"),
        ((str(tmp_path / "one.sigmf-meta"), str(tmp_path)), "expected"),
    ):
        words = [*scenario, *paths, "--run-dir", str(tmp_path / "run")]
        with pytest.raises(SystemExit) as ended:
            raise SystemExit(command.main(words))
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1


def test_a_run_of_before_has_no_recordings_in_its_identity(tmp_path):
    assert "recordings" not in Modulation().identity()
    path = record(tmp_path / "own", [("qpsk", stream_of("qpsk", 100)[1])])
    first = Modulation(recordings=(path,)).identity()["recordings"]
    # A run that is opened again has these in the place of names, and a sweep hashes its scenario.
    assert hash(Modulation(recordings=first)) == hash(Modulation(recordings=list(first)))
    (tmp_path / "own.sigmf-data").write_bytes(b"\0" * 8)
    assert Modulation(recordings=(path,)).identity()["recordings"] != first
    with pytest.raises(ConfigError, match="expected one or two"):
        Modulation(recordings=(path,) * 3)
