"""A link of one's own, from files or from Python, through every command."""

import pathlib
import re
import shutil

import keras
import numpy as np
import own_link
import pytest

import arn_keras
from arn_keras.data import arrays
from arn_keras.data.dataset import Split
from arn_keras.files import read_json
from arn_keras.run import command
from arn_keras.sweep import __main__ as sweep

SHORT = ["--epochs", "4", "--eve-epochs", "2", "--batch-size", "32", "--quiet"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with the files of a trained link, and its models."""
    folder = tmp_path_factory.mktemp("own")
    transmitter, receiver, eves, splits = own_link.trained()
    transmitter.save(folder / "tx.keras")
    receiver.save(folder / "rx.keras")
    for number, eve in enumerate(eves):
        eve.save(folder / f"eve{number}.keras")
    for name, (source, label) in zip(("train", "test"), splits, strict=True):
        arrays.write(folder / f"{name}.npz", Split(source, label))
    return folder, transmitter, receiver, eves, splits


@pytest.fixture
def files(own, monkeypatch):
    """Options that name the files, in the folder that holds them."""
    monkeypatch.chdir(own[0])
    return [
        *("--scenario", "own", "--transmitter", "tx.keras", "--receiver", "rx.keras"),
        *("--data", "train.npz", "test.npz"),
    ]


def test_from_files_nothing_of_the_link_is_trained_and_every_given_eve_is_measured(own, files):
    folder, transmitter, *_ = own
    eves = ["--eve", "eve0.keras", "eve1.keras"]
    assert command.main([*files, *eves, *SHORT, "--run-dir", "run", "--knowledge", "white"]) == 0
    rows = read_json(folder / "run" / "results.json")
    assert [(row["eve"], row["case"]) for row in rows] == [
        (eve, case)
        for eve in ("frozen", "frozen_2")
        for case in ("original", "transmitter_only", "paired")
    ]
    kept = keras.saving.load_model(folder / "run" / "link" / "transmitter.keras")
    for before, after in zip(transmitter.weights, kept.weights, strict=True):
        np.testing.assert_array_equal(before, after)
    manifest = read_json(folder / "run" / "bundle" / "manifest.json")
    assert manifest["scenario"] == "own"
    assert manifest["modules"]["transmitter"]["float32"]["signal_shape"] == list(own_link.SHAPE)
    assert (folder / "run" / "figures" / "examples.png").exists()


def test_a_run_directory_of_one_s_own_link_is_whole_without_the_files(own, files, tmp_path):
    folder = own[0]
    for name in ("tx.keras", "rx.keras", "train.npz", "test.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert command.main([*files, *SHORT, "--run-dir", "run", "--protection", "keyed"]) == 0
        for name in ("tx.keras", "rx.keras", "train.npz", "test.npz"):
            pathlib.Path(name).unlink()
    assert arn_keras.export(run, force=True)[1]["protection"] == "keyed"


def test_a_link_trained_in_python_is_saved_audited_and_exported(own, tmp_path):
    _, transmitter, receiver, eves, (train, test) = own
    link = arn_keras.SecureLink(transmitter, receiver, eves)
    link.compile(keras.optimizers.Adam(4e-3))
    link.fit(*train, epochs=6, batch_size=32, snr_db=10.0, psr_db=-7.0, verbose=0)
    quiet = {"say": lambda *_: None}
    run = arn_keras.save_run(tmp_path / "run", link, train=train, test=test, **quiet)
    rows = read_json(run / "results.json")
    assert {row["psr_db"] for row in rows} == {None, -7.0}
    expected = link.evaluate(*test, snr_db=10.0, verbose=0, return_dict=True)
    assert rows[2]["mse"] == pytest.approx(expected["task_loss"], rel=0.1)  # other noise
    audit = arn_keras.audit(run, quick=True, protections=("arn",), **quiet)
    worst = audit["headline"]
    assert worst["arn"]["eve_accuracy"] > rows[2]["eve_accuracy"]
    place, manifest = arn_keras.export(run)
    assert place == run / "bundle"
    assert manifest["psr_db"] == -7.0


def test_a_sweep_takes_the_given_link_and_trains_no_other(own, files, capsys):
    more = ["--snr-db", "0", "10", "--knowledge", "white", "--jobs", "1", "--out", "sweep"]
    assert sweep.main([*files, *[each for each in SHORT if each != "--quiet"], *more]) == 0
    said = capsys.readouterr().out
    assert "figure-3,own,frozen" in said
    folder = own[0] / "sweep" / "own" / "seed-0" / "link"
    kept = keras.saving.load_model(folder / "receiver.keras")
    for before, after in zip(own[2].weights, kept.weights, strict=True):
        np.testing.assert_array_equal(before, after)


def _refused(capsys, *options):
    try:
        shutil.rmtree("refused", ignore_errors=True)
        status = command.main([*map(str, options), "--run-dir", "refused"])
    except SystemExit as stop:
        status = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert (status, len(lines)) == (2, 1), lines
    return lines[0]


def _link(monkeypatch, tmp_path, transmitter=None, receiver=None, **arrays_):
    """Options for a link of these models on random data."""
    monkeypatch.chdir(tmp_path)
    built = own_link.build_link()
    for name, given, other in zip(("tx", "rx"), (transmitter, receiver), built, strict=True):
        (given or other).save(f"{name}.keras")
    source = np.random.default_rng(0).uniform(size=(40, 8, 8, 1)).astype("float32")
    arrays_ = {"source": source, "label": np.arange(40) % 10, **arrays_}
    for name in ("train", "test"):
        np.savez(f"{name}.npz", **{k: v for k, v in arrays_.items() if v is not None})
    return [
        *("--scenario", "own", "--transmitter", "tx.keras", "--receiver", "rx.keras"),
        *("--data", "train.npz", "test.npz"),
    ]


def _sequential(*layers, shape=(8, 8, 1)):
    return keras.Sequential([keras.Input(shape), *layers])


FLAT = keras.layers.Flatten
BAD_ARRAYS = [
    ({"label": None}, "expected the arrays source .* and label, got source"),
    ({"label": np.arange(40) - 1}, "expected labels from 0, got -1"),
    ({"label": np.arange(40) / 1.0}, r"expected integer labels \[n\], got float64"),
    ({"label": np.eye(40, dtype=int)}, r"expected integer labels \[n\], got int64 \[40, 40\]"),
    ({"label": np.arange(39)}, "expected 39 rows of source"),
    ({"source": np.full((40, 8, 8, 1), np.nan)}, "expected finite numbers in source"),
    ({"source": np.zeros((40, 8, 8, 1), "uint8")}, "expected --preprocessing unit_interval"),
    ({"source": np.array(["a"] * 40)}, "expected numbers in source, got <U1"),
    ({"picture": np.zeros(40)}, "expected source, label, target, got picture"),
    ({"source": np.zeros((40, 4, 4, 1), "float32")}, "transmitter: expected to take sources"),
]


@pytest.mark.parametrize(("changed", "message"), BAD_ARRAYS)
def test_data_that_cannot_be_used_get_one_line(monkeypatch, tmp_path, capsys, changed, message):
    line = _refused(capsys, *_link(monkeypatch, tmp_path, **changed))
    assert re.search(message, line), line
    assert not (tmp_path / "refused" / "link").exists()


def test_models_that_do_not_fit_get_one_line(monkeypatch, tmp_path, capsys):
    loud = _sequential(FLAT(), keras.layers.Rescaling(100.0, offset=1.0))
    options = _link(monkeypatch, tmp_path, transmitter=loud)
    assert "expected signals of mean square 1 per real symbol" in _refused(capsys, *options)
    other = _sequential(FLAT(), keras.layers.Dense(64), shape=(5,))
    options = _link(monkeypatch, tmp_path, receiver=other)
    assert "receiver: expected to take signals shaped [4, 4, 2]" in _refused(capsys, *options)
    narrow = _sequential(FLAT(), keras.layers.Dense(5), shape=own_link.SHAPE)
    options = _link(monkeypatch, tmp_path, receiver=narrow)
    assert "receiver: expected estimates shaped as the sources" in _refused(capsys, *options)
    few = _sequential(FLAT(), keras.layers.Dense(3), shape=own_link.SHAPE)
    few.save("eve.keras")
    options = [*_link(monkeypatch, tmp_path), "--eve", "eve.keras", "--epochs", "1", "--quiet"]
    assert "eve: expected logits of 10 labels" in _refused(capsys, *options)
    sure = _sequential(FLAT(), keras.layers.Dense(10, "softmax"), shape=own_link.SHAPE)
    sure.save("eve.keras")
    assert "eve: expected logits, got probabilities" in _refused(capsys, *options)


def test_a_file_that_would_run_code_or_is_no_model_is_refused(monkeypatch, tmp_path, capsys):
    hostile = _sequential(FLAT(), keras.layers.Lambda(lambda x: x))
    options = _link(monkeypatch, tmp_path, transmitter=hostile)
    assert "tx.keras: expected a Keras model as a transmitter" in _refused(capsys, *options)
    pathlib.Path("tx.keras").write_text("no model")
    assert "tx.keras: expected a Keras model as a transmitter" in _refused(capsys, *options)
    assert "expected --transmitter FILE and --receiver FILE" in _refused(
        capsys, "--scenario", "own"
    )
    gone = [each.replace("rx.keras", "gone.keras") for each in options]
    assert "gone.keras: expected a readable file" in _refused(capsys, *gone)
    assert "invalid choice: 'mine'" in _refused(capsys, "--scenario", "mine")


def test_tokens_and_several_inputs_pass_as_they_are(tmp_path):
    several = {"words": np.arange(12).reshape(6, 2), "scale": np.ones((6, 1), "float32")}
    label, target = np.arange(6) % 2, np.arange(6) % 3
    for name in ("train.npz", "test.npz"):
        arrays.write(tmp_path / name, Split(several, label, target))
    files = tmp_path / "train.npz", tmp_path / "test.npz"
    dataset = arrays.load(*files, name="tokens", preprocessing=None)
    assert dataset.source_shape == {"words": (2,), "scale": (1,)}
    prepared = dataset.prepared(dataset.train.source)
    np.testing.assert_array_equal(prepared["words"], several["words"])
    assert prepared["words"].dtype.kind == "i"
    np.testing.assert_array_equal(dataset.targets(dataset.test), target)
