import pytest
from run_dirs import untrained_run
from wiretaps import TINY

from arn_keras.audit import picture, region, trade
from arn_keras.machine.files import read_json
from arn_keras.task.task import Measure


def test_a_region_has_every_offset_and_a_figure_and_repeats_nothing_that_is_finished(
    tmp_path, monkeypatch
):
    run_dir = untrained_run(tmp_path / "run")
    monkeypatch.setitem(trade.EFFORTS, "quick", TINY)
    monkeypatch.setattr(
        trade, "RUNGS", {"Bob": None, **dict.fromkeys(region.RUNGS[1:], trade.frozen)}
    )
    options = ["--quick", "--epochs", "1", "--eve-snr-offset-db", "-20", "10"]
    assert region.main([str(run_dir), *options]) == 0
    found = read_json(run_dir / "audit" / "region.json")
    assert [(each["protection"], each["eve_snr_offset_db"]) for each in found["points"]] == [
        (name, offset) for name in ("none", "arn", "min-max", "keyed") for offset in (-20, 10)
    ]
    for own in region.by_protection(found["points"]).values():
        assert own[0]["mse"] == own[1]["mse"]  # Bob does not hear how she does
        assert own[0]["E3"] != own[1]["E3"]
    assert found["needed_db"].keys() == {"none", "arn", "min-max", "keyed"}
    for ending in ("png", "pdf"):
        assert (run_dir / "audit" / f"region.{ending}").stat().st_size > 10_000

    def refuse(*_):
        raise AssertionError("a finished point was measured again")

    monkeypatch.setattr(trade.Trade, "protect", refuse)
    monkeypatch.setattr(picture, "region_picture", lambda path, *_: path.touch())  # seen above
    assert region.main([str(run_dir), *options, "--above-guessing", "95"]) == 0
    again = read_json(run_dir / "audit" / "region.json")
    assert again["points"] == found["points"]
    assert all("below_guessing_and_5_points" in each for each in found["needed_db"].values())
    allowed = {each["below_guessing_and_95_points"] for each in again["needed_db"].values()}
    assert allowed == {"any"}


def test_what_is_needed_is_where_the_retrained_eve_crosses_the_accuracy():
    points = [
        {"eve_snr_offset_db": offset, "E3": accuracy}
        for offset, accuracy in ((10.0, 0.9), (-20.0, 0.2), (0.0, 0.7), (-10.0, 0.3))
    ]
    assert region.crossing(points, 0.5) == pytest.approx(-5.0)
    assert region.crossing(points, 0.95) == "any"
    assert region.crossing(points, 0.1) is None


def test_what_is_printed_is_a_table_and_a_sentence_for_each_protection(tmp_path, capsys):
    point = {"protection": "arn", "eve_snr_offset_db": -5.0, "mse": 0.0123}
    found = {
        "points": [{**point, "E0": 0.25, "E3": 0.5, "E5": 1.0}],
        "needed_db": {
            name: {"below_half": level}
            for name, level in (("none", None), ("arn", -7.25), ("keyed", "any"))
        },
    }
    region._tell(found, Measure("mse", "MSE", ".4f", "lower"), tmp_path)
    told = capsys.readouterr().out.splitlines()[1:]
    assert told[0].split() == ["protection", "Eve", "dB", "MSE", "E0", "E3", "E5"]
    assert told[1].split() == ["arn", "-5", "0.0123", "25.0%", "50.0%", "100.0%"]
    assert told[2:5] == [
        "none: a retrained Eve is below 50 % at none of these",
        "arn: a retrained Eve is below 50 % up to -7.2 dB over Bob",
        "keyed: a retrained Eve is below 50 % at all of these",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--eve-snr-offset-db", "nan"],
            "--eve-snr-offset-db: expected a finite number of dB, got",
        ),
        (["--privacy-weight", "-1"], "--privacy-weight: expected a finite number >= 0"),
        (["--above-guessing", "nan"], "--above-guessing: expected a finite number >= 0"),
        (["--seeds", "0"], "--seeds: expected at least 1, got 0"),
        (["--epochs", "0"], "--epochs: expected at least 1, got 0"),
        ([], "expected a run directory of train.py, got none"),
    ],
)
def test_bad_input_gets_one_clear_line_and_status_2(options, message, tmp_path, capsys):
    try:
        status = region.main([str(tmp_path / "missing"), *options])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert message in capsys.readouterr().err
