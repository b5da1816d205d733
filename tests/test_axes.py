"""Axes that a sweep got later: where Eve stands, pairs that are told the SNR. Old rows stay."""

import json
import shutil

import keras
import pytest
from small_sweeps import SMALL, draw_nothing, here, run_here, undrawn, unpainted  # noqa: F401

from arn_keras.errors import ConfigError, RunDirError
from arn_keras.measure.sweep_rows import KEY, key, read_rows
from arn_keras.sweep import options
from arn_keras.sweep.__main__ import main
from arn_keras.sweep.folders import Folders, home
from arn_keras.sweep.grid import Grid, Point, remaining, row_key

WHITE = [*SMALL, "--knowledge", "white", "--quiet", "--out"]
OVER = ["--snr-db", "0", "10", "--training-snr-db", "range"]  # one pair a place of Eve's


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A finished sweep over two SNRs."""
    path = tmp_path_factory.mktemp("begun") / "out"
    with pytest.MonkeyPatch.context() as patch:
        run_here(patch)
        draw_nothing(patch)
        assert main([*WHITE, str(path), *OVER]) == 0
    return path


@pytest.fixture
def out(begun, tmp_path):
    """A copy of it."""
    return shutil.copytree(begun, tmp_path / "out")


def test_a_sweep_goes_on_with_eve_elsewhere_and_keeps_what_it_has(here, out, unpainted):
    before = read_rows(out)
    assert {len(each) for each in before} == {len(KEY)}
    assert main([*WHITE, str(out), *OVER, "--eve-snr-offset-db", "-20", "0", "20"]) == 0
    after = read_rows(out)
    assert {name: after[name] for name in before} == before
    assert len(after) == 3 * len(before)
    at = {(row["case"], row["snr_db"], row["eve_snr_offset_db"]): row for row in after.values()}
    near, same, far = (at["original", 0.0, offset] for offset in (20.0, 0.0, -20.0))
    assert near["mse"] == same["mse"] == far["mse"]
    assert near["link_sha256"] == same["link_sha256"] == far["link_sha256"]
    assert far["eve_accuracy"] < 0.3 < near["eve_accuracy"]
    for part in ("eve", "pair"):
        sums = {at["paired", 0.0, offset][f"{part}_sha256"] for offset in (20.0, 0.0, -20.0)}
        assert len(sums) == 3
    folder = out / "digits" / "seed-0"
    assert sorted(each.name for each in folder.iterdir() if each.name[0] != ".") == [
        *("arn", "eve", "eve=-20", "eve=20", "link")
    ]
    assert not (folder / "eve=-20" / "link").exists()
    drawn = {each.name for each in (out / "figures").glob("*.png")}
    assert "figure-3,digits,frozen-at-+20-dB,psr=-10.png" in drawn
    assert "figure-3,digits,frozen,psr=-10.png" in drawn


def test_a_sweep_of_before_with_eve_elsewhere_goes_on(here, tmp_path, undrawn, monkeypatch):
    out, words = tmp_path / "out", ["--case", "original", "--eve-snr-offset-db", "-3"]
    with monkeypatch.context() as of_before:  # her place was the directory's then
        of_before.setattr(options, "home", lambda path, new: -3.0)
        assert main([*WHITE, str(out), *words]) == 0
    before = read_rows(out)
    assert {len(each) for each in before} == {len(KEY)}
    assert home(out) == -3.0
    monkeypatch.setattr("arn_keras.sweep.points.run_point", None)  # nothing is left to do
    assert main([*WHITE, str(out), *words]) == 0
    assert read_rows(out) == before


def test_a_sweep_trains_a_pair_that_is_told_the_snr_beside_one_that_is_not(here, out, undrawn):
    words = ["--snr-db", "0", "10", "--training-snr-db", "range", "aware", "--case"]
    assert main([*WHITE, str(out), *words, "paired", "random_noise"]) == 0
    found = [row for row in read_rows(out).values() if row["training_snr_db"] == [0.0, 10.0]]
    rows, noise = (
        {
            (row["snr_aware"], row["snr_db"]): row["measured_psr_db"]
            for row in found
            if row["case"] == case
        }
        for case in ("paired", "random_noise")
    )
    assert list(rows) == [(False, 0.0), (False, 10.0), (True, 0.0), (True, 10.0)]
    assert rows[False, 0.0] == rows[False, 10.0]
    assert rows[True, 0.0] != rows[True, 10.0]  # who is told the SNR may send less where it helps
    assert noise == pytest.approx(rows, abs=1e-4)  # "of the same power", at the row's own SNR
    pairs = out / "digits" / "seed-0" / "arn"
    for name, inputs in (("", ["signal"]), (",aware", ["signal", "snr_db"])):
        module = keras.saving.load_model(
            pairs / f"white,snr=0..10,psr=-10{name}" / "transmitter.keras"
        )
        assert [each.name for each in module.inputs] == inputs


def test_where_eve_stands_is_in_a_key_where_it_is_not_the_directorys_own():
    row = {**dict.fromkeys(KEY), "eve_snr_offset_db": -3.0}
    assert key(row, home=-3.0) == (None,) * len(KEY)
    assert len({key(row), key(row, home=-3.0), key({**row, "eve_snr_offset_db": 5.0})}) == 3
    assert key({"scenario": "text"}, ("scenario",)) == ("text",)
    plan = Grid(eve_snr_offsets_db=(0, -3, 0), knowledges=("white",)).plan()
    assert [point.eve_snr_offset_db for point in plan] == [0.0, 0.0, -3.0, -3.0]
    keys = {row_key(point, *each, -3.0) for point, measured in plan.items() for each in measured}
    assert len(keys) == sum(map(len, plan.values()))
    assert remaining(plan, keys, -3.0) == {}
    assert remaining(plan, keys, 0.0) != {}


def test_folders_are_those_of_before_where_eve_is_where_she_was(tmp_path):
    folders, point = Folders(tmp_path, None, home=-3.0), ("digits", 0)
    assert folders.stage(*point, -3.0, "eve") == "digits/seed-0/eve"
    assert folders.stage(*point, 0.0, "eve") == "digits/seed-0/eve=0/eve"
    assert folders.stage(*point, 0.0, "link") == "digits/seed-0/link"
    pair = Point("digits", 0, "white", None, (10.0, 10.0), -10.0, eve_snr_offset_db=2.5)
    assert folders.pair(pair) == "digits/seed-0/eve=2.5/arn/white,snr=10,psr=-10"


def test_an_offset_that_is_none_and_a_damaged_directory_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="--eve-snr-offset-db: expected a finite number of dB"):
        Grid(eve_snr_offsets_db=(float("nan"),))
    assert home(tmp_path, new=4.0) == 4.0
    for content in ("[]", '{"config": []}', '{"config": {"eve_snr_offset_db": "far"}}'):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(RunDirError, match="expected a sweep's configuration"):
            home(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"config": {"sweep": True}}))
    assert home(tmp_path, new=4.0) == 4.0
