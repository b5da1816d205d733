import numpy as np
import pytest

from arn_keras.eavesdropper import (
    InputDiversity,
    build_convolutional_eavesdropper,
    build_eavesdropper,
    build_substitute,
    diversify,
)


def _widths(model):
    return [layer.units for layer in model.layers if hasattr(layer, "units")]


def test_eve_has_four_layers_and_the_substitute_two():
    assert _widths(build_eavesdropper((128,), 10)) == [256, 128, 64, 10]
    assert _widths(build_substitute((128,), 10)) == [128, 10]


@pytest.mark.parametrize("build", [build_eavesdropper, build_substitute])
def test_the_outputs_are_logits_and_not_confidences(build):
    signal = 10 * np.random.default_rng(0).normal(size=(32, 16, 2)).astype("float32")
    logits = np.asarray(build((16, 2), 7)(signal))
    assert logits.shape == (32, 7)
    assert logits.min() < 0
    assert np.ptp(logits.sum(axis=1)) > 1


def test_the_convolutional_eavesdropper_sees_the_order_of_the_symbols():
    eve = build_convolutional_eavesdropper((4, 8), 5)
    assert eve.input_shape == (None, 4, 8)
    assert eve.output_shape == (None, 5)
    kinds = [type(layer).__name__ for layer in eve.layers]
    assert kinds.count("Conv1D") == 2


def test_input_diversity_hides_and_disturbs_as_much_as_it_says():
    signal = np.ones((200, 500), "float32")
    hidden = np.asarray(InputDiversity(rate=0.2, deviation=0.0)(signal))
    assert (hidden == 0).mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(hidden[hidden != 0], 1 / 0.8, rtol=1e-6)
    disturbed = np.asarray(InputDiversity(rate=0.0, deviation=0.3)(signal)) - 1
    assert disturbed.std() == pytest.approx(0.3, rel=0.02)
    assert disturbed.mean() == pytest.approx(0.0, abs=0.005)


def test_a_diversified_classifier_is_the_same_classifier_on_another_look(tmp_path):
    import keras

    inner = build_eavesdropper((8,), 3, hidden=(16,))
    diverse = diversify(inner, seed=3)
    signal = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    first, second = np.asarray(diverse(signal)), np.asarray(diverse(signal))
    assert not np.allclose(first, second, atol=1e-3)
    assert {id(w) for w in inner.trainable_weights} == {id(w) for w in diverse.trainable_weights}
    diverse.save(tmp_path / "diverse.keras")
    assert keras.saving.load_model(tmp_path / "diverse.keras").output_shape == (None, 3)
