"""A link of one's own, from files or from Python, through every command."""

import functools
import pathlib
import re
import shutil

import keras
import numpy as np
import own_link
import pytest
from bundles import converted_here  # noqa: F401
from small_runs import pictureless  # noqa: F401
from small_sweeps import here, undrawn, unpainted  # noqa: F401

import arn_keras
from arn_keras.data import arrays
from arn_keras.data.dataset import Split
from arn_keras.machine.files import read_json, write_json
from arn_keras.measure.sweep_rows import read_rows
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.run import command
from arn_keras.sweep import __main__ as sweep
from arn_keras.sweep import cost

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


OPTIONS = [
    *("--scenario", "own", "--transmitter", "tx.keras", "--receiver", "rx.keras"),
    *("--data", "train.npz", "test.npz"),
]


@pytest.fixture(scope="module")
def run(own, tmp_path_factory):
    """A run of these files with two Eves, keys behind its pair, and the files gone."""
    folder = shutil.copytree(own[0], tmp_path_factory.mktemp("elsewhere") / "files")
    eves = ["--eve", "eve0.keras", "eve1.keras", "--knowledge", "white"]
    how = ["--protection", "arn+keyed", "--no-export", "--run-dir", "../run"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command.main([*OPTIONS, *eves, *SHORT, *how]) == 0
    shutil.rmtree(folder)
    return folder.parent / "run"


def test_from_files_nothing_of_the_link_is_trained_and_every_given_eve_is_measured(own, run):
    rows = read_json(run / "results.json")
    assert [(row["eve"], row["case"]) for row in rows] == [
        (eve, case)
        for eve in ("frozen", "frozen_2")
        for case in ("original", "transmitter_only", "paired")
    ]
    _same(own[1], run / "link" / "transmitter.keras")
    assert (run / "figures" / "examples.png").exists()


def _same(model, file):
    kept = keras.saving.load_model(file)
    for before, after in zip(model.weights, kept.weights, strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_run_directory_of_one_s_own_link_is_whole_without_the_files(run, converted_here):
    place, manifest = arn_keras.export(run, precisions=["float32"])
    assert place == run / "bundle"
    assert (manifest["scenario"], manifest["protection"]) == ("own", "arn+keyed")
    assert manifest["modules"]["transmitter"]["float32"]["signal_shape"] == list(own_link.SHAPE)


def test_a_sweep_of_a_run_takes_its_link_its_eves_and_its_pair_and_trains_other_pairs_alone(
    own, run, here, unpainted, capsys, request, monkeypatch
):
    monkeypatch.setattr(cost, "LONG", 0)  # so that each of what is done is kept at once
    words = [str(run), "--snr-db", "0", "10", "--knowledge", "white", "--eve", "frozen", "frozen_2"]
    assert sweep.main([*words, "--dry-run"]) == 0
    assert "0 shared stages and 1 pairs to train, 20 rows" in capsys.readouterr().out
    assert sweep.main(words) == 0
    said = capsys.readouterr().out
    assert "figure-3,own,frozen_2" in said
    assert said.count("the pair\n") == 1
    assert said.count("done ") == 1 + 20  # a pair, and each row
    assert said.count("taken ") == 1
    base = run / "sweep" / "own" / "seed-0"
    assert {each.name for each in base.iterdir()} == {"link", "eve", "eve_2", "arn"}
    _same(own[2], base / "link" / "receiver.keras")
    _same(own[3][1], base / "eve_2" / "classifier.keras")
    ours = keras.saving.load_model(run / "arn" / "white" / "receiver.keras")
    _same(ours, base / "arn" / "white,snr=10,psr=-10" / "receiver.keras")
    before = (run / "sweep" / "rows.jsonl").read_bytes()
    request.getfixturevalue("undrawn")
    assert sweep.main(words) == 0
    assert "done " not in capsys.readouterr().out
    assert (run / "sweep" / "rows.jsonl").read_bytes() == before


def _damage(run, stage, name, model):
    shutil.rmtree(run / stage)
    (run / ".made" / f"{stage}.json").unlink()  # put there by hand, or by a stranger
    if model is not None:
        (run / stage).mkdir()
        model.save(run / stage / f"{name}.keras")


def _configure(run, **fields):
    found = read_json(run / "config.json")
    write_json(run / "config.json", {**found, "config": {**found["config"], **fields}})


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda run: None, ["--epochs", "4"], "--epochs: expected none beside RUN_DIR"),
        (lambda run: None, ["--seed", "0"], "--seed: expected none beside RUN_DIR"),
        (lambda run: shutil.rmtree(run), [], "expected a run directory of train.py, got none"),
        (lambda run: (run / "config.json").write_text("[]"), [], "expected a run's configuration"),
        *(
            (functools.partial(_configure, **fields), [], f"run's configuration: {reason}")
            for fields, reason in (
                ({"options": None}, "options: expected those of the scenario, got None"),
                ({"dataset": 5}, "dataset: expected str, got 5"),
                ({"block_width": 12.5}, "block_width: expected int or NoneType, got 12.5"),
                ({"block_width": True}, "block_width: expected int or NoneType, got True"),
                ({"knowledge": None}, "knowledge: expected one of white, black, both, got None"),
                ({"psr_db": None}, "psr_db: expected a number, got None"),
            )
        ),
        (lambda run: shutil.rmtree(run / "link"), [], "expected a trained link"),
        (
            lambda run: shutil.rmtree(run / "data"),
            [],
            "train.npz: expected an .npz file, found none",
        ),
        (
            lambda run: _damage(run, "eve", "classifier", _sequential(FLAT(), _lambda())),
            [],
            "classifier.keras: expected a whole Keras model",
        ),
        (
            lambda run: _damage(run, "eve", "classifier", own_link.build_link()[0]),
            [],
            "eve: expected to take signals shaped [4, 4, 2]",
        ),
    ],
)
def test_a_run_that_a_sweep_cannot_take_gets_one_line(
    run, here, tmp_path, capsys, damage, options, message
):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("sweep"))
    damage(copy)
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    out = ["--knowledge", "white", "--out", str(tmp_path / "out")]
    assert message in _one_line(capsys, sweep, str(copy), *out, *options)
    assert not read_rows(tmp_path / "out")
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before


