import pytest
from run_dirs import untrained_run
from wiretaps import TINY

from arn_keras.audit import frontier, picture, trade
from arn_keras.machine.files import read_json

OPTIONS = ["--quick", "--epochs", "1", "--psr-db", "-60", "3", "--privacy-weight", "1"]


def _row(rung, protection, seed, **fields):
    return {"rung": rung, "protection": protection, "seed": seed, **fields}


def test_a_frontier_leaves_every_point_and_a_figure_and_repeats_no_finished_point(
    tmp_path, capsys, monkeypatch
):
    run_dir = untrained_run(tmp_path / "run")
    monkeypatch.setitem(trade.EFFORTS, "quick", TINY)
    monkeypatch.setattr(trade, "RUNGS", {"Bob": None, **dict.fromkeys(("E0", "E3"), trade.frozen)})
    monkeypatch.setattr(frontier, "SHOWN", ("E0", "E3"))
    assert frontier.main([str(run_dir), *OPTIONS]) == 0
    table = capsys.readouterr().out
    found = read_json(run_dir / "audit" / "frontier.json")
    points = found["points"]
    assert [(p["protection"], p["psr_db"], p["privacy_weight"]) for p in points] == [
        ("none", None, None),
        ("keyed", None, None),
        ("arn", -60.0, None),
        ("arn", 3.0, None),
        ("min-max", -60.0, 1.0),
        ("min-max", 3.0, 1.0),
    ]
    none, keyed = points[:2]
    assert none["mse_over_original"] == 1.0
    assert none["measured_psr_db"] is None
    assert keyed["mse_over_original"] == pytest.approx(1.0, abs=0.05)
    assert keyed["sent_power"] == pytest.approx(none["sent_power"], rel=1e-4)
    assert len({p["mse"] for p in points}) == 6  # each was trained for its own
    assert "min-max w3=1" in table
    for ending in ("png", "pdf"):
        assert (run_dir / "audit" / f"frontier.{ending}").stat().st_size > 10_000

    def refuse(*_):
        raise AssertionError("a finished point was trained again")

    monkeypatch.setattr(trade.Trade, "rows", refuse)
    monkeypatch.setattr(picture, "frontier_picture", lambda path, *_: path.touch())  # seen above
    assert frontier.main([str(run_dir), *OPTIONS]) == 0
    assert read_json(run_dir / "audit" / "frontier.json")["points"] == points


def test_modules_that_a_run_has_trained_are_a_point_beside_the_keyed_pair():
    found = trade.points([-10.0], [1.0], "purge")
    assert [each.protection for each in found] == ["none", "keyed", "purge", "arn", "min-max"]
    assert found[2] == trade.Point("purge")
    assert "purge" not in {each.protection for each in trade.points([-10.0], [1.0], "arn+keyed")}


def test_a_point_is_the_mean_of_its_seeds_for_bob_and_the_worst_of_them_for_alice():
    fields = {"psr_db": None, "privacy_weight": None}
    bob = {"sent_power": 1.0, "measured_psr_db": None, **fields}
    eve = {"eve": "fresh", **fields}
    rows = []
    for seed, original in ((0, 1.0), (1, 2.0)):
        for protection, mse in (("none", original), ("keyed", 3.0)):
            rows.append(_row("Bob", protection, seed, mse=mse, **bob))
            for rung in ("E0", "E3", "E4", "E5"):
                hits = 0.9 if (rung, seed, protection) == ("E4", 1, "keyed") else 0.1
                rows.append(_row(rung, protection, seed, eve_accuracy=hits, leakage_nats=0, **eve))
    none, keyed = trade.summary(rows, "mse")
    assert (none["mse"], none["mse_over_original"], none["worst"]) == (1.5, 1.0, 0.1)
    assert keyed["mse"] == 3.0
    assert keyed["mse_over_original"] == pytest.approx((3 / 1 + 3 / 2) / 2)
    assert (keyed["worst"], keyed["by"], keyed["E3"]) == (0.9, "E4 fresh", 0.1)
    assert keyed["seeds"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "0"], "--seeds: expected at least 1, got 0"),
        (["--epochs", "0"], "--epochs: expected at least 1, got 0"),
        (["--psr-db", "nan"], "--psr-db: expected a finite number of dB, got nan"),
        (["--privacy-weight", "-1"], "--privacy-weight: expected a finite number >= 0, got -1.0"),
        ([], "expected a run directory of train.py, got none"),
    ],
)
def test_bad_input_gets_one_clear_line_and_status_2(tmp_path, capsys, options, message):
    try:
        status = frontier.main([str(tmp_path / "none"), *options])
    except SystemExit as stop:
        status = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("python -m arn_keras.audit.frontier: error: ")
    assert message in lines[0]
