import contextlib
import importlib.util
import io
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from small_runs import BOTH, SMALL, pictureless, trained  # noqa: F401

from arn_keras.machine.files import read_json, write_json
from arn_keras.run import command

ROOT = pathlib.Path(__file__).parents[1]


def _start(*options, **environment):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def _has_an_epoch(path, stage):
    """Whether a checkpoint is there; walked, since a glob fails on a folder that goes meanwhile."""
    return any(
        pathlib.Path(folder).match(f"{stage}/checkpoint")
        and any(name.startswith("epoch-") for name in files)
        for folder, _, files in os.walk(path)
    )


@pytest.fixture(scope="module")
def whole(trained, tmp_path_factory):
    """A run of both pairs on the small one's link and Eve, and what the command said of it."""
    path = tmp_path_factory.mktemp("runs") / "run"
    for stage in ("link", "eve"):
        shutil.copytree(trained / stage, path / stage)
    _configure(path, trained, knowledge="both")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert command.main([*BOTH, "--run-dir", str(path)]) == 0
    return path, said.getvalue()


def test_a_run_says_what_it_did_in_one_table(whole):
    path, out = whole
    for line in ("original link, no modules", "transmitter module only", "both modules"):
        assert line in out
    assert out.count("white") >= 3
    assert str(path / "figures" / "examples.png") in out
    assert "\r" not in out  # no progress bars where there is no terminal


def test_a_run_leaves_a_complete_run_directory(whole):
    path, _ = whole
    config = read_json(path / "config.json")
    assert config["config"]["limit"] == 200
    assert config["versions"]["tensorflow"].startswith("2.")
    for file in (
        "link/transmitter.keras",
        "link/receiver.keras",
        "eve/classifier.keras",
        "substitute/classifier.keras",
        "arn/white/transmitter.keras",
        "arn/white/receiver.keras",
        "arn/black/transmitter.keras",
        "arn/black/receiver.keras",
        "figures/examples.png",
    ):
        assert (path / file).stat().st_size > 1000, file
    assert not list(path.rglob(".partial*"))
    rows = read_json(path / "results.json")
    assert [row["case"] for row in rows].count("paired") == 2
    assert {row["sources"] for row in rows} == {360}


def _interrupted(path, stage):
    """The status of the command in this process, which gets Ctrl-C when a stage has an epoch."""
    ended = threading.Event()

    def interrupt():
        while not (ended.is_set() or _has_an_epoch(path, stage)):
            time.sleep(0.01)
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    # Where the tests run in a shell's background, Ctrl-C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        return command.main([*SMALL, "--run-dir", str(path)])
    finally:
        ended.set()
        thread.join()
        signal.signal(signal.SIGINT, before)