def test_a_sweep_of_one_run_is_not_gone_on_with_from_another(run, here, tmp_path, capsys):
    out = ["--knowledge", "white", "--case", "original", "--out", str(tmp_path / "out")]
    assert sweep.main([str(run), *out]) == 0
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("sweep"))
    receiver = copy / "link" / "receiver.keras"
    model = keras.saving.load_model(receiver)
    model.set_weights([1.01 * weight for weight in model.get_weights()])
    model.save(receiver)
    assert "receiver.keras was changed" in _one_line(capsys, sweep, str(copy), *out)
    (copy / ".made" / "link.json").unlink()  # and put there as it is
    assert "made with another configuration: link" in _one_line(capsys, sweep, str(copy), *out)


def test_a_link_trained_in_python_is_saved(own, tmp_path):
    _, transmitter, receiver, eves, (train, test) = own
    afar = arn_keras.AWGN(snr_offset_db=-3.0)
    link = arn_keras.SecureLink(transmitter, receiver, eves, eve_channel=afar)
    link.compile(keras.optimizers.Adam(4e-3), run_eagerly=True)
    few = [each[:64] for each in train]
    link.fit(*few, batch_size=32, snr_db=10.0, psr_db=-7.0, keep_power=True, verbose=0)
    run = arn_keras.save_run(tmp_path / "run", link, train=train, test=test, say=None)
    rows = read_json(run / "results.json")
    assert {row["eve_snr_offset_db"] for row in rows} == {-3.0}
    plain = rows[0]["sent_power"]
    assert [row["sent_power"] for row in rows] == pytest.approx([plain] * len(rows), rel=1e-4)
    assert {row["psr_db"] for row in rows} == {None, -7.0}
    assert (run / "figures" / "examples.png").exists()
    expected = link.evaluate(*test, snr_db=10.0, verbose=0, return_dict=True)
    assert rows[2]["mse"] == pytest.approx(expected["task_loss"], rel=0.1)  # other noise


