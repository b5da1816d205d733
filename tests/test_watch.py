"""What is seen of a run while it is trained: JSON lines, TensorBoard's files."""

import contextlib
import io
import json
import pathlib

import numpy as np
import pytest
from small_runs import SMALL, trained  # noqa: F401
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from arn_keras.run import command
from arn_keras.run.watch import confusion


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run of the options of `trained`, watched: its directory, and the lines that it prints."""
    path = tmp_path_factory.mktemp("runs") / "watched"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        options = [*SMALL, "--tensorboard", "--log-json", "--run-dir", str(path)]
        assert command.main(options) == 0
    return path, [json.loads(line) for line in said.getvalue().splitlines()]


def test_every_line_is_json_with_each_epochs_loss_terms_and_learning_rate(watched):
    lines = watched[1]
    pair = [each for each in lines if each["event"] == "epoch" and each["stage"] == "arn/white"]
    assert [(each["epoch"], each["of"]) for each in pair] == [(n, 4) for n in (1, 2, 3, 4)]
    for each in pair:
        terms = {"attack_power_loss", "task_loss", "eve_confidence"}
        assert terms | {"loss", "eve_accuracy"} <= each.keys()
    rates = [each["learning_rate"] for each in pair]
    assert 2e-3 > rates[0] > rates[1] > rates[2] > rates[3] == pytest.approx(0, abs=1e-9)
    assert {each["stage"] for each in lines if "stage" in each} == {"link", "eve", "arn/white"}
    assert lines[-1]["event"] == "end"
    assert pathlib.Path(lines[-1]["picture"]).is_file()


def test_a_watched_run_measures_what_an_unwatched_one_does(trained, watched):
    run, lines = watched
    plain, measured = (json.loads((path / "results.json").read_text()) for path in (trained, run))
    assert plain == measured
    rows = [each for each in lines if each["event"] == "row"]
    assert [{**row, "event": "row"} for row in measured] == rows


def test_tensorboard_has_every_stages_terms_bobs_pictures_and_eves_confusion(watched):
    found = {}
    for stage in ("link", "eve", "arn/white"):
        for part in ("train", "views"):
            events = EventAccumulator(str(watched[0] / "tensorboard" / stage / part))
            events.Reload()
            found[stage, part] = events.Tags()["tensors"]
    for stage in ("link", "eve", "arn/white"):
        assert {"epoch_loss", "epoch_learning_rate"} <= set(found[stage, "train"])
    assert "epoch_attack_power_loss" in found["arn/white", "train"]
    assert found["link", "views"] == ["sent, and what Bob sees"]
    assert found["eve", "views"] == ["Eve's confusion"]
    assert set(found["arn/white", "views"]) == {"sent, and what Bob sees", "Eve's confusion"}


def test_a_confusion_is_shares_of_what_eve_says_of_each_label():
    logits = np.eye(3)[[0, 0, 1, 2]]
    shares = confusion([0, 1, 1, 1], logits)
    assert np.allclose(shares, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0, 0]])


def test_tensorboard_is_asked_for_before_anything_is_trained(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert command.main([*SMALL, "--tensorboard", "--run-dir", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said.endswith("pip install 'arn-keras[tensorboard]'\n")
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
