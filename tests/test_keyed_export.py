"""A run with keyed modules becomes a bundle, or is refused in one line."""

import json
import os

import numpy as np
import pytest
from bundles import converted_here  # noqa: F401

from arn_keras.export import bundle, manifest, runtime
from arn_keras.export.__main__ import main


def _facts(**measured):
    row = {"sent_power": 1.0, "eve_accuracy": 0.1, **measured}
    return {"parity": [row], "chance": 0.11, "sources": 10_000}


def test_a_rotation_that_costs_power_or_tells_eve_is_refused():
    manifest.check_keyed(_facts())
    for power in (0.9985, 1.0015, float("nan")):
        with pytest.raises(manifest.ExportError, match=r"a sent power of 1 within 0\.1 %"):
            manifest.check_keyed(_facts(sent_power=power))
    manifest.check_keyed(_facts(eve_accuracy=0.1218))
    with pytest.raises(manifest.ExportError, match=r"at chance, at most 0\.1218, got 0\.1220"):
        manifest.check_keyed(_facts(eve_accuracy=0.122))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory of digits with untrained models and both kinds of modules."""
    from arn_keras.data import images
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.link.dense import build_receiver, build_transmitter
    from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
    from arn_keras.pair.rotation import build_receiver_keyed, build_transmitter_keyed

    path = tmp_path_factory.mktemp("runs") / "run"
    shape = images.load("digits").source_shape
    for file, model in {
        "link/transmitter": build_transmitter(shape),
        "link/receiver": build_receiver(shape),
        "eve/classifier": build_eavesdropper((32,), 10),
        "arn/white/transmitter": build_transmitter_arn((32,), (16,)),
        "arn/white/receiver": build_receiver_arn((32,), (16,)),
        "keyed/transmitter": build_transmitter_keyed((32,)),
        "keyed/receiver": build_receiver_keyed((32,)),
    }.items():
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        model.save(path / f"{file}.keras")
    return path


def _config(run, protection):
    config = {"dataset": "digits", "limit": 100, "snr_db": [10.0, 10.0], "psr_db": -10.0, "seed": 0}
    config["protection"] = protection
    (run / "config.json").write_text(json.dumps({"config": config}))


@pytest.mark.parametrize("protection", ["keyed", "arn+keyed"])
def test_a_keyed_run_is_exported_and_proven(run, converted_here, tmp_path, capsys, protection):
    _config(run, protection)
    out = tmp_path / "bundle"
    asked = [] if protection == "keyed" else ["--precision", "float32"]
    assert main([str(run), "--out", str(out), *asked]) == 0
    written = runtime.read_manifest(out)
    modules = ["keyed"] if protection == "keyed" else ["arn", "keyed"]
    assert {file.name for file in out.iterdir()} == {
        *(f"{role}_{each}.float32.tflite" for role in runtime.ROLES for each in modules),
        *("manifest.json", "README.md", "vectors.npz"),
        *("runtime.py", *(f"{name}.py" for name in runtime.CODE)),
    }
    assert (written["protection"], written["precisions"]) == (protection, ["float32"])
    assert written["knowledge"] == (None if protection == "keyed" else "white")
    (row,) = written["parity"]
    assert row["sent_power"] == pytest.approx(1, abs=1e-5)
    assert abs(row["mse_change"]) < 1e-4
    # The mean |Qy - y|^2 of 360 messages of 32 symbols.
    assert row["measured_psr_db"] == pytest.approx(10 * np.log10(2), abs=0.2)
    assert "keyed" in capsys.readouterr().out.splitlines()[-1]


def test_the_pair_s_identity_tells_protections_rotations_and_keyed_sizes_apart(run, tmp_path):
    from arn_keras.pair.haar import HAAR
    from arn_keras.pair.rotation import fast

    parts = (("arn/white", False), (None, True), ("arn/white", True))
    assert len({bundle.pair_identity(run, *each) for each in parts}) == 3
    for place, shape, rotation in (
        ("same", (4, 8), fast(5)),
        ("other", (32,), fast(3)),
        ("wide", (64,), fast(5)),
        ("haar", (32,), HAAR),
    ):
        (tmp_path / place / "keyed").mkdir(parents=True)
        builds = rotation.build_transmitter, rotation.build_receiver
        for role, build in zip(runtime.ROLES, builds, strict=True):
            build(shape).save(tmp_path / place / "keyed" / f"{role}.keras")
    of_run = bundle.pair_identity(run, None, True)
    assert bundle.pair_identity(tmp_path / "same", None, True) == of_run
    names = ("other", "wide", "haar")
    others = {bundle.pair_identity(tmp_path / each, None, True) for each in names}
    assert len(others | {of_run}) == 4


@pytest.mark.parametrize(
    ("protection", "options", "message"),
    [
        ("none", [], "expected a run with modules, got --protection none"),
        ("keyed", ["--precision", "float32", "int8"], "expected float32 for a keyed pair, got"),
        ("keyed", ["--knowledge", "white"], "expected no knowledge for a pair without ARNs"),
        ("arn+keyed", ["--precision", "int8-io"], "float32, float16, int8 beside keyed modules"),
    ],
)
def test_what_a_keyed_run_cannot_give_is_refused_in_one_line(
    run, tmp_path, capsys, protection, options, message
):
    _config(run, protection)
    out = tmp_path / "bundle"
    assert main([str(run), "--out", str(out), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not out.exists()
    assert os.listdir(tmp_path) == []
