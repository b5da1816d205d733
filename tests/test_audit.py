import pathlib
import subprocess
import sys

import numpy as np
import pytest
from run_dirs import untrained_run
from wiretaps import TINY

from arn_keras.audit import RUNGS, effort, picture
from arn_keras.audit import __main__ as audit
from arn_keras.audit.conduct import conduct
from arn_keras.audit.effort import Finding
from arn_keras.audit.ladder import finished_rungs
from arn_keras.audit.report import headline
from arn_keras.audit.rung import Rung
from arn_keras.errors import ConfigError
from arn_keras.machine.files import read_json, write_json


@pytest.fixture
def run_dir(tmp_path):
    return untrained_run(tmp_path / "run")


@pytest.fixture
def short(monkeypatch):
    """A ladder of rungs that train nothing."""
    monkeypatch.setattr(effort, "QUICK", TINY)
    for rung in RUNGS.keys() - {"E0", "E7"}:
        monkeypatch.delitem(RUNGS, rung)


def test_an_audit_leaves_rows_a_figure_and_a_report_and_repeats_no_finished_rung(
    run_dir, short, capsys, monkeypatch
):
    assert audit.main([str(run_dir), "--quick"]) == 0
    out = capsys.readouterr().out
    assert "seed 0  arn" in out
    found = read_json(run_dir / "audit" / "audit.json")
    rows = found["rows"]
    assert {row["protection"] for row in rows} == {"none", "arn", "keyed", "planted"}
    assert {row["sources"] for row in rows} == {360}
    assert found["headline"] == headline(rows)
    for row in rows:
        if row["rung"] != "Bob":
            assert 0 <= row["leakage_nats"] <= found["entropy_nats"]
    text = (run_dir / "audit" / "report.md").read_text()
    assert "| keyed |" in text
    assert (run_dir / "audit" / "audit.png").stat().st_size > 10_000

    def refuse(tap, effort):
        raise AssertionError("a finished rung was run again")

    monkeypatch.setattr(picture, "audit_picture", lambda path, *_: path.touch())  # seen above
    for rung in ("E0", "E7"):
        monkeypatch.setitem(RUNGS, rung, Rung(refuse, "refuses"))
    assert audit.main([str(run_dir), "--quick"]) == 0
    assert read_json(run_dir / "audit" / "audit.json")["rows"] == rows
    assert "E0" not in capsys.readouterr().out.split("worst case")[0]


def test_a_rung_of_several_attacks_goes_on_with_the_one_that_it_was_stopped_in(
    run_dir, short, monkeypatch
):
    made = []

    def attack(number):
        def eve(tap, effort):
            made.append((tap.protection.name, number))
            if number == 2 and len(made) == 2:
                raise KeyboardInterrupt
            return [Finding(f"Eve {number}", np.zeros((len(tap.labels[1]), tap.classes)))]

        return eve

    monkeypatch.setattr(picture, "audit_picture", lambda path, *_: path.touch())
    for rung in ("E0", "E7"):
        monkeypatch.delitem(RUNGS, rung)
    monkeypatch.setitem(RUNGS, "E3", Rung((attack(1), attack(2)), "in two parts"))
    assert audit.main([str(run_dir), "--quick", "--protection", "none"]) == 130
    assert audit.main([str(run_dir), "--quick", "--protection", "none"]) == 0
    assert made[:3] == [("none", 1), ("none", 2), ("none", 2)]
    rows = read_json(run_dir / "audit" / "audit.json")["rows"]
    found = [row["eve"] for row in rows if row["protection"] == "none" and row["rung"] == "E3"]
    assert found == ["Eve 1", "Eve 2"]


