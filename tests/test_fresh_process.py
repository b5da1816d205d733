"""What was saved is loaded in a process that did nothing but `import arn_keras`."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras_model_checker import check_saved
from test_keras_layers import LAYERS, LOSSES, MODULES
from test_keras_models import SUBJECTS

import arn_keras
from arn_keras.channel.listener import Listener
from arn_keras.training.optimizer import FusedAdam

FRESH = """
import json, sys, traceback
import arn_keras
assert not {"keras", "tensorflow"} & sys.modules.keys()
import keras, numpy as np
folder = sys.argv[1]

def link(name):
    given = np.load(f"{folder}/{name}.npz")
    link = keras.saving.load_model(f"{folder}/{name}.keras")
    found = link.predict(given["x"], batch_size=40, verbose=0)
    found = found["logits"] if isinstance(found, dict) else found
    np.testing.assert_allclose(found, given["y"], rtol=1e-5, atol=1e-6)
    labels = given["labels"] if "labels" in given else None
    link.fit(given["x"], labels, batch_size=40, verbose=0)
    for part, value in enumerate(v for model in link.trained() for v in model.weights):
        np.testing.assert_allclose(value, given[f"w{part}"], rtol=1e-4, atol=1e-6)

def loss(name):
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    assert model.loss.__name__ == "mean_squared_error", model.loss
    model.fit(np.ones((4, 6)), np.ones((4, 6)), verbose=0)

def layer(name):
    given = np.load(f"{folder}/{name}.npz")
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    if "y" in given:
        found = keras.tree.flatten(model([given[f"x{i}"] for i in range(len(model.inputs))]))
        np.testing.assert_allclose(found[0], given["y"], rtol=1e-5, atol=1e-5)

def object(name):
    config = json.load(open(f"{folder}/{name}.json"))
    found = keras.saving.deserialize_keras_object(config)
    assert keras.saving.serialize_keras_object(found) == config
    if name != "FusedAdam":
        given = np.load(f"{folder}/{name}.npz")
        arrays = [given[f"x{i}"] for i in range(len(given.files) - 1)]
        np.testing.assert_allclose(found(*arrays), given["y"], rtol=1e-5)

said = {}
for kind, names in json.load(open(f"{folder}/all.json")).items():
    for name in names:
        try:
            globals()[kind](name)
            said[name] = "as before"
        except Exception:
            said[name] = traceback.format_exc()
json.dump(said, open(f"{folder}/said.json", "w"))
"""


def _save_link(folder, name):
    subject = SUBJECTS[name]
    expected, after = check_saved(subject, folder / f"{name}.keras")
    expected = expected["logits"] if isinstance(expected, dict) else expected
    arrays = {f"w{index}": array for index, array in enumerate(after)}
    if subject.y is not None:
        arrays["labels"] = subject.y
    np.savez(folder / f"{name}.npz", x=subject.x, y=expected, **arrays)


def _save_loss(folder, name):
    plain = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6)])
    plain.compile("adam", arn_keras.mean_squared_error)
    plain.save(folder / f"{name}.keras")


def _save_layer(folder, name):
    case = (LAYERS | MODULES)[name]
    subject, given = case.made(), keras.tree.flatten(case.given)
    taken = [keras.Input(a.shape[1:], dtype=a.dtype) for a in given]
    called = keras.tree.pack_sequence_as(case.given, taken)
    model = keras.Model(taken, subject(*called, **case.options))
    model.save(folder / f"{name}.keras")
    arrays = {f"x{index}": array for index, array in enumerate(given)}
    if not isinstance(subject, Listener):
        arrays["y"] = case.run(subject)[0]
    np.savez(folder / f"{name}.npz", **arrays)


def _save_object(folder, name):
    if name == "FusedAdam":
        subject = FusedAdam(0.1)
    else:
        case = LOSSES[name]
        subject = case.made()
        arrays = {f"x{index}": array for index, array in enumerate(case.given)}
        np.savez(folder / f"{name}.npz", y=case.run(subject)[0], **arrays)
    config = keras.saving.serialize_keras_object(subject)
    (folder / f"{name}.json").write_text(json.dumps(config))


ALL = {
    "link": (_save_link, [*SUBJECTS]),
    "loss": (_save_loss, ["a loss of a plain model"]),
    "layer": (_save_layer, [*LAYERS, *MODULES]),
    "object": (_save_object, ["FusedAdam", *LOSSES]),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What one fresh process says of each file: the start of TensorFlow is what costs."""
    folder = tmp_path_factory.mktemp("saved")
    for save, names in ALL.values():
        for name in names:
            save(folder, name)
    names = {kind: names for kind, (_, names) in ALL.items()}
    (folder / "all.json").write_text(json.dumps(names))
    command = [sys.executable, "-c", FRESH, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "said.json").read_text())


@pytest.mark.parametrize("name", [name for _, names in ALL.values() for name in names])
def test_after_import_arn_keras_alone_it_is_loaded_and_goes_on_as_before(said, name):
    assert said[name] == "as before"
