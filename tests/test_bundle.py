"""A bundle is made whole or not at all, of the pair that was asked for, where it may be."""

import json
import pathlib
import shutil
import subprocess
import sys
import zipfile

import bundles
import pytest
from bundles import conversion, tiny_pair, write_config

from arn_keras.errors import ArnError, ExportError
from arn_keras.export import bundle, manifest, proof, readme, runtime
from arn_keras.export.__main__ import main
from arn_keras.rooms import answer
from arn_keras.task import TASKS

ROOT = pathlib.Path(__file__).parents[1]


def test_help_comes_before_anything_heavy():
    code = (
        "import sys; from arn_keras.export.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'tensorflow', 'keras', 'tensorflow_datasets', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A run directory of an untrained pair, and what its conversion would write."""
    run = tmp_path_factory.mktemp("untrained") / "run"
    write_config(run, knowledge="black")
    for name, module in zip(("transmitter", "receiver"), tiny_pair(0), strict=True):
        (run / "arn" / "black").mkdir(parents=True, exist_ok=True)
        module.save(run / "arn" / "black" / f"{name}.keras")
    made = run.parent / "made"
    (made / "bundle").mkdir(parents=True)
    (made / "handover").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "SOURCES", 40)  # what is measured on them is nobody's question here
        conversion(made / "bundle", made / "handover", precisions=("float32", "int8"))
    return run, made


@pytest.fixture
def run(untrained, monkeypatch):
    """That run, with the processes of conversion and proof taken into this one."""
    run, made = untrained
    real = bundle._python

    def python(*arguments, scratch):
        if "arn_keras.export.conversion" in arguments:
            job = json.loads(arguments[-1])
            shutil.copytree(made / "bundle", job["bundle"], dirs_exist_ok=True)
            shutil.copytree(made / "handover", job["handover"], dirs_exist_ok=True)
            _without_others(pathlib.Path(job["bundle"]), job)
        elif "arn_keras.export.proof" in arguments:
            _, _, path, handover = arguments
            facts = json.loads((handover / "facts.json").read_text())
            how = answer(TASKS, facts["task"]), facts["pauses"]
            measured = proof.measure(runtime, path, handover, *how)
            (handover / "proof.json").write_text(json.dumps(measured))
        else:
            real(*arguments, scratch=scratch)

    monkeypatch.setattr(bundle, "_python", python)
    monkeypatch.setattr(manifest, "check_parity", lambda *given: None)
    return run


def _without_others(made, job):
    """What was made of precisions that the job has not, taken out."""
    facts = pathlib.Path(job["handover"]) / "facts.json"
    found = json.loads(facts.read_text())
    for entries in found["modules"].values():
        for precision in set(entries) - set(job["pair"]["precisions"]):
            (made / entries.pop(precision)["file"]).unlink()
    facts.write_text(json.dumps(found))


def _refusal(capsys, *arguments):
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert (status, len(lines)) == (2, 1)
    return lines[0]


def test_the_default_is_the_pair_that_the_rows_are_of_and_another_is_not_taken_for_it(
    run, tmp_path, capsys
):
    whole = shutil.copytree(run, tmp_path / "run")
    write_config(whole, knowledge="both")  # its rows are of both, the first of the white box
    assert "of white box, found only black" in _refusal(capsys, whole)


