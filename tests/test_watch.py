"""What is seen of a run while it is trained: JSON lines, TensorBoard's files."""

import json
import pathlib

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from arn_keras.run import command
from arn_keras.run.watch import confusion

SMALL = ["--dataset", "digits", "--limit", "100", "--epochs", "3", "--link-epochs", "2"]
SMALL += ["--eve-epochs", "2", "--knowledge", "white", "--no-export"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of the same options, one of them watched: their directories."""
    folder = tmp_path_factory.mktemp("runs")
    assert command.main([*SMALL, "--quiet", "--run-dir", str(folder / "plain")]) == 0
    return folder / "plain", folder / "watched"


@pytest.fixture(scope="module")
def lines(runs):
    """The lines that the watched one prints."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as said:
        options = [*SMALL, "--tensorboard", "--log-json", "--run-dir", str(runs[1])]
        assert command.main(options) == 0
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_every_line_is_json_with_each_epochs_loss_terms_and_learning_rate(lines):
    pair = [each for each in lines if each["event"] == "epoch" and each["stage"] == "arn/white"]
    assert [(each["epoch"], each["of"]) for each in pair] == [(1, 3), (2, 3), (3, 3)]
    for each in pair:
        terms = {"attack_power_loss", "task_loss", "eve_confidence"}
        assert terms | {"loss", "eve_accuracy"} <= each.keys()
    rates = [each["learning_rate"] for each in pair]
    assert 2e-3 > rates[0] > rates[1] > rates[2] == pytest.approx(0, abs=1e-9)
    assert {each["stage"] for each in lines if "stage" in each} == {"link", "eve", "arn/white"}
    assert lines[-1]["event"] == "end"
    assert pathlib.Path(lines[-1]["picture"]).is_file()


def test_a_watched_run_measures_what_an_unwatched_one_does(runs, lines):
    plain, watched = (json.loads((run / "results.json").read_text()) for run in runs)
    assert plain == watched
    rows = [each for each in lines if each["event"] == "row"]
    assert [{**row, "event": "row"} for row in watched] == rows


def test_tensorboard_has_every_stages_terms_bobs_pictures_and_eves_confusion(runs, lines):
    found = {}
    for stage in ("link", "eve", "arn/white"):
        for part in ("train", "views"):
            events = EventAccumulator(str(runs[1] / "tensorboard" / stage / part))
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
