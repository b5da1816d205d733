import keras
import numpy as np

from arn_keras.training.checkpoint import EpochCheckpoint


def _model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
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
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-000003.weights.h5"]
    (tmp_path / ".tmp.1.epoch-000004.weights.h5").write_text("half")
    assert EpochCheckpoint(tmp_path).restore(_model()) == 3


def test_short_epochs_are_not_each_saved(tmp_path):
    checkpoint = EpochCheckpoint(tmp_path, seconds=3600)
    checkpoint.set_model(_model())
    for epoch in range(3):
        checkpoint.on_epoch_end(epoch)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-000001.weights.h5"]
