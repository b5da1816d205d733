"""Rooms: answers from outside the package go through every command."""

import json
import shutil

import pytest
from bundles import converted_here  # noqa: F401
from wiretaps import TINY

from arn_keras.audit import RUNGS, effort, ladder
from arn_keras.audit import __main__ as audit
from arn_keras.errors import ConfigError
from arn_keras.export.bundle import export
from arn_keras.rooms import answer, load_plugins
from arn_keras.run import command
from arn_keras.sweep import __main__ as sweep

SHORT = ["--scenario", "toy", "--epochs", "2", "--link-epochs", "60", "--eve-epochs", "2"]

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture(scope="module")
def run(toys, tmp_path_factory):
    """A run of the toy scenario, its block, task, Eve and protection, with its bundle."""
    run = tmp_path_factory.mktemp("toy") / "run"
    assert command.main([*SHORT, "--spread", "2", "--run-dir", str(run)]) == 0
    return run


def test_training_measures_and_exports_what_is_not_of_the_package(run):
    rows = json.loads((run / "results.json").read_text())
    assert rows[0].keys() >= {"largest_error", "eve_accuracy"}
    assert "mse" not in rows[0]
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["options"] == {"spread": 2.0}
    assert config["task"] == "worst"
    manifest = json.loads((run / "bundle" / "manifest.json").read_text())
    assert manifest["measure"]["field"] == "largest_error"
    module = manifest["modules"]["transmitter"]["float32"]
    assert set(module["operators"]) <= {"ADD", "FULLY_CONNECTED", "RESHAPE"}
    assert module["bytes"] < 3000  # one matrix of twelve symbols
    assert manifest["precisions"] == ["float32", "float16", "int8", "int16"]
    off = {row["transmitter"]: row["sent_max_abs_difference"] for row in manifest["parity"]}
    assert off["float32"] < 1e-5 < off["int16"] < 0.8 * off["int8"]  # weights of 8 bits in both


def test_the_audit_climbs_on_it(run, monkeypatch, capsys):
    monkeypatch.setattr(effort, "QUICK", TINY)
    few = {rung: RUNGS[rung] for rung in ("E0", "E3", "E5", "E9")}
    monkeypatch.setattr(ladder, "RUNGS", few)
    assert audit.main([str(run), "--quick", "--protection", "arn", "flipped"]) == 0
    found = json.loads((run / "audit" / "audit.json").read_text())
    assert set(found["headline"]) == {"none", "arn", "flipped"}
    assert found["headline"]["flipped"]["eve_accuracy"] > 0.7  # a public change hides nothing
    found = [row for row in found["rows"] if row["rung"] == "E9"]
    assert {row["protection"] for row in found} == {"none", "arn", "flipped", "planted"}
    assert "largest error" in (run / "audit" / "report.md").read_text()
    assert "report" in capsys.readouterr().out


def test_a_protection_from_outside_is_measured_and_exported(run, converted_here, tmp_path):
    config = json.loads((run / "config.json").read_text())
    config["config"] |= {"protection": "flipped", "block": None}  # it has no pair
    for stage in ("link", "logistic"):
        shutil.copytree(run / stage, tmp_path / "flipped" / stage)
    (tmp_path / "flipped" / "config.json").write_text(json.dumps(config))
    options = ["--protection", "flipped", "--spread", "2", "--run-dir", str(tmp_path / "flipped")]
    assert command.main([*SHORT, *options, "--no-export"]) == 0
    export(tmp_path / "flipped")
    original, alone, both = json.loads((tmp_path / "flipped" / "results.json").read_text())
    assert both["largest_error"] == pytest.approx(original["largest_error"], rel=0.05)
    assert alone["largest_error"] > 2 * original["largest_error"]
    manifest = json.loads((tmp_path / "flipped" / "bundle" / "manifest.json").read_text())
    assert manifest["protection"] == "flipped"
    assert manifest["modules"]["receiver"]["float32"]["operators"] == ["MUL"]


def test_a_sweep_runs_it_in_its_workers(run, tmp_path, capsys):
    grid = [str(run), "--snr-db", "0", "10", "--knowledge", "white", "--jobs", "1"]
    more = ["--eve", "frozen", "logistic", "--out", str(tmp_path / "sweep")]
    assert sweep.main([*grid, *more]) == 0
    said = capsys.readouterr().out
    assert "figure-3,toys,frozen" in said
    assert "link" not in said  # it is the run's
    lines = (tmp_path / "sweep" / "rows.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["eve"] for row in rows} == {"frozen", "logistic"}
    assert all(row["largest_error"] > 0 for row in rows)


def test_an_answer_is_an_object_a_place_or_a_place_with_arguments():
    room = {
        "object": len,
        "place": "math:hypot",
        "with arguments": ("builtins:int", {"base": 2}),
    }
    assert answer(room, "object") is len
    assert answer(room, "place")(3, 4) == 5
    assert answer(room, "with arguments")("101") == 5
    with pytest.raises(ConfigError, match=r"expected one of object, place, .*, got 'none'"):
        answer(room, "none")


def test_a_plugin_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("ARN_KERAS_PLUGINS", "no_such_module")
    with pytest.raises(ConfigError, match="ARN_KERAS_PLUGINS: expected modules, no_such_module"):
        load_plugins()
