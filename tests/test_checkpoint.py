import keras
import numpy as np
import pytest

from arn_keras.training.checkpoint import EpochCheckpoint


def _model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=True)
    return model


INPUTS, TARGETS = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")


def _fit(model, directory, epochs):
    checkpoint = EpochCheckpoint(directory, seconds=0)
    first = checkpoint.restore(model)
    model.fit(
        INPUTS, TARGETS, epochs=epochs, initial_epoch=first, callbacks=[checkpoint], verbose=0
    )
    return first, [np.array(v) for v in (*model.variables, *model.optimizer.variables)]


def test_a_resumed_training_ends_with_the_weights_and_moments_of_an_undisturbed_one(tmp_path):
    _, whole = _fit(_model(), tmp_path / "whole", 5)
    assert _fit(_model(), tmp_path / "parts", 2)[0] == 0
    first, parts = _fit(_model(), tmp_path / "parts", 5)
    assert first == 2
    for expected, found in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(expected, found)


def test_only_the_newest_state_is_kept_and_half_a_file_is_no_state(tmp_path):
    _fit(_model(), tmp_path, 3)
    assert [path.name[:12] for path in tmp_path.iterdir()] == ["epoch-000003"]
    (tmp_path / ".tmp.1.epoch-000004.0123456789abcdef.npz").write_text("half")
    assert EpochCheckpoint(tmp_path).restore(_model()) == 3


def test_short_epochs_are_not_each_saved(tmp_path):
    checkpoint = EpochCheckpoint(tmp_path, seconds=3600)
    checkpoint.set_model(_model())
    for epoch in range(3):
        checkpoint.on_epoch_end(epoch)
    assert [path.name[:12] for path in tmp_path.iterdir()] == ["epoch-000001"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_a_state_that_was_changed_is_said_and_the_stage_begins_again(tmp_path, damage):
    _, whole = _fit(_model(), tmp_path / "whole", 4)
    _fit(_model(), tmp_path / "damaged", 3)
    (file,) = (tmp_path / "damaged").iterdir()
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-30:]
    elif damage == "empty":
        content.clear()
    else:  # whole, and of another model
        keras.utils.set_random_seed(1)
        other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
        other.compile(keras.optimizers.Adam(0.1), "mse")
        file.unlink()
        checkpoint = EpochCheckpoint(tmp_path / "damaged", seconds=0)
        checkpoint.set_model(other)
        other.optimizer.build(other.trainable_variables)
        checkpoint.on_epoch_end(2)
    if damage != "other":
        file.write_bytes(content)
    said = []
    assert EpochCheckpoint(tmp_path / "damaged", say=said.append).restore(_model()) == 0
    [line] = said
    assert "damaged, or of another model; its stage begins again" in line
    first, again = _fit(_model(), tmp_path / "damaged", 4)
    assert first == 0
    for expected, found in zip(whole, again, strict=True):
        np.testing.assert_array_equal(expected, found)
