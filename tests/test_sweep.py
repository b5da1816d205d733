"""The sweep command, its workers and both engines, on a grid of five small points."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from small_sweeps import (  # noqa: F401
    GRID,
    ROOT,
    ROWS,
    SMALL,
    HereEngine,
    await_rows,
    finished,
    here,
    measured,
    shared_only,
    start,
    undrawn,
)

from arn_keras.data import images
from arn_keras.figures import __main__ as figures
from arn_keras.machine.files import read_json
from arn_keras.measure.sweep_rows import read_rows
from arn_keras.sweep import __main__ as sweep
from arn_keras.sweep.grid import Point
from arn_keras.sweep.options import parse, settings
from arn_keras.sweep.points import run_point
from arn_keras.training.secure_link import SecureLink

# A cluster of two nodes on this machine, one of which is killed.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
head = {"num_cpus": 1, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head)
node = cluster.add_node(num_cpus=1)
[raylet] = node.all_processes["raylet"]
print(cluster.address, raylet.process.pid, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def test_every_point_is_one_row_and_says_what_it_is(finished):
    found = measured(finished)
    assert len(found) == ROWS
    assert {row["case"] for row in found} == {"original", "paired"}
    fields = "case knowledge protection snr_db psr_db measured_psr_db mse psnr_db eve eve_accuracy "
    fields += "eve_confidence leakage_nats bob_accuracy seed sources"
    for row in found:
        assert set(fields.split()) < set(row)
        assert row["sources"] == 360
        if row["case"] == "paired":
            assert row["training_snr_db"] == [row["snr_db"], row["snr_db"]]
            assert row["measured_psr_db"] is not None
    config = read_json(finished / "config.json")["config"]
    assert config["limit"] == 100
    assert config["link_snr_db"] == [10.0, 10.0]


def test_one_base_serves_all_points_and_every_pair_is_kept(finished):
    base = finished / "digits" / "seed-0"
    stages = {folder.name for folder in base.iterdir()}
    assert stages == {"link", "eve", "substitute", "arn"}
    assert len(list((base / "arn").iterdir())) == 4
    assert len(list(base.rglob("transmitter.keras"))) == 5
    assert not list(finished.rglob(".partial*"))


def test_the_same_command_again_does_nothing_and_the_figures_are_drawn(finished, undrawn, capsys):
    before = [(finished / f"rows.{ending}").read_bytes() for ending in ("jsonl", "sqlite")]
    assert sweep.main([*GRID, "--out", str(finished)]) == 0
    assert "done" not in capsys.readouterr().out
    assert [(finished / f"rows.{ending}").read_bytes() for ending in ("jsonl", "sqlite")] == before
    assert not (finished / "figures").exists()
    assert figures.main([str(finished)]) == 0
    names = {file.name for file in (finished / "figures").iterdir()}
    assert names == {
        f"{name}.{ending}"
        for ending in ("png", "pdf")
        for name in (
            "figure-3,digits,frozen,psr=-10",
            "figure-3,digits,frozen,psr=-5",
            "figure-4,digits,frozen,snr=0",
            "figure-4,digits,frozen,snr=10",
        )
    }


def test_a_killed_sweep_goes_on_with_no_row_lost_or_doubled(
    finished, shared_only, here, undrawn, capfd
):
    process = start(*GRID, "--jobs", "2", "--out", str(shared_only))
    await_rows(shared_only, 3, process)
    process.kill()
    process.communicate()
    kept = list(read_rows(shared_only).items())
    assert 3 <= len(kept) < ROWS
    assert sweep.main([*GRID, "--out", str(shared_only)]) == 0
    assert capfd.readouterr().err == ""
    assert list(read_rows(shared_only).items())[: len(kept)] == kept
    assert measured(shared_only) == measured(finished)
    lines = (shared_only / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == list(read_rows(shared_only).values())


def test_on_ray_a_node_is_killed_and_every_row_is_there_once_as_on_this_machine(
    finished, shared_only
):
    few = [*GRID[:-1], "--out", str(shared_only)]  # a budget less
    expected = [row for row in measured(finished) if row["psr_db"] != -5]
    cluster = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address, raylet = cluster.stdout.readline().split()
        process = start(*few, "--ray", address)
        await_rows(shared_only, 2, process)
        raylet = psutil.Process(int(raylet))
        at_work = [p for p in raylet.children() if "ray::" in " ".join(p.cmdline())]
        assert at_work  # the node that is to die has its share of the work
        os.kill(raylet.pid, signal.SIGKILL)
        assert len(read_rows(shared_only)) < len(expected)
        _, err = process.communicate(timeout=400)
        assert process.returncode == 0, err
    finally:
        cluster.communicate()
    assert measured(shared_only) == expected


def test_other_points_join_a_directory_and_another_configuration_is_refused(
    finished, shared_only, capsys, here
):
    assert sweep.main([*SMALL, "--case", "original", "--out", str(shared_only), "--quiet"]) == 0
    assert len(measured(shared_only)) == 1
    content = (shared_only / "rows.jsonl").read_bytes()
    assert sweep.main([*SMALL, "--epochs", "3", "--out", str(shared_only)]) == 2
    error = capsys.readouterr().err
    assert "epochs (2 there, 3 asked); choose another --out" in error
    assert error.count("\n") == 1
    row = json.loads(content)
    (shared_only / "rows.sqlite").unlink()
    (shared_only / "rows.jsonl").write_text(json.dumps({**row, "configuration": "other"}) + "\n")
    assert sweep.main([*SMALL, "--out", str(shared_only)]) == 2
    assert "row 1 was made with another configuration" in capsys.readouterr().err


def test_a_directory_of_before_there_were_journals_goes_on_and_measures_nothing_again(
    finished, shared_only, undrawn, capsys
):
    lines = (finished / "rows.jsonl").read_bytes().splitlines(keepends=True)
    (shared_only / "rows.jsonl").write_bytes(b"".join(lines) + lines[0][:30])
    assert sweep.main([*GRID, "--out", str(shared_only)]) == 0
    out = capsys.readouterr().out
    assert (
        f"rows.jsonl: {ROWS} rows are taken over into rows.sqlite, without its torn last line"
    ) in out
    assert "done" not in out
    assert measured(shared_only) == measured(finished)


def test_a_failed_point_is_named_and_made_by_the_next_command_as_by_a_worker_that_is_warm(
    finished, shared_only, capsys, here, undrawn, monkeypatch
):
    class Engine(HereEngine):
        def run(self, function, tasks):
            for index, result in super().run(function, tasks):
                plain = isinstance(result, tuple) and result[0] is None
                yield index, ArithmeticError("expected finite") if plain else result

    one = [*SMALL, "--snr-db", "10", "--psr-db", "-5", "--knowledge", "black"]
    one += ["--out", str(shared_only)]
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "_engine", lambda options, folder: Engine())
        assert sweep.main(one) == 2
    found = capsys.readouterr()
    assert "failed   no modules: expected finite" in found.out
    assert found.err == (
        "arn_keras.sweep: error: 1 of 2 points failed; the first: no modules: expected finite\n"
    )
    assert [row["case"] for row in measured(shared_only)] == ["paired"]
    assert (shared_only / "rows.jsonl").read_text().count("\n") == 1
    assert sweep.main([*one, "--quiet"]) == 0
    alone, everything = measured(shared_only), measured(finished)
    assert sorted(row["case"] for row in alone) == ["original", "paired"]
    assert all(row in everything for row in alone)
    assert len({row["mse"] for row in everything}) == ROWS  # so equality says something


def test_the_plan_is_shown_with_its_cost_and_nothing_is_written(tmp_path, capsys):
    path = tmp_path / "out"
    assert sweep.main([*GRID, "--jobs", "2", "--dry-run", "--out", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("3 shared stages and 4 pairs to train, 6 rows to measure (0 are")
    assert "min on 2 workers" in lines[-1]
    assert len(lines) == 3 + 4 + 1
    assert not path.exists()


def test_a_worker_traces_its_step_once_for_all_points_of_a_kind(finished, here, monkeypatch):
    step, traced, counts = SecureLink.train_step, [], []
    monkeypatch.setattr(
        SecureLink, "train_step", lambda self, batch: traced.append(1) or step(self, batch)
    )
    dataset = images.load("digits", limit=100)
    options = parse(GRID)
    config = settings(options, "digits", 0, 0.0).resolve("digits", 100)
    base = finished / "digits" / "seed-0"
    names = {"link": ("transmitter", "receiver"), "eve": ("classifier",)}
    files = {
        stage: {name: (base / stage / f"{name}.keras").read_bytes() for name in found}
        for stage, found in names.items()
    }
    engine = HereEngine()
    handles = engine.share(dataset), engine.share(files)
    for point in [
        Point("digits", 0, "white", None, snr, psr)
        for snr, psr in (((0.0, 0.0), -10.0), ((-5.0, 25.0), -3.0), ((7.0, 7.0), -20.0))
    ]:
        run_point(*handles, config, point, [], None)
        counts.append(len(traced))
    assert counts == [1] * 3  # and once only: what a step makes is there before it


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--snr-db"], "argument --snr-db: expected at least one argument"),
        (["--seed"], "argument --seed: expected at least one argument"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["--snr-db", "nan"], "--snr-db: expected a finite number of dB, got nan"),
        (["--snr-db", "1e300"], "--snr-db: expected a number of dB between -300 and 300, got"),
        (["--psr-db", "loud"], "argument --psr-db: invalid float value: 'loud'"),
        (["--psr-db=-inf"], "--psr-db: expected a finite number of dB"),
        (
            ["--training-snr-db", "often"],
            "expected matched, range, aware or a number of dB, got 'often'",
        ),
        (["--training-snr-db", "inf"], "--training-snr-db: expected a finite number of dB"),
        (["--knowledge", "grey"], "argument --knowledge: invalid choice: 'grey'"),
        (["--case", "none"], "argument --case: invalid choice: 'none'"),
        (["--eve", "nobody"], "--eve: expected one of frozen, frozen_wide, frozen_conv, eve"),
        (["--figure", "2"], "argument --figure: invalid choice: 2"),
        (["--figure", "3", "--snr-db", "0"], "--figure: expected no --snr-db beside it"),
        (["--link-snr-db", "0", "1", "2"], "--link-snr-db: expected one or two values, got 3"),
        (["--link-snr-db", "20", "0"], "--link-snr-db: expected LO <= HI, got 20 0"),
        (["--seed", "0", "-1"], "--seed: expected at least 0, got -1"),
        (["--jobs", "0"], "--jobs: expected at least 1, got 0"),
        (["--gpus", "-1"], "--gpus: expected at least 0, got -1"),
        (["--epochs", "0"], "--epochs: expected at least 1, got 0"),
        (["--dataset", "no_such_set"], "no_such_set"),
        (["--ray", "nowhere"], "--ray: expected HOST:PORT or auto, got 'nowhere'"),
    ],
)
def test_bad_input_gets_one_clear_line_and_status_2(options, message, tmp_path, capsys):
    dataset = [] if "--dataset" in options else ["--dataset", "digits"]
    try:
        status = sweep.main([*options, *dataset, "--out", str(tmp_path / "out")])
    except SystemExit as stop:
        status = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("arn_keras.sweep: error: ")
    assert message in lines[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scenario", "deepjscc", "--compression", "1/7"], "k/n that is a multiple of 1/16"),
        (["--block-depth", "1000"], "--block dense: expected a dense block of at most 100 layers"),
        (["--block", "transformer", "--block-width", "129"], "--block transformer: expected"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_what_does_not_fit_is_refused_before_there_is_a_directory(
    options, message, more, tmp_path, capsys
):
    out = ["--dataset", "digits", "--out", str(tmp_path / "out")]
    assert sweep.main([*options, *more, *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom arn_keras.figures import __main__ as figures\n"
        "from arn_keras.sweep import __main__ as sweep\n"
        "for main in (sweep.main, figures.main):\n"
        "    try: main(['--help'])\n    except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'ray', 'joblib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_figures_of_a_directory_without_rows_are_refused(tmp_path, capsys):
    assert figures.main([str(tmp_path)]) == 2
    assert figures.main([str(tmp_path / "none")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "expected examples, or rows along an axis, found none" in lines[0]
    assert "expected the directory of a run or of a sweep" in lines[1]
