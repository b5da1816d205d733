"""What stands in a run directory is what it was made from, or it is made again, and said."""

import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
from small_runs import SMALL, pictureless, trained  # noqa: F401

from arn_keras.export import bundle
from arn_keras.machine.files import read_json, write_json
from arn_keras.machine.places import lock
from arn_keras.run import command, records
from arn_keras.run.directory import RunDirectory
from arn_keras.run.job import Job


@pytest.fixture
def run(trained, tmp_path, pictureless):
    """A copy of it."""
    return pathlib.Path(shutil.copytree(trained, tmp_path / "run"))


def again(run, capsys):
    """Runs the same command once more; what it said."""
    assert command.main([*SMALL, "--run-dir", str(run)]) == 0
    return capsys.readouterr().out


def flip(file, at=-300):
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def test_a_missing_stage_is_trained_again_and_the_rows_measured_again(run, trained, capsys):
    shutil.rmtree(run / "arn" / "white")
    write_json(run / "results.json", [])  # not the rows that were measured
    said = again(run, capsys)
    assert "arn/white: training" in said
    assert "link: training" not in said
    assert read_json(run / "results.json") == read_json(trained / "results.json")


def test_a_changed_stage_is_set_aside_and_made_again(run, trained, capsys):
    flip(run / "eve" / "classifier.keras")
    said = again(run, capsys)
    assert f"note: {run}/eve: classifier.keras was changed; set aside as .unusable.eve" in said
    assert "eve: training" in said
    assert "arn/white: training" not in said  # the same classifier came out again
    assert (run / ".unusable.eve" / "classifier.keras").exists()
    assert read_json(run / "results.json") == read_json(trained / "results.json")


def test_a_pair_of_another_eve_is_not_taken_for_this_ones(run, capsys):
    file = run / "eve" / "classifier.keras"
    eve = keras.saving.load_model(file)
    eve.set_weights([2 * each for each in eve.get_weights()])
    eve.save(file)  # whole, and recorded: another one all the same
    link = records.digests(run, ["link"])
    records.write(run, "eve", {file.name: file}, link)
    said = again(run, capsys).replace(f"{run}/", "")
    assert "note: arn/white: made from eve: another one; set aside as .unusable.white" in said
    assert [line for line in said.splitlines() if "training, " in line] == [
        "arn/white: training, 4 epochs"
    ]


def test_results_that_are_not_those_that_were_measured_are_measured_again(run, trained, capsys):
    for content in (b"[]", b"", b'[{"case": "paired"}]'):
        (run / "results.json").write_bytes(content)
        assert records.why_not(run, "results.json") == "results.json was changed"
    assert "results.json: results.json was changed; made again" in again(run, capsys)
    assert read_json(run / "results.json") == read_json(trained / "results.json")


def test_examples_that_were_cut_off_are_made_again(run, capsys):
    file = run / "examples.npz"
    file.write_bytes(file.read_bytes()[:-100])
    assert "results.json: examples.npz was changed; made again" in again(run, capsys)
    assert len(np.load(file)["label"]) == 8


def test_a_stage_without_a_record_is_taken_as_it_is_unless_it_is_older_than_its_sources(
    run, capsys
):
    shutil.rmtree(run / ".made")
    assert "training, " not in again(run, capsys)
    shutil.rmtree(run / "eve")
    said = again(run, capsys)
    assert "eve: training" in said
    assert "arn/white: made before eve was; set aside" in said.replace(f"{run}/", "")


def test_damaged_records_make_stages_again(run, capsys):
    (run / ".made" / "eve.json").write_text('{"files": {"classifier.keras": 3}, "from": {}}')
    assert "its record is damaged" in again(run, capsys)
    assert records.why_not(run, "eve") == ""


def test_what_was_begun_from_another_stage_begins_again(tmp_path):
    with RunDirectory(tmp_path, {"seed": 0}, {}) as run:
        for content in (b"one", b"two"):
            run.begin("link", say=lambda line: None)
            (run.partial("link") / "model").write_bytes(content)
            run.finish("link")
            said = []
            begun = run.begin("eve", ["link"], said.append)
            assert bool(said) == (content == b"two")
            assert not (begun / "checkpoint").exists()
            (begun / "checkpoint").mkdir()
        assert run.begin("eve", ["link"], said.append) == begun
        assert (begun / "checkpoint").exists()


