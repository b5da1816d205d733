"""What a bundle says of itself is measured, on real data, and refused where it is not met."""

import os
import pathlib
import subprocess
import sys

import pytest
from trained_digits import trained_digits

from arn_keras.data import images
from arn_keras.errors import ExportError
from arn_keras.export import bundle, manifest, proof, runtime

ROOT = pathlib.Path(__file__).parents[1]
PRECISIONS = ("float32", "float16", "int8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run directory of real data, trained briefly."""
    run = tmp_path_factory.mktemp("runs") / "run"
    trained_digits(run)
    return run, images.load("digits")


@pytest.fixture(scope="module")
def exported(trained):
    """What `python -m export` said and wrote for that run."""
    run, _ = trained
    command = [sys.executable, "-m", "arn_keras.export", str(run), "--precision", *PRECISIONS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=500
    )
    assert (done.returncode, done.stderr) == (0, "")
    return run / "bundle", runtime.read_manifest(run / "bundle"), done.stdout


def test_a_bundle_holds_what_it_should_and_nothing_else(exported):
    path, written, _ = exported
    modules = {f"{role}_arn.{p}.tflite" for role in runtime.ROLES for p in PRECISIONS}
    others = {"manifest.json", "README.md", "runtime.py", "vectors.npz"}
    assert {file.name for file in path.iterdir()} == modules | others
    assert (path / "runtime.py").read_bytes() == (ROOT / "export" / "runtime.py").read_bytes()
    assert written["precisions"] == list(PRECISIONS)
    for role in runtime.ROLES:
        for precision in PRECISIONS:
            entry = written["modules"][role][precision]
            assert entry["bytes"] == (path / entry["file"]).stat().st_size
    assert [file.name for file in path.parent.iterdir() if file.name[0] == "."] == [".made"]


def test_a_page_can_be_made_of_it(exported):
    from arn_keras.export.web.__main__ import made

    _, found = made(exported[0].parent)
    assert {"dataset", "knowledge", "pair", "seed", "modules"} <= found.keys()


def test_parity_is_measured_on_the_real_test_set_and_met(exported, trained):
    _, written, _ = exported
    dataset = trained[1]
    assert written["sources"] == len(dataset.test)
    assert written["sources"] * written["transmissions"] >= 10_000
    assert len(written["parity"]) == len(PRECISIONS) ** 2
    limits = {"float32": (1e-4, 1e-4), "float16": (0.001, 0.001)}
    for row in written["parity"]:
        mse, eve = limits.get(row["transmitter"], (0.01, 0.005))
        mse = max(mse, limits.get(row["receiver"], (0.01, 0.005))[0])
        assert abs(row["mse_change"]) <= mse
        assert abs(row["eve_accuracy_change"]) <= eve
        if row["transmitter"] == row["receiver"] == "float32":
            assert 0 < row["sent_max_abs_difference"] < 1e-5
            assert 0 < row["cleaned_max_abs_difference"] < 1e-5
        if row["transmitter"] == "int8":
            assert row["sent_max_abs_difference"] > 1e-3


def test_the_figures_are_those_that_keras_gives(exported, trained):
    """The same case by the evaluation of training: other noise, hence not to the last digit."""
    from arn_keras.measure.evaluation import Evaluation
    from arn_keras.run.directory import load_models

    run, dataset = trained
    transmitter, receiver = load_models(run, "link", "transmitter", "receiver")
    (eve,) = load_models(run, "eve", "classifier")
    pair = load_models(run, "arn/white", "transmitter", "receiver")
    row = Evaluation(transmitter, receiver, eve, 5, dataset=dataset).row(dataset.test, 10.0, *pair)
    (float32,) = [
        row for row in exported[1]["parity"] if row["transmitter"] == row["receiver"] == "float32"
    ]
    assert float32["mse"] == pytest.approx(row["mse"], rel=0.02)
    assert float32["eve_accuracy"] == pytest.approx(row["eve_accuracy"], abs=0.04)
    assert float32["measured_psr_db"] == pytest.approx(row["measured_psr_db"], abs=1e-3)
    assert row["mse"] < 0.08  # it was trained


def test_the_table_and_the_readme_show_the_figures(exported):
    path, written, said = exported
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[: 2 + len(PRECISIONS)]] == [
        "precision",
        "Keras",
        *PRECISIONS,
    ]
    assert lines[-1] == f"bundle of pair {written['pair'][:12]}, white box: {path}"
    readme = (path / "README.md").read_text()
    for line in lines[: 2 + len(PRECISIONS)]:
        assert line in readme
    assert "another matter" in readme


def test_the_same_bundle_again_replaces_it_and_another_pair_s_does_not(exported, trained):
    path, written, _ = exported
    bundle.check_place(path, written["pair"], force=False)
    with pytest.raises(ExportError, match=r"holds the bundle of another pair \(white box, "):
        bundle.check_place(path, "0" * 64, force=False)
    bundle.check_place(path, "0" * 64, force=True)


def test_the_proof_loads_no_tensorflow():
    code = (
        "import sys, arn_keras.export.proof; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def _row(precision="int8", **measured):
    changes = ("mse_change", "eve_accuracy_change")
    differences = ("sent_max_abs_difference", "cleaned_max_abs_difference")
    ends = {"transmitter": precision, "receiver": precision}
    return {**ends, **dict.fromkeys((*changes, *differences), 0.0), **measured}


@pytest.mark.parametrize(
    ("precision", "field", "allowed"),
    [
        ("float32", "sent_max_abs_difference", 1e-5),
        ("float32", "cleaned_max_abs_difference", 1e-5),
        ("float16", "mse_change", 0.001),
        ("float16", "eve_accuracy_change", 0.001),
        ("int8", "mse_change", 0.01),
        ("int8", "eve_accuracy_change", 0.005),
        ("int8-io", "mse_change", 0.01),
    ],
)
def test_parity_is_refused_just_beyond_what_is_allowed(precision, field, allowed):
    for sign in (1, -1):
        manifest.check_parity([_row(precision, **{field: sign * 0.99 * allowed})], "mse")
        for value in (sign * 1.01 * allowed, float("nan")):
            with pytest.raises(
                manifest.ParityError, match=f"parity not met: {precision} .* {field}"
            ) as refused:
                manifest.check_parity([_row(precision, **{field: value})], "mse")
            assert refused.value.precision == precision


def test_a_rate_of_0_may_stay_0():
    assert [proof._change(*each) for each in ((3.0, 2.0), (0.0, 0.0), (1e-6, 0.0))] == [0.5, 0, 1]


def test_two_precisions_may_differ_as_much_as_the_coarser(capsys):
    mixed = _row("float32", receiver="int8", mse_change=0.009, cleaned_max_abs_difference=0.3)
    manifest.check_parity([mixed], "mse")
    for field, value, precision in (
        ("sent_max_abs_difference", 1e-3, "float32"),
        ("mse_change", 0.02, "int8"),
        ("eve_accuracy_change", 0.002, "float32"),
    ):
        with pytest.raises(manifest.ParityError, match="float32 at Alice, int8 at Bob") as refused:
            manifest.check_parity([{**mixed, field: value}], "mse")
        assert refused.value.precision == precision
