import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from arn_keras.training.optimizer import FusedAdam


def _fitted(optimizer, **options):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(256, 8)).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu")])
    model.compile(optimizer, "mse", **options)
    model.fit(x, x @ generator.normal(size=(8, 16)), epochs=4, batch_size=64, verbose=0)
    return model


def _states(model):
    return [np.asarray(v) for v in (*model.trainable_variables, *model.optimizer.variables)]


def _arguments(**more):
    return {"learning_rate": keras.optimizers.schedules.CosineDecay(1e-2, 16), **more}


@functools.cache
def _theirs(**more):
    return _states(_fitted(keras.optimizers.Adam(**_arguments(**more))))


OTHERS = {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ({}, {"run_eagerly": True}),
        (OTHERS, {"run_eagerly": True}),
        (OTHERS, {}),  # numbers of the same graph, whichever they are
        (OTHERS, {"jit_compile": True}),
    ],
)
def test_it_is_adam_up_to_rounding(more, options):
    ours = _states(_fitted(FusedAdam(**_arguments(**more)), **options))
    for one, other in zip(ours, _theirs(**more), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_it_has_what_keras_has_of_an_optimiser_of_its_kind():
    """AMSGrad, one update by hand, and a rate of one's own for a weight."""

    def moved(optimizer, scale):
        variable = keras.Variable([1.0, -2.0])
        optimizer.build([variable])
        for gradient in ([1.0, -1.0], [0.1, 0.2]):
            optimizer.update_step(tf.constant(gradient), variable, scale * 0.01)
        return np.asarray(variable)

    for options in ({}, {"amsgrad": True}):
        ours = moved(FusedAdam(**options), 1.0)
        np.testing.assert_allclose(ours, moved(keras.optimizers.Adam(**options), 1.0), rtol=1e-6)
        np.testing.assert_array_equal(moved(FusedAdam(**options), 0.0), [1.0, -2.0])


def test_it_is_saved_and_loaded_with_its_state(tmp_path):
    model = _fitted(FusedAdam(1e-2))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is FusedAdam
    for one, other in zip(_states(loaded), _states(model), strict=True):
        np.testing.assert_array_equal(one, other)
