"""However a pair is fed and compiled, `fit` learns the same from the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kept_models import _parts, models  # noqa: F401
from weights import equal, weights_of

from arn_keras import SecureLink, SemanticLink, TrainingDiverged
from arn_keras.data.preprocessing import unit_interval
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn


@pytest.fixture
def parts(models):
    """Those models and the smallest pair, whose steps are traced sooner."""
    return *models, build_transmitter_arn((8,), (8,)), build_receiver_arn((8,), (8,))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"steps_per_execution": 3},
        {"jit_compile": True},  # batches of two sizes: test_keras_models
        {"run_eagerly": True},
        {"shards": 2},
    ],
    ids=["tf.data", "steps_per_execution", "jit_compile", "eager", "shards"],
)
def test_fit_learns_however_it_is_fed_and_compiled(parts, sources, labels, options):
    link = SecureLink(*parts, seed=1)
    link.compile(keras.optimizers.SGD(1.0), **options)
    data = {"x": sources, "y": labels, "batch_size": 20 if "jit_compile" in options else 16}
    if not options:
        data = {"x": tf.data.Dataset.from_tensor_slices((sources, labels)).batch(16)}
    settings = {"psr_db": -60.0, "loss_weights": (1.0, 0.0, 0.0)}  # surely learnt: less power
    history = link.fit(**data, epochs=3, verbose=0, **settings).history["loss"]
    assert history[-1] < 0.5 * history[0]


def _small(models, seed=1, **options):
    """The same small link each time, but for what is said."""
    keras.utils.set_random_seed(0)
    pair = build_transmitter_arn((8,), (8,)), build_receiver_arn((8,), (8,))
    return SecureLink(*models, *pair, seed=seed, **options)


def test_a_batch_in_shards_moves_the_weights_as_a_whole_batch_does(models, sources, labels):
    def trained(shards):
        link = _small(models)
        # Adam would magnify rounding.
        link.compile(keras.optimizers.SGD(0.1), shards=shards, run_eagerly=True)
        history = link.fit(sources, labels, batch_size=20, verbose=0, snr_db=200.0, epochs=2)
        return weights_of(link.transmitter_arn, link.receiver_arn), history.history["loss"]

    (whole, losses), (parts, losses_in_parts) = trained(1), trained(3)
    np.testing.assert_allclose(losses_in_parts, losses, rtol=1e-5)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_a_batch_of_fewer_sources_than_shards_is_refused(models, sources, labels):
    link = SecureLink(*models)
    link.compile(shards=3, run_eagerly=True)
    with pytest.raises(Exception, match="expected batches of at least 3"):
        link.fit(sources[:2], labels[:2], verbose=0)
    with pytest.raises(ValueError, match="expected shards >= 1, got 0"):
        link.compile(shards=0)


def test_a_traced_step_serves_other_arrays_and_learns_from_them_alone(parts, sources, labels):
    def trained(*sizes):
        link = SecureLink(*parts, seed=1)
        link.compile()
        for size in sizes:
            link.restart(2)
            link.fit(sources[:size], labels[:size], batch_size=8, epochs=2, verbose=0)
            steps.append(link.train_function)
        return link, weights_of(link.transmitter_arn, link.receiver_arn)

    steps = []
    _, first = trained(16, 32)
    assert steps[0] is steps[1]
    link, second = trained(32)
    assert equal(first, second)
    link.fit(sources, labels, batch_size=10, epochs=0, verbose=0)
    assert link.train_function is not steps[-1]  # batches of another size are another trace


def test_a_train_step_of_ones_own_is_given_batches(parts, sources, labels):
    class Own(SecureLink):
        def train_step(self, data):
            x, label = data
            shapes.append((x["source"].shape[0], x["signal"].shape[0], label.shape[0]))
            return super().train_step(data)

    shapes = []
    link = Own(*parts)
    link.compile()
    link.fit(sources[:16], labels[:16], batch_size=8, verbose=0)
    assert set(shapes) == {(8, 8, 8)}


def test_arrays_and_a_pipeline_of_the_same_batches_train_alike(models, sources, labels):
    losses = []
    for data in (
        {"x": tf.data.Dataset.from_tensor_slices((sources, labels)).batch(16)},
        {"x": sources, "y": labels, "batch_size": 16, "shuffle": False},
    ):
        link = _small(models)
        link.compile()
        losses.append(link.fit(**data, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_8_bit_images_and_their_floats_give_the_same_training(models, labels):
    images = np.random.default_rng(1).integers(0, 256, (40, 6, 6, 1), "uint8")
    losses = []
    for array in (images, images.astype("float32") / 255):
        link = _small(models, preprocessing=unit_interval)
        link.compile(run_eagerly=True)
        losses.append(link.fit(array, labels, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(models, sources, labels):
    def trained(seed):
        link = _small(models, seed)
        link.compile(run_eagerly=True)
        link.fit(sources, labels, batch_size=20, verbose=0)
        return weights_of(link.transmitter_arn, link.receiver_arn)

    first = trained(1)
    assert equal(first, trained(1))
    assert not equal(first, trained(2))


def test_a_loss_that_becomes_nan_stops_and_keeps_the_last_good_weights(models, sources, labels):
    link = _small(models)
    poison = tf.Variable(1.0)
    link.compile(task_loss=lambda s, e: poison * keras.ops.mean((s - e) ** 2))
    kept = {}

    def after(epoch, logs):
        kept[epoch] = weights_of(link.transmitter_arn, link.receiver_arn)
        if epoch == 1:
            poison.assign(float("nan"))

    callback = keras.callbacks.LambdaCallback(on_epoch_end=after)
    with pytest.raises(TrainingDiverged, match=r"task_loss became NaN or infinite in epoch 3"):
        link.fit(sources, labels, epochs=5, verbose=0, callbacks=[callback])
    assert sorted(kept) == [0, 1]
    assert equal(kept[1], weights_of(link.transmitter_arn, link.receiver_arn))


def test_a_metric_that_is_no_number_is_no_divergence(models, sources):
    def decibels(target, estimate):
        return keras.ops.log(0.0 * keras.ops.mean(estimate))

    link = SemanticLink(*models[:2])
    link.compile("adam", "mse", metrics=[decibels], run_eagerly=True)
    found = link.fit(sources, epochs=2, verbose=0).history
    assert np.isfinite(found["loss"]).all()
    assert np.isneginf(found["decibels"]).all()
