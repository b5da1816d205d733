"""A link of one's own that takes words and numbers, and names a label: through every command."""

import keras
import numpy as np
import pytest
from bundles import converted_here  # noqa: F401
from keras import layers
from small_sweeps import here  # noqa: F401
from wiretaps import TINY

import arn_keras
from arn_keras.audit import RUNGS, effort, ladder, picture
from arn_keras.audit import __main__ as audit
from arn_keras.data import arrays
from arn_keras.data.dataset import Split
from arn_keras.export import __main__ as export
from arn_keras.machine.files import read_json
from arn_keras.measure.sweep_rows import read_rows
from arn_keras.run import command
from arn_keras.run.saved import SavedRun
from arn_keras.sweep import __main__ as sweep

SIGNAL, TOPICS, PLACES = (3, 2), 3, 4
OPTIONS = [
    *("--scenario", "own", "--transmitter", "tx.keras", "--receiver", "rx.keras"),
    *("--data", "train.npz", "test.npz", "--eve", "eve0.keras", "eve1.keras"),
    *("--knowledge", "white", "--epochs", "1", "--batch-size", "32", "--quiet", "--no-export"),
]


def _split(count, seed):
    """Four words of a topic, which Bob is to name; how loud they are, which is private."""
    generator = np.random.default_rng(seed)
    topic, place = (generator.integers(0, most, count) for most in (TOPICS, PLACES))
    words = 4 * topic[:, None] + generator.integers(0, 4, (count, 4))
    loud = (place[:, None] + generator.normal(0, 0.1, (count, 2))).astype("float32")
    return Split({"words": words, "loud": loud}, place, topic)


def _models():
    """Transmitter, receiver and two Eves, untrained."""
    words = keras.Input((4,), dtype="int32", name="words")
    loud = keras.Input((2,), name="loud")
    embedded = layers.Flatten()(layers.Embedding(4 * TOPICS, 3)(words))
    signal = layers.Dense(6)(layers.Concatenate()([embedded, loud]))
    signal = layers.Rescaling(6**0.5)(layers.UnitNormalization()(signal))
    transmitter = keras.Model({"words": words, "loud": loud}, layers.Reshape(SIGNAL)(signal))

    def classifier(classes, hidden):
        received = [keras.Input(SIGNAL), layers.Flatten(), layers.Dense(hidden, "relu")]
        return keras.Sequential([*received, layers.Dense(classes)])

    return transmitter, classifier(TOPICS, 16), [classifier(PLACES, n) for n in (8, 12)]


@pytest.fixture(scope="module")
def given():
    """The models, the two Eves trained, and the data."""
    keras.utils.set_random_seed(0)
    transmitter, receiver, eves = _models()
    train, test = _split(400, 0), _split(100, 1)
    signals = transmitter.predict(train.source, verbose=0)
    for eve in eves:
        spy = arn_keras.EavesdropperLink(eve)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        spy.compile(keras.optimizers.Adam(1e-2), loss)
        spy.fit(signals, train.label, epochs=16, batch_size=32, snr_db=20.0, verbose=0)
    return transmitter, receiver, eves, train, test


@pytest.fixture(scope="module")
def run(given, tmp_path_factory):
    """A run of these files."""
    transmitter, receiver, eves, *splits = given
    folder = tmp_path_factory.mktemp("files")
    models = {"tx": transmitter, "rx": receiver, "eve0": eves[0], "eve1": eves[1]}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    for name, split in zip(("train", "test"), splits, strict=True):
        arrays.write(folder / f"{name}.npz", split)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command.main([*OPTIONS, "--run-dir", "run"]) == 0
    return folder / "run"


def test_it_is_trained_and_both_eves_are_measured(run):
    rows = read_json(run / "results.json")
    assert [row["eve"] for row in rows] == ["frozen"] * 3 + ["frozen_2"] * 3
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    assert min(row["eve_accuracy"] for row in rows[::3]) > 0.4  # a quarter is guessing


def test_its_pair_is_exported_and_proven(run, converted_here, capsys):
    assert export.main([str(run), "--precision", "float32"]) == 0
    assert "Bob acc." in capsys.readouterr().out
    manifest = read_json(run / "bundle" / "manifest.json")
    assert manifest["modules"]["transmitter"]["float32"]["signal_shape"] == list(SIGNAL)
    assert manifest["parity"][0]["accuracy_change"] == pytest.approx(0, abs=1e-3)


def test_the_audit_climbs_on_it(run, monkeypatch):
    monkeypatch.setattr(picture, "audit_picture", lambda path, *_: path.touch())
    monkeypatch.setattr(effort, "QUICK", TINY)
    monkeypatch.setattr(ladder, "RUNGS", {rung: RUNGS[rung] for rung in ("E0", "E3", "E5")})
    assert audit.main([str(run), "--quick", "--protection", "arn"]) == 0
    rows = read_json(run / "audit" / "audit.json")["rows"]
    assert {(row["rung"], row["protection"]) for row in rows} >= {("E3", "arn"), ("E5", "none")}


def test_a_sweep_takes_it(run, here):
    words = ["--snr-db", "5", "--knowledge", "white", "--case", "paired", "--eve", "frozen_2"]
    assert sweep.main([str(run), *words]) == 0
    (row,) = read_rows(run / "sweep").values()
    assert (row["case"], row["eve"], row["snr_db"]) == ("paired", "frozen_2", 5.0)


def test_from_python_it_is_saved_as_the_same_problem(given, tmp_path):
    transmitter, receiver, eves, *splits = given
    link = arn_keras.SecureLink(transmitter, receiver, eves)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    link.compile("adam", task_loss=cross_entropy)
    train, test = (
        ({"source": each.source}, {"label": each.label, "target": each.target}) for each in splits
    )
    link.fit(*train, batch_size=50, snr_db=20.0, psr_db=-7.0, verbose=0)
    path = tmp_path / "run"
    arn_keras.save_run(path, link, train=train, test=test, say=lambda *_: None)
    found = SavedRun.read(path).problem()
    sources = splits[1].source  # all at once: some machines round a product by the batch's size
    sent = transmitter.predict(sources, batch_size=len(found.dataset.test), verbose=0)
    np.testing.assert_array_equal(found.transmit(found.dataset.test), sent)
    rows = read_json(path / "results.json")
    assert {row["psr_db"] for row in rows} == {None, -7.0}
    assert rows[0]["accuracy"] == pytest.approx(
        np.mean(
            np.argmax(receiver.predict(found.transmit(found.dataset.test), verbose=0), axis=1)
            == splits[1].target
        ),
        abs=0.1,
    )  # without noise