def test_a_run_stopped_again_and_again_says_so_and_ends_with_the_rows_of_an_undisturbed_one(
    trained, tmp_path, capfd, pictureless
):
    path = tmp_path / "run"
    assert _interrupted(path, ".partial.link") == 130
    assert capfd.readouterr().err == "\ninterrupted; the same command goes on from here\n"
    with _start(*SMALL, "--run-dir", str(path)) as process:
        try:
            deadline = time.monotonic() + 200
            while not _has_an_epoch(path, ".partial.white"):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            process.kill()
        _, err = process.communicate(timeout=60)
        assert err == ""
    assert command.main([*SMALL, "--run-dir", str(path)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert "link: training" not in out  # finished before the second blow
    assert "arn/white: training" in out
    assert read_json(path / "results.json") == read_json(trained / "results.json")


def test_the_same_command_again_trains_nothing(whole, capsys):
    path, _ = whole
    assert command.main([*BOTH, "--run-dir", str(path)]) == 0
    out = capsys.readouterr().out
    assert "training," not in out
    assert "both modules" in out


def _configure(path, run, **changed):
    """Gives a directory the configuration of a run, changed: it takes the stages that are there."""
    config = read_json(run / "config.json")
    config["config"] |= changed
    write_json(path / "config.json", config)


def _protected(whole, tmp_path, protection):
    """A run of another protection that finds the trained link and Eve there; its rows."""
    path = tmp_path / "run"
    for stage in ("link", "eve", *(("arn",) if "arn" in protection else ())):
        shutil.copytree(whole[0] / stage, path / stage)
    _configure(path, whole[0], protection=protection)
    assert command.main([*BOTH, "--run-dir", str(path), "--protection", protection]) == 0
    return path, read_json(path / "results.json")


@pytest.mark.parametrize(
    ("protection", "knowledges"),
    [("none", []), ("keyed", [None]), ("arn+keyed", ["white", "black"])],
)
def test_every_protection_is_measured_and_only_what_it_needs_is_there(
    whole, tmp_path, capsys, protection, knowledges
):
    path, rows = _protected(whole, tmp_path, protection)
    assert "training," not in capsys.readouterr().out
    assert [(row["case"], row["protection"], row["knowledge"]) for row in rows] == [
        ("original", "none", None),
        *(
            (case, protection, knowledge)
            for knowledge in knowledges
            for case in ("transmitter_only", "paired")
        ),
    ]
    assert (path / "figures" / "examples.png").stat().st_size > 1000
    modules = {str(file.relative_to(path)) for file in path.glob("keyed/*")}
    both = {"keyed/transmitter.keras", "keyed/receiver.keras"}
    assert modules == (both if "keyed" in protection else set())
    assert not (path / "substitute").exists()
    original, pairs = rows[0], rows[2::2]
    assert original == read_json(whole[0] / "results.json")[0]
    for pair in pairs:
        assert pair["psr_db"] == (-6.0 if "arn" in protection else None)
        # A barely trained Eve of ten digits; of 360 sources chance is 0.1 +- 0.016.
        assert pair["eve_accuracy"] < 0.16 < original["eve_accuracy"]
    if protection == "keyed":
        assert pairs[0]["mse"] == pytest.approx(original["mse"], rel=0.01)
        assert rows[1]["mse"] > 1.05 * original["mse"]
        # E|Qy - y|^2 = 2 |y|^2 for signs without favour, to 1 / sqrt(360 messages of 32).
        assert pairs[0]["measured_psr_db"] == pytest.approx(10 * math.log10(2), abs=0.15)


def test_another_configuration_is_refused_and_nothing_is_damaged(whole, capsys):
    path, _ = whole
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}
    assert command.main([*SMALL, "--run-dir", str(path), "--psr-db", "-5"]) == 2
    assert "psr_db (-6.0 there, -5.0 asked)" in capsys.readouterr().err
    after = {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}
    assert before == after


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--snr-db", "nan"], "--snr-db: expected a finite number of dB, got nan"),
        (["--snr-db", "inf"], "--snr-db: expected a finite number of dB"),
        (["--snr-db", "1e300"], "--snr-db: expected a number of dB between -300 and 300"),
        (["--psr-db", "-301"], "--psr-db: expected a number of dB between -300 and 300"),
        (["--snr-db", "loud"], "argument --snr-db: invalid float value: 'loud'"),
        (["--snr-db", "20", "0"], "--snr-db: expected LO <= HI, got 20 0"),
        (["--snr-db", "0", "1", "2"], "--snr-db: expected one or two values, got 3"),
        (["--psr-db", "nan"], "--psr-db: expected a finite number of dB"),
        (["--epochs", "0"], "--epochs: expected at least 1, got 0"),
        (["--epochs", "-3"], "--epochs: expected at least 1, got -3"),
        (["--batch-size", "0"], "--batch-size: expected at least 1"),
        (["--batch-size", "100000"], "--batch-size: expected at most the 1437 training sources"),
        (["--limit", "-1"], "--limit: expected at least 1"),
        (["--seed", "-1"], "--seed: expected at least 0"),
        (["--knowledge", "grey"], "argument --knowledge: invalid choice: 'grey'"),
        (["--protection", "rot13"], "argument --protection: invalid choice: 'rot13'"),
        (["--dataset", "no_such_set"], "no_such_set"),
        (
            ["--channel", "rician", "--k-factor-db", "nan"],
            "--k-factor-db: expected a finite number",
        ),
        (["--channel", "rayleigh", "--csi", "pilots", "--pilots", "-8"], "--pilots: expected at"),
        (["--channel", "rayleigh", "--k-factor-db", "3"], "rayleigh channel, got --k-factor-db"),
        (["--channel", "rayleigh", "--pilots", "8"], "expected csi='pilots' beside pilots"),
        (["--csi", "none"], "expected options of the awgn channel, got --csi"),
        (["--eve-snr-offset-db", "inf"], "--eve-snr-offset-db: expected a finite number of dB"),
        (["--snr-db=-200", "--eve-snr-offset-db=-200"], "--snr-db at Eve's: expected a number of"),
        (
            ["--block-width", "9000"],
            "--block dense: expected a dense block of at most 20,000,000",
        ),
        (
            ["--block", "transformer", "--block-width", "50"],
            "--block transformer: expected a width that is a multiple of its 4 heads, got 50",
        ),
        (
            ["--block", "conv", "--block-width", "100000000000000000000"],
            "--block conv: expected a conv block of at most 20,000,000 parameters, got 6",
        ),
        (["--scenario", "deepjscc", "--compression", "1/7"], "k/n that is a multiple of 1/16"),
        (
            ["--scenario", "deepjscc", "--compression", "1/8", "--block", "in_band"],
            "I/Q signals [2 n]",
        ),
    ],
)
def test_bad_input_gets_one_clear_line_and_status_2_and_writes_nothing(
    options, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    dataset = [] if "--dataset" in options else ["--dataset", "digits"]
    try:
        status = command.main([*options, *dataset, "--run-dir", "run", "--data-dir", "none"])
    except SystemExit as stop:
        status = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("train.py: error: ")
    assert message in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_keyed_bundle_without_cryptography_is_refused_before_any_training(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    options = [*BOTH[:-1], "--protection", "keyed", "--run-dir", str(tmp_path / "run")]
    assert command.main(options) == 2
    assert "--protection keyed: expected the package cryptography" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_another_keras_backend_is_refused():
    process = _start(*SMALL, KERAS_BACKEND="jax")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == (
        "train.py: error: expected Keras on the tensorflow backend, got 'jax': "
        "set KERAS_BACKEND=tensorflow\n"
    )


def test_help_and_a_wrong_option_load_nothing_heavy():
    code = (
        "import sys\nfrom arn_keras.run import command\n"
        "try: command.main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    for option in ("--help", "--epochs=0"):
        done = subprocess.run(
            [sys.executable, "-c", code, option], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"
