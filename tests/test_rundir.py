import contextlib
import os
import subprocess
import sys
import tempfile

import keras
import pytest

from arn_keras.errors import RunDirError
from arn_keras.machine.files import atomic_file, read_json, write_json
from arn_keras.run import directory
from arn_keras.run.directory import RunDirectory

IDENTITY = {"dataset": "digits", "snr_db": (10.0, 10.0), "seed": 0}


def _open(path, **change):
    return RunDirectory(path, {**IDENTITY, **change}, {"keras": "3"})


def _touch(path, **change):
    with _open(path, **change):
        pass


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


def _contents(path):
    return sorted(entry.name for entry in path.iterdir())


def test_the_same_configuration_is_let_in_again(tmp_path):
    _touch(tmp_path / "run")
    _touch(tmp_path / "run")
    assert read_json(tmp_path / "run" / "config.json")["config"]["seed"] == 0


def test_another_configuration_is_refused_with_the_fields_named(tmp_path):
    _touch(tmp_path / "run")
    before = (tmp_path / "run" / "config.json").read_text()
    with pytest.raises(RunDirError, match=r"seed \(0 there, 1 asked\)") as refusal:
        _open(tmp_path / "run", seed=1)
    assert "snr_db" not in str(refusal.value)
    assert (tmp_path / "run" / "config.json").read_text() == before


def test_of_the_options_only_those_that_differ_are_named(tmp_path):
    options = {"transmitter": "ab12", "data": ["cd", "ef"]}
    with RunDirectory(tmp_path, {"options": options}, {}):
        pass
    with pytest.raises(RunDirError) as error:
        RunDirectory(tmp_path, {"options": {**options, "transmitter": "99"}}, {})
    assert str(error.value) == (
        f"{tmp_path}: made with another configuration: transmitter (ab12 there, 99 asked); choose "
        "another --run-dir"
    )


def test_other_data_of_the_same_name_are_refused_and_a_directory_of_before_takes_any(tmp_path):
    made_of = {"notes": {"data": {"set": "1"}}}
    with RunDirectory(tmp_path / "run", IDENTITY, {}, **made_of):
        pass
    for data in ({"set": "1"}, {"other": "2"}, {}):
        with RunDirectory(tmp_path / "run", IDENTITY, {}, notes={"data": data}):
            pass
    with pytest.raises(RunDirError, match="expected the data that it was made of, got another set"):
        RunDirectory(tmp_path / "run", IDENTITY, {}, notes={"data": {"set": "2"}})
    with RunDirectory(tmp_path / "before", IDENTITY, {}):
        pass
    with RunDirectory(tmp_path / "before", IDENTITY, {}, **made_of):
        pass


@pytest.mark.parametrize("text", ["", '{"config": {"seed"', "[1, 2]", '{"other": 1}'])
def test_a_damaged_configuration_is_refused_and_left_alone(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunDirError, match=r"config\.json"):
        _open(tmp_path)
    assert (tmp_path / "config.json").read_text() == text


def test_a_directory_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunDirError, match=r"found 'thesis\.tex'"):
        _open(tmp_path)
    assert _contents(tmp_path) == ["thesis.tex"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunDirError, match="expected a directory, got a file"):
        _open(tmp_path / "run")


def test_an_unwritable_place_is_refused(tmp_path):
    # A file as parent: the one place that root cannot write to either.
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunDirError, match="expected a writable directory"):
        _open(tmp_path / "file" / "run")


def test_a_directory_that_cannot_be_begun_is_left_unlocked_and_without_scratch(
    tmp_path, monkeypatch
):
    before = tempfile.tempdir

    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(directory, "write_json", full)
    with pytest.raises(RunDirError, match="No space left"):
        _open(tmp_path)
    monkeypatch.undo()
    assert tempfile.tempdir == before
    assert _contents(tmp_path) == [".lock"]
    _touch(tmp_path)


def test_two_processes_do_not_share_a_run_directory(tmp_path, stack):
    held = stack.enter_context(_open(tmp_path))
    code = (
        "import sys; from arn_keras.run.directory import RunDirectory\n"
        f"RunDirectory(sys.argv[1], {IDENTITY!r}, {{}})"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "another process is at work" in other.stderr
    assert not held.done("link")


def test_a_file_is_whole_or_absent(tmp_path):
    file = tmp_path / "rows.json"
    write_json(file, [1])

    def fail():
        with atomic_file(file) as temporary:
            temporary.write_text("[1, 2")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert read_json(file) == [1]
    assert _contents(tmp_path) == ["rows.json"]


def test_json_that_other_readers_refuse_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "rows.json", [float("nan")])
    assert _contents(tmp_path) == []


def test_what_a_killed_writer_left_is_removed(tmp_path):
    _touch(tmp_path)
    (tmp_path / f".tmp.{os.getpid()}.results.json").write_text("half")
    _touch(tmp_path)
    assert _contents(tmp_path) == [".lock", "config.json"]


def test_a_stage_is_done_only_when_finished_and_leaves_its_checkpoints_behind(tmp_path, stack):
    run = stack.enter_context(_open(tmp_path))
    partial = run.partial("arn/white")
    (partial / "checkpoint").mkdir()
    (partial / "checkpoint" / "state").write_text("x")
    (partial / "model").write_text("y")
    assert not run.done("arn/white")
    assert run.partial("arn/white") == partial
    run.finish("arn/white")
    assert run.done("arn/white")
    assert _contents(tmp_path / "arn" / "white") == ["model"]


def test_a_damaged_model_is_refused_with_its_name_and_the_way_out(tmp_path, stack):
    run = stack.enter_context(_open(tmp_path))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.save(run.partial("link") / "receiver.keras")
    run.finish("link")
    assert run.load_models("link", "receiver")[0].count_params() == 6
    file = tmp_path / "link" / "receiver.keras"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(
        RunDirError, match=r"link: .*receiver\.keras was changed; .* makes it again"
    ):
        run.load_models("link", "receiver")
    (tmp_path / ".made" / "link.json").unlink()
    with pytest.raises(RunDirError, match=r"receiver\.keras: expected a whole Keras model: "):
        run.load_models("link", "receiver")
    with pytest.raises(RunDirError, match=r"absent\.keras"):
        run.load_models("link", "absent")
