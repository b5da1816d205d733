"""Eavesdroppers of signals [h, w, c]: residual convolutions, patches with attention."""

import keras
import numpy as np
import pytest

from arn_keras.errors import ConfigError
from arn_keras.eve.patches import build_patch_eavesdropper
from arn_keras.eve.residual import build_residual_eavesdropper
from arn_keras.export.litert import convert_all
from arn_keras.training.eavesdropper_link import EavesdropperLink

BUILDERS = [
    lambda shape, classes: build_residual_eavesdropper(shape, classes, width=8, depth=1),
    lambda shape, classes: build_patch_eavesdropper(shape, classes, width=8, depth=1, heads=2),
]


@pytest.mark.parametrize("build", BUILDERS, ids=["residual", "patches"])
@pytest.mark.parametrize("shape", [(8, 8, 4), (7, 7, 2), (32, 32, 3)])
def test_they_give_logits_of_signals_and_of_pictures(build, shape):
    signal = 10 * np.random.default_rng(0).normal(size=(16, *shape)).astype("float32")
    logits = np.asarray(build(shape, 5)(signal))
    assert logits.shape == (16, 5)
    assert logits.min() < 0
    assert np.ptp(logits.sum(axis=1)) > 0.1


@pytest.mark.parametrize("build", BUILDERS, ids=["residual", "patches"])
def test_they_learn_where_the_power_of_a_signal_is(build):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=512)
    signals = rng.normal(size=(512, 8, 8, 2)).astype("float32")
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        chosen = labels == 2 * row + column
        signals[chosen, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] *= 2
    eve = build((8, 8, 2), 4)
    link = EavesdropperLink(eve)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    link.compile(keras.optimizers.Adam(5e-3), loss, jit_compile=False)  # of 96 steps
    link.fit(signals, labels, batch_size=32, epochs=6, snr_db=20.0, verbose=0)
    assert np.mean(np.argmax(eve(signals), axis=1) == labels) > 0.6


def test_stages_halve_the_places_and_double_the_filters():
    filters = [
        (layer.filters, layer.strides[0], layer.output.shape[1])
        for layer in build_residual_eavesdropper((32, 32, 3), 10, width=8, depth=0).layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert filters == [(8, 2, 16), (16, 2, 8), (32, 2, 4)]


def test_what_they_leave_out_in_training_they_keep_when_they_listen():
    eve = build_residual_eavesdropper((8, 8, 4), 5, width=8, depth=1)
    signal = np.random.default_rng(0).normal(size=(64, 8, 8, 4)).astype("float32")
    np.testing.assert_array_equal(eve(signal, training=False), eve(signal, training=False))
    assert not np.array_equal(eve(signal, training=True), eve(signal, training=True))


def test_a_flat_signal_has_no_places():
    with pytest.raises(ConfigError, match=r"expected signals \[h, w, c\] .* got \[128\]"):
        build_residual_eavesdropper((128,), 10)


@pytest.mark.parametrize("build", BUILDERS, ids=["residual", "patches"])
def test_they_run_on_a_device(build):
    eve = build((8, 8, 4), 5)
    assert len(convert_all(eve, ["float32"])["float32"]) > 4 * eve.count_params()