def test_rivals_who_learned_are_not_the_eve_that_a_saved_run_begins_with(
    own, tmp_path, pictureless
):
    _, transmitter, receiver, eves, (train, test) = own
    rivals = [keras.models.clone_model(eve) for eve in eves[:1]]
    told = {"snr_db": (0.0, 20.0)}  # and trained at one SNR of it
    modules = [
        build(own_link.SHAPE, **told) for build in (build_transmitter_arn, build_receiver_arn)
    ]
    link = arn_keras.MinMaxLink(transmitter, receiver, rivals, *modules)
    link.compile(keras.optimizers.Adam(4e-3), run_eagerly=True)
    few = [each[:64] for each in train]
    link.fit(*few, batch_size=32, snr_db=10.0, psr_db=-7.0, verbose=0)
    run = arn_keras.save_run(tmp_path / "run", link, train=train, test=test, say=None)
    assert "snr_aware" not in read_json(run / "config.json")["config"]
    eve = keras.saving.load_model(run / "eve" / "classifier.keras")
    signal, labels = transmitter.predict(test[0], verbose=0), np.ravel(test[1])
    said = eve.predict(signal, verbose=0).argmax(-1)
    assert np.mean(said == labels) > 0.8  # of what she hears, unprotected
    assert read_json(run / "results.json")[0]["eve_accuracy"] > 0.8
    for rival in link.eavesdroppers:
        assert rival.predict(signal, verbose=0).shape == said.shape + eve.output_shape[1:]
        assert not np.array_equal(rival.get_weights()[-1], eve.get_weights()[-1])


def _refused(capsys, *options):
    shutil.rmtree("refused", ignore_errors=True)
    return _one_line(capsys, command, *options, "--run-dir", "refused")


def _one_line(capsys, command, *options):
    """What a command says that refuses its options."""
    capsys.readouterr()
    try:
        status = command.main([*map(str, options)])
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
    return OPTIONS


def _sequential(*layers, shape=(8, 8, 1)):
    return keras.Sequential([keras.Input(shape), *layers])


def _sent(source):
    """A signal of power 1 of these sources."""
    flat = keras.layers.UnitNormalization()(FLAT()(source)[:, :32])
    return keras.layers.Reshape(own_link.SHAPE)(keras.layers.Rescaling(32**0.5)(flat))


def _lambda():
    return keras.layers.Lambda(lambda x: x)


FLAT = keras.layers.Flatten
PICTURES = np.linspace(0, 1, 40 * 64, dtype="float32").reshape(40, 8, 8, 1)
BAD_ARRAYS = [
    ({"label": None}, "expected the arrays source .* and label, got source"),
    ({"label": np.arange(40) - 1}, "expected label from 0 to .*, got -1"),
    ({"label": np.arange(40) * 10**9}, "expected label from 0 to .*, got 39000000000"),
    ({"label": np.arange(40) / 1.0}, r"expected integers \[n\] in label, got float64"),
    ({"label": np.eye(40, dtype=int)}, r"integers \[n\] in label, got int64 \[40, 40\]"),
    ({"label": np.array([print] * 40)}, "expected an .npz file of arrays: Object arrays cannot"),
    ({"target": np.arange(40)[:, None] - 1}, "expected target from 0 to .*, got -1"),
    ({"target": np.full((40, 3), np.inf)}, "expected finite numbers in target"),
    ({"source": np.zeros((40, 0), "float32")}, r"expected numbers in source, got float32 \[40, 0"),
    (
        {"source": None, "source/a": np.zeros((40, 2)), "source/b": np.zeros((40, 2))},
        "expected the array target, what Bob recovers of several inputs",
    ),
    ({"label": np.arange(39)}, "expected 39 rows of source"),
    ({"source": np.full((40, 8, 8, 1), np.nan)}, "expected finite numbers in source"),
    ({"source": np.full((40, 8, 8, 1), 1e300)}, "expected finite numbers in source"),
    ({"source": np.zeros((40, 8, 8, 1), "uint8")}, "expected --preprocessing unit_interval"),
    (
        {"source": np.zeros((40, 8, 8, 1), "uint16")},
        "expected sources of floats, .* or the array target, .* got uint16 without",
    ),
    ({"source": np.array(["a"] * 40)}, "expected numbers in source, got <U1"),
    ({"picture": np.zeros(40)}, "expected source, label, target, got picture"),
    ({"source": np.zeros((40, 4, 4, 1), "float32")}, "transmitter: expected to take sources"),
    ({"label": np.zeros(40, int)}, "expected two or more labels, got one"),
    ({"label": np.full(40, 7)}, "expected two or more labels, got one"),
    ({"target": np.zeros((40, 9), "uint8")}, r"expected floats in target, .* got uint8 \[40, 9\]"),
    ({"source": 255 * PICTURES}, "receiver: expected estimates of the targets' scale"),
    ({"target": 255 * PICTURES}, "receiver: expected estimates of the targets' scale"),
    ({"target": PICTURES / 1e4}, "receiver: expected estimates of the targets' scale"),
    ({"source": PICTURES[..., 0]}, r"one channel has an axis too: sources \[n, 8, 8, 1\]"),
]
#: Of a test file beside a good training file.
BAD_TESTS = [
    ({"source": (255 * PICTURES).astype("uint8")}, "expected source as in .*, floats, got 8 bits"),
    ({"source": PICTURES > 0.5}, "expected source as in .*, floats, got booleans"),
    ({"source": 255 * PICTURES}, "expected source of the scale in .*, up to 1, got up to 255"),
    ({"target": PICTURES}, r"expected target as in .*, None, got \(8, 8, 1\)"),
    ({"label": np.arange(40) + 10}, "expected labels of the training file's, got none"),
]