def test_the_default_is_the_pair_that_was_trained(run, tmp_path, capsys):
    assert main([str(run), "--precision", "float32", "int8", "--out", str(tmp_path / "b")]) == 0
    assert "black box" in capsys.readouterr().out
    written = runtime.read_manifest(tmp_path / "b")
    assert written["knowledge"] == "black"
    assert written["pair"] == bundle.pair_identity(run, "arn/black", False)


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    for name in ("one", "two", "one"):  # the last replaces the first
        bundle.export(run, precisions=("float32", "int8"), out=tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_a_bundle_that_is_not_proven_leaves_nothing_behind(run, tmp_path, capsys, monkeypatch):
    def refuse(*given):
        raise ExportError("parity not met: by far")

    monkeypatch.setattr(manifest, "check_parity", refuse)
    line = _refusal(capsys, run, "--precision", "float32", "int8", "--out", tmp_path / "bundle")
    assert line == "export: error: parity not met: by far"
    assert list(tmp_path.iterdir()) == []


def test_a_precision_that_nobody_asked_for_and_that_is_not_met_is_left_out_and_it_says_why(
    run, tmp_path, capsys, monkeypatch
):
    def refuse(rows, measure):
        if any(row["transmitter"] == "int8" for row in rows):
            raise manifest.ParityError("parity not met: int8 by far", "int8")

    monkeypatch.setattr(manifest, "check_parity", refuse)
    monkeypatch.setattr(bundle, "default_precisions", lambda: ["float32", "int8"])
    out = tmp_path / "bundle"
    assert main([str(run), "--out", str(out)]) == 0
    reason = "int8 is left out: parity not met: int8 by far"
    assert reason in capsys.readouterr().out
    assert reason in (out / "README.md").read_text()
    written = runtime.read_manifest(out)
    assert written["precisions"] == ["float32"]
    assert written["left_out"] == {"int8": "parity not met: int8 by far"}
    assert sorted(file.name for file in out.glob("*.tflite")) == [
        "receiver_arn.float32.tflite",
        "transmitter_arn.float32.tflite",
    ]
    line = _refusal(capsys, run, "--precision", "float32", "int8", "--out", tmp_path / "other")
    assert line == "export: error: parity not met: int8 by far"
    monkeypatch.setattr(bundle, "default_precisions", lambda: ["int8", "float32"])
    assert "int8 by far" in _refusal(capsys, run, "--out", tmp_path / "other")


def test_an_export_that_fails_keeps_the_bundle_that_was_there(run, tmp_path, capsys, monkeypatch):
    out, said = tmp_path / "bundle", []
    bundle.export(run, precisions=("float32", "int8"), out=out, say=said.append)
    assert [line.split()[0] for line in said] == ["converting", "proving"]
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    monkeypatch.setattr(manifest, "finish", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bundle.export(run, precisions=("float32", "int8"), out=out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_a_killed_export_left_is_cleared_away(run, tmp_path):
    (tmp_path / ".partial.bundle").mkdir()
    (tmp_path / ".partial.bundle" / "half.tflite").write_text("half")
    out, _ = bundle.export(run, precisions=("float32", "int8"), out=tmp_path / "bundle")
    assert not (out / "half.tflite").exists()


def test_a_bundle_is_replaced_from_within_it_and_nothing_else_goes_with_it(
    run, tmp_path, capsys, monkeypatch
):
    out, how = tmp_path / "bundle", {"precisions": ("float32", "int8")}
    bundle.export(run, **how, out=out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    monkeypatch.chdir(out)
    bundle.export(run, **how, out=".")
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    monkeypatch.chdir(tmp_path)
    (out / "alice.key").write_text("secret")
    for force in ([], ["--force"]):
        line = _refusal(capsys, run, "--out", "bundle", *force)
        assert "cannot be replaced: alice.key: expected only files that the manifest lists" in line
    (out / "alice.key").unlink()
    inside = shutil.copytree(run, out / "micro" / "run")
    line = _refusal(capsys, inside, "--out", "bundle")
    assert f"expected a place that does not hold {inside} too" in line
    assert (inside / "config.json").exists()


def test_another_pair_a_damaged_bundle_and_a_foreign_directory_are_not_overwritten(
    run, tmp_path, capsys
):
    out, precisions = tmp_path / "bundle", ("--precision", "float32", "int8")
    other = tmp_path / "other"
    shutil.copytree(run, other)
    tiny_pair(7)[0].save(other / "arn" / "black" / "transmitter.keras")
    bundle.export(other, precisions=("float32", "int8"), out=out)
    line = _refusal(capsys, run, "--out", out, *precisions)
    assert "holds the bundle of another pair (black box, " in line
    assert main([str(run), "--out", str(out), "--force", *precisions]) == 0
    assert runtime.read_manifest(out)["pair"] == bundle.pair_identity(run, "arn/black", False)
    (out / "manifest.json").write_text("{")
    capsys.readouterr()
    assert "a bundle that cannot be read" in _refusal(capsys, run, "--out", out, *precisions)
    foreign = tmp_path / "photographs"
    foreign.mkdir()
    (foreign / "cat.jpg").write_text("cat")
    for force in ([], ["--force"]):
        line = _refusal(capsys, run, "--out", foreign, *precisions, *force)
        assert "expected a new or empty directory or a bundle; it is neither" in line
    assert (foreign / "cat.jpg").read_text() == "cat"


def test_a_signed_bundle_is_one_that_its_key_signed(run, tmp_path, capsys):
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    def private(name, key):
        (tmp_path / name).write_bytes(
            key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
        )

    key = ed25519.Ed25519PrivateKey.generate()
    private("key", key)
    private("elliptic", ec.generate_private_key(ec.SECP256R1()))
    (tmp_path / "public").write_bytes(
        key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    )
    out = tmp_path / "bundle"
    arguments = (run, "--precision", "float32", "int8", "--out", out, "--sign")
    for name, reason in (
        ("elliptic", "expected an unencrypted Ed25519 private key in PEM"),
        ("public", "expected an unencrypted Ed25519 private key in PEM"),
        ("absent", "expected a readable key file"),
    ):
        assert reason in _refusal(capsys, *arguments, tmp_path / name)
        assert not out.exists()
    assert main([*map(str, arguments), str(tmp_path / "key")]) == 0
    runtime.Pair.load(out, public_key=tmp_path / "public").close()


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda run: shutil.rmtree(run), [], "expected a run directory of train.py, got none"),
        (lambda run: (run / "config.json").write_text("{"), [], "expected a whole JSON file"),
        (lambda run: (run / "config.json").write_text("{}"), [], "expected a run's configuration"),
        (lambda run: None, ["--knowledge", "white"], "pair of white box, found only black"),
        (
            lambda run: shutil.rmtree(run / "arn"),
            [],
            "expected a trained pair of black box, found none",
        ),
        (
            lambda run: (run / "arn" / "black" / "receiver.keras").write_bytes(b"PK"),
            [],
            "receiver.keras: expected a whole Keras model",
        ),
        (lambda run: None, ["--precision", "int4"], "invalid choice: 'int4'"),
        (lambda run: None, ["--knowledge", "grey"], "invalid choice: 'grey'"),
        (lambda run: None, ["--out", "/proc/no/bundle"], "expected a place to write to"),
    ],
)
def test_bad_input_gets_one_clear_line(untrained, tmp_path, capsys, damage, options, message):
    run = shutil.copytree(untrained[0], tmp_path / "run")
    damage(run)
    assert message in _refusal(capsys, run, *options)
    assert not (run / "bundle").exists()


def test_what_the_conversion_s_process_refuses_is_said_in_its_words(untrained, tmp_path, capsys):
    run = shutil.copytree(untrained[0], tmp_path / "run")
    write_config(run, dataset="no_such_set", knowledge="black")
    line = _refusal(capsys, run)
    assert line.startswith("export: error: no_such_set")
    assert "run" in [path.name for path in tmp_path.iterdir()]
    assert not [path for path in run.iterdir() if "bundle" in path.name]


def test_the_identity_is_that_of_the_weights(untrained, tmp_path):
    run = untrained[0]
    again = shutil.copytree(run, tmp_path / "again")
    for name, module in zip(("transmitter", "receiver"), tiny_pair(0), strict=True):
        module.save(again / "arn" / "black" / f"{name}.keras")
    file = again / "arn" / "black" / "receiver.keras"
    assert file.read_bytes() != (run / "arn" / "black" / "receiver.keras").read_bytes()
    assert bundle.pair_identity(again, "arn/black", False) == bundle.pair_identity(
        run, "arn/black", False
    )
    tiny_pair(3)[1].save(file)
    assert bundle.pair_identity(again, "arn/black", False) != bundle.pair_identity(
        run, "arn/black", False
    )
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ArnError, match="expected a whole Keras model"):
        bundle.pair_identity(again, "arn/black", False)


def test_a_bundle_says_how_its_modules_were_trained():
    of = {"dataset": "writers", "snr_db": [10.0, 10.0], "channel": "awgn", "knowledge": None}
    said = {
        name: readme._training({**of, "protection": name, "psr_db": None})
        for name in ("purge", "keyed")
    }
    link = "writers at an SNR of 10 dB"
    assert said["purge"] == f"Trained on\n{link}, against no eavesdropper."
    assert said["keyed"] == f"Nothing of them\nwas trained; measured on a link for {link}."
    pair = readme._training({**of, "protection": "arn", "knowledge": "white", "psr_db": -10.0})
    assert pair.startswith(f"Trained on\n{link} (white box), with a perturbation budget of -10 dB")


def test_a_card_is_in_the_bundles_readme_which_its_own_test_accepts(run, tmp_path):
    out = tmp_path / "bundle"
    asked = ["--precision", "float32", "int8", "--out", str(out)]
    assert main([str(run), *asked, "--card"]) == 0
    text = (out / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: keras\n")
    assert "No Eve who adapts was measured" in text
    runtime.check_listed(out, runtime.read_manifest(out))