def test_a_run_without_arns_is_audited_with_keys_alone(run_dir, short, capsys, monkeypatch):
    monkeypatch.setattr(picture, "audit_picture", lambda path, *_: path.touch())
    _keyed(run_dir)
    assert audit.main([str(run_dir), "--quick", "--protection", "keyed"]) == 0
    assert "training" not in capsys.readouterr().out
    rows = read_json(run_dir / "audit" / "audit.json")["rows"]
    assert {row["protection"] for row in rows} == {"none", "keyed", "planted"}
    (bob,) = (row for row in rows if row["rung"] == "Bob" and row["protection"] == "keyed")
    assert bob["rotation"] == "haar"
    assert 0 < bob["remainder_nats"] < 1e-8
    assert bob["sent_power"] == pytest.approx(1, rel=1e-5)


def test_finished_rungs_of_before_there_were_checksums_are_named_and_not_used(tmp_path):
    (tmp_path / "finished-white.jsonl").write_text('{"key": ["quick", 0, "none", "E0"]')
    said = []
    finished = finished_rungs(tmp_path / "finished-white.sqlite", said.append)
    assert len(finished) == 0
    assert said == [
        f"note: {tmp_path}/finished-white.jsonl: has no checksums and is not used; its rungs are "
        "run again"
    ]
    finished.add({("quick", 0, "none", "E0"): [{"eve_accuracy": 0.5}]})
    again = finished_rungs(tmp_path / "finished-white.sqlite", said.append)
    assert again.get(("quick", 0, "none", "E0")) == [{"eve_accuracy": 0.5}]
    assert len(said) == 1


def _without(name):
    return lambda path: (
        [file.unlink() for file in (path / name).iterdir()] and (path / name).rmdir()
    )


def _keyed(path):
    _without("arn/white")(path)
    found = read_json(path / "config.json")
    found["config"]["protection"] = "keyed"
    write_json(path / "config.json", found)


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda path: (path / "config.json").unlink(), [], "found no config.json"),
        (lambda path: (_keyed(path), _without("eve")(path)), [], "a trained link and eavesdropper"),
        (_without("arn/white"), [], "expected a trained pair, found none"),
        (_without("eve"), [], "expected a trained pair, found none"),
        (lambda path: None, ["--knowledge", "black"], "expected a trained black pair"),
        (lambda path: (path / "config.json").write_text("{"), [], "expected a whole JSON file"),
        (lambda path: (path / "config.json").write_text("[]"), [], "a run's configuration"),
        (lambda path: None, ["--seeds", "0"], "--seeds: expected at least 1, got 0"),
        (lambda path: None, ["--protection", "rot13"], "invalid choice: 'rot13'"),
        (
            lambda path: (path / "arn/white/receiver.keras").write_bytes(b"PK"),
            [],
            "expected a whole Keras model",
        ),
    ],
)
def test_bad_input_gets_one_clear_line_and_status_2(run_dir, capsys, damage, options, message):
    damage(run_dir)
    try:
        status = audit.main([str(run_dir), *options])
    except SystemExit as stop:
        status = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("python -m arn_keras.audit: error: ")
    assert message in lines[0]


def test_a_run_directory_that_is_not_there_is_not_made(tmp_path, capsys):
    assert audit.main([str(tmp_path / "none")]) == 2
    assert "expected a run directory of train.py, got none" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom arn_keras.audit import __main__ as audit\n"
        "try: audit.main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'numpy'} & set(sys.modules)))"
    )
    root = pathlib.Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--quick" in done.stdout


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"protections": "arn"}, "expected protections as a list of names, got 'arn'"),
        ({"protections": ["keyd"]}, "expected one of none, arn, .* got 'keyd'"),
        ({"knowledge": "grey"}, "expected knowledge white or black, got 'grey'"),
        ({"seeds": 0}, "expected seeds >= 1, got 0"),
        ({"seeds": -1}, "expected seeds >= 1, got -1"),
        ({"seeds": 1.5}, "expected seeds >= 1, got 1.5"),
    ],
)
def test_what_cannot_be_audited_is_not_left_out_in_silence(asked, message):
    with pytest.raises(ConfigError, match=message):
        conduct("no run", **asked)


@pytest.mark.parametrize("name", ["none", "arn", "keyed", "arn+keyed"])
def test_the_audit_offers_every_protection_there_is(name):
    assert audit.parse(["run", "--protection", name]).protection == [name]