@pytest.mark.parametrize(("changed", "message"), BAD_ARRAYS)
def test_data_that_cannot_be_used_get_one_line(monkeypatch, tmp_path, capsys, changed, message):
    line = _refused(capsys, *_link(monkeypatch, tmp_path, **changed))
    assert re.search(message, line), line
    assert not (tmp_path / "refused" / "link").exists()


@pytest.mark.parametrize(("changed", "message"), BAD_TESTS)
def test_a_test_file_of_another_kind_gets_one_line(monkeypatch, tmp_path, capsys, changed, message):
    options = _link(monkeypatch, tmp_path, source=PICTURES)
    np.savez("test.npz", **{"source": PICTURES, "label": np.arange(40) % 10, **changed})
    line = _refused(capsys, *options)
    assert line.startswith("train.py: error: test.npz: "), line
    assert re.search(message, line), line
    assert not (tmp_path / "refused").exists()


def test_floats_are_not_taken_for_8_bits_and_labels_that_are_new_in_the_test_are_told(
    monkeypatch, tmp_path, capsys
):
    for source in (255 * PICTURES, 2 * PICTURES - 1):
        options = _link(monkeypatch, tmp_path, source=source)
        line = _refused(capsys, *options, "--preprocessing", "unit_interval")
        assert "expected sources of 8 bits for --preprocessing unit_interval" in line
    np.savez("one.npz", source=PICTURES, label=np.arange(40) % 8, target=np.linspace(0, 1, 40))
    assert arrays.read("one.npz").target.shape == (40, 1)
    np.savez("train.npz", source=PICTURES, label=np.arange(40) % 8)
    np.savez("test.npz", source=PICTURES, label=np.arange(40) % 10)
    found = arrays.load("train.npz", "test.npz", name="own", preprocessing=None)
    assert found.notes == (
        "20.0% of the test labels are of no training source: no Eve can name them",
    )


