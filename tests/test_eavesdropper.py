import numpy as np
import pytest

from arn_keras.eve.dense import (
    build_convolutional_eavesdropper,
    build_eavesdropper,
    build_substitute,
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