def test_a_run_whose_data_cannot_be_kept_leaves_its_directory_unlocked(tmp_path, monkeypatch):
    def full(job):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Job, "_keep_data", full)
    assert command.main([*SMALL, "--run-dir", str(tmp_path / "run")]) == 2
    os.close(lock(tmp_path / "run" / ".lock"))
    assert not (tmp_path / "run" / ".scratch").exists()


def test_rows_of_a_sweep_measured_on_other_modules_are_made_again(tmp_path):
    from arn_keras.scenario.letter import Letter
    from arn_keras.sweep.folders import Folders
    from arn_keras.sweep.grid import Point

    folders = Folders(tmp_path, Letter())
    point = Point("digits", 0, "white", None, (10.0, 10.0), -10.0)
    stages = ["digits/seed-0/link", "digits/seed-0/eve", folders.pair(point)]
    with RunDirectory(tmp_path, {"sweep": True}, {}) as directory:

        def make(stage, content, sources=()):
            directory.begin(stage, sources, say=lambda line: None)
            (directory.partial(stage) / "model.keras").write_text(content)
            directory.finish(stage)

        for number, stage in enumerate(stages):
            make(stage, "first", stages[:number])
        rows = {"row": {"mse": 1.0, **folders.made_from(point, "frozen")}}
        assert sorted(rows["row"]) == ["eve_sha256", "link_sha256", "mse", "pair_sha256"]
        names = {"row": (point, "frozen"), "not measured": (point, "frozen")}
        assert folders.stale(rows, names) == []
        assert folders.stale({"row": {"mse": 1.0}}, names) == []  # of an earlier version
        assert folders.pair_done(point)
        make(stages[1], "second", stages[:1])
        assert folders.stale(rows, names) == ["row"]
        assert not folders.pair_done(point)  # it was trained against the first
        make(stages[1], "first", stages[:1])
        assert folders.stale(rows, names) == []
        assert folders.pair_done(point)


def test_finished_rungs_of_another_pair_are_not_this_pairs(tmp_path):
    sums = set()
    for content in (b"one", b"two"):
        (tmp_path / "arn" / "white").mkdir(parents=True, exist_ok=True)
        (tmp_path / "arn" / "white" / "transmitter.keras").write_bytes(content)
        sums.add(records.combined(tmp_path, ["link", "arn/white"]))
    assert len(sums) == 2


def test_an_audit_of_other_modules_is_not_this_pairs(run):
    file = run / records.AUDIT
    file.parent.mkdir()
    write_json(file, {"knowledge": "white", "rows": []})
    assert bundle._audit(run, "white") is None  # nobody says of which modules it is
    stages = ["link", "eve", "arn/white"]
    records.write(run, records.AUDIT, {file.name: file}, records.digests(run, stages))
    assert bundle._audit(run, "white") == {"knowledge": "white", "rows": []}
    assert bundle._audit(run, "black") is None
    whole = file.read_bytes()
    file.write_bytes(b"[]")
    assert bundle._audit(run, "white") is None
    file.write_bytes(whole)
    flip(run / "arn" / "white" / "receiver.keras")
    assert bundle._audit(run, "white") is None


def test_a_model_is_known_by_what_it_computes_and_not_by_its_layers_numbers(tmp_path):
    sums = []
    for number, activation in enumerate(("relu", "relu", "tanh")):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation)])
        model.set_weights([np.ones((3, 2)), np.zeros(2)])
        model.save(tmp_path / f"{number}.keras")  # "dense", "dense_1", ...
        sums.append(records.file_digest(tmp_path / f"{number}.keras"))
    assert sums[0] == sums[1] != sums[2]
    model.set_weights([2 * np.ones((3, 2)), np.zeros(2)])
    model.save(tmp_path / "other.keras")
    assert records.file_digest(tmp_path / "other.keras") not in sums