def test_models_that_do_not_fit_get_one_line(monkeypatch, tmp_path, capsys):
    loud = _sequential(FLAT(), keras.layers.Rescaling(100.0, offset=1.0))
    options = _link(monkeypatch, tmp_path, transmitter=loud)
    assert "expected signals of mean square 1 per real symbol" in _refused(capsys, *options)
    assert not (tmp_path / "refused").exists()  # so the right file may follow
    other = _sequential(FLAT(), keras.layers.Dense(64), shape=(5,))
    options = _link(monkeypatch, tmp_path, receiver=other)
    assert "receiver: expected to take signals shaped [4, 4, 2]" in _refused(capsys, *options)
    narrow = _sequential(FLAT(), keras.layers.Dense(5), shape=own_link.SHAPE)
    options = _link(monkeypatch, tmp_path, receiver=narrow)
    assert "receiver: expected estimates shaped as the sources" in _refused(capsys, *options)
    for target, message in (
        (np.arange(40) % 7, "receiver: expected logits of 7 labels, got outputs shaped [5]"),
        (np.zeros((40, 9)), "receiver: expected estimates shaped as the array target, [9]"),
    ):
        options = _link(monkeypatch, tmp_path, receiver=narrow, target=target)
        assert message in _refused(capsys, *options)
    few = _sequential(FLAT(), keras.layers.Dense(3), shape=own_link.SHAPE)
    few.save("eve.keras")
    options = [*_link(monkeypatch, tmp_path), "--eve", "eve.keras", "--epochs", "1", "--quiet"]
    assert "eve: expected logits of 10 labels" in _refused(capsys, *options)
    sure = _sequential(FLAT(), keras.layers.Dense(10, "softmax"), shape=own_link.SHAPE)
    sure.save("eve.keras")
    for black in ([], ["--knowledge", "black"], ["--protection", "none"]):
        assert "eve: expected logits, got probabilities" in _refused(capsys, *options, *black)
        assert not (tmp_path / "refused").exists()
    unsure = _sequential(FLAT(), keras.layers.Dense(10, "sigmoid"), shape=own_link.SHAPE)
    unsure.save("eve.keras")
    line = _refused(capsys, *options, "--protection", "none")
    assert "eve: expected logits, got probabilities: leave out the sigmoid" in line
    reader = _sequential(FLAT(), keras.layers.Dense(7, "softmax"), shape=own_link.SHAPE)
    options = _link(monkeypatch, tmp_path, receiver=reader, target=np.arange(40) % 7)
    line = _refused(capsys, *options, "--protection", "none")
    assert "receiver: expected logits, got probabilities: leave out the softmax" in line
    assert not (tmp_path / "refused").exists()


def test_a_transmitter_of_integers_or_of_two_outputs_gets_one_line(monkeypatch, tmp_path, capsys):
    pixels = keras.Input((8, 8, 1), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    options = _link(monkeypatch, tmp_path, transmitter=keras.Model(pixels, _sent(scaled)))
    assert "expected uint8 for 'functional" in _refused(capsys, *options)
    source = keras.Input((8, 8, 1))
    options = _link(monkeypatch, tmp_path, transmitter=keras.Model(source, [_sent(source)] * 2))
    assert "transmitter: expected one output, a tensor, got 2 outputs" in _refused(capsys, *options)
    assert not (tmp_path / "refused").exists()


def test_a_file_that_would_run_code_or_is_no_model_is_refused(monkeypatch, tmp_path, capsys):
    hostile = _sequential(FLAT(), _lambda())
    options = _link(monkeypatch, tmp_path, transmitter=hostile)
    assert "tx.keras: expected a Keras model as a transmitter" in _refused(capsys, *options)
    whole = pathlib.Path("rx.keras").read_bytes()
    for content in (b"no model", whole[: len(whole) // 2]):
        pathlib.Path("tx.keras").write_bytes(content)
        line = _refused(capsys, *options)
        assert "tx.keras: expected a Keras model as a transmitter: it is no zip file" in line
    assert "expected --transmitter FILE and --receiver FILE" in _refused(
        capsys, "--scenario", "own"
    )
    gone = [each.replace("rx.keras", "gone.keras") for each in options]
    assert "gone.keras: expected a readable file" in _refused(capsys, *gone)
    assert "invalid choice: 'mine'" in _refused(capsys, "--scenario", "mine")


def test_a_transmitter_of_several_inputs_is_trained_under_their_names():
    words, scale = keras.Input((2,), dtype="int32", name="words"), keras.Input((1,), name="scale")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(12, 4)(words))
    signal = keras.layers.Dense(6)(keras.layers.Concatenate()([embedded, scale]))
    transmitter = keras.Model({"words": words, "scale": scale}, signal)
    link = arn_keras.SemanticLink(transmitter, _sequential(keras.layers.Dense(2), shape=(6,)))
    link.compile(keras.optimizers.Adam(5e-2), "mse", run_eagerly=True)
    source = {"words": np.arange(12).reshape(6, 2), "scale": np.ones((6, 1), "float32")}
    target = np.linspace(-1, 1, 12, dtype="float32").reshape(6, 2)
    for x in ({"source": source}, source):
        losses = link.fit(x, target, epochs=6, snr_db=40.0, verbose=0).history["loss"]
        assert losses[-1] < 0.7 * losses[0]
        assert link.predict(x, verbose=0).shape == (6, 2)
        assert link.evaluate(x, target, verbose=0) < losses[0]


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
