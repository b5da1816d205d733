import keras
import numpy as np
import pytest

from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn


def _block(model, signal):
    """The block F of Eq. (15), (17) in NumPy, from the model's weights in order."""
    weights = [np.asarray(weight, float) for weight in model.get_weights()]
    residual = signal.reshape(len(signal), -1).astype(float)
    for index in range(0, len(weights), 2):
        residual = residual @ weights[index] + weights[index + 1]
        if index < len(weights) - 2:
            residual = np.maximum(residual, 0)
    return residual.reshape(signal.shape)


@pytest.mark.parametrize("shape", [(128,), (16, 2)])
@pytest.mark.parametrize(("build", "sign"), [(build_transmitter_arn, 1), (build_receiver_arn, -1)])
def test_the_module_adds_or_subtracts_the_blocks_residual(build, sign, shape):
    model = build(shape)
    signal = np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")
    expected = signal + sign * _block(model, signal)
    np.testing.assert_allclose(model(signal), expected, atol=1e-5)


def test_the_block_has_the_layers_of_the_design():
    widths = [
        layer.units for layer in build_transmitter_arn((128,)).layers if hasattr(layer, "units")
    ]
    assert widths == [256, 256, 128]


@pytest.mark.parametrize("build", [build_transmitter_arn, build_receiver_arn])
def test_a_module_reloads_without_custom_objects(build, tmp_path):
    model = build((12,))
    model.save(tmp_path / "module.keras")
    again = keras.saving.load_model(tmp_path / "module.keras", custom_objects={})
    signal = np.random.default_rng(0).normal(size=(3, 12)).astype("float32")
    np.testing.assert_array_equal(model(signal), again(signal))
