"""Losses, metrics, weights and settings that were misread without a word, and rivals who move Bob.

Each right value is NumPy's, or what the same thing said in another way gives.
"""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from kept_models import _parts, models  # noqa: F401
from keras import ops

from arn_keras import EavesdropperLink, MinMaxLink, SecureLink, SemanticLink
from arn_keras.errors import ConfigError, DataError
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.pair.purge import build_purge
from arn_keras.training.purge_link import PurgeLink

LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
BINARY_LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
SIGNALS = np.random.default_rng(1).normal(size=(40, 8)).astype("float32")


def _named(each):
    return each if isinstance(each, str) else type(each).__name__


def _classifier(outputs=3, activation=None):
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(outputs, activation=activation)])


# Losses and metrics of probabilities, for a model of logits


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.CategoricalFocalCrossentropy(),
        "categorical_focal_crossentropy",
        keras.losses.BinaryFocalCrossentropy(),
        "binary_focal_crossentropy",
        keras.losses.KLDivergence(),
        "kl_divergence",
        keras.losses.Dice(),
        keras.losses.Tversky(),
        keras.losses.CategoricalGeneralizedCrossEntropy(),
    ],
    ids=_named,
)
def test_a_loss_of_probabilities_is_refused_for_a_model_of_logits(models, loss):
    spy = EavesdropperLink(_classifier())
    with pytest.raises(ConfigError, match=r"from_logits=True|of probabilities"):
        spy.compile("adam", loss)
    spy = EavesdropperLink(_classifier(activation="softmax"))
    spy.compile("adam", loss)
    with pytest.raises(ConfigError, match=r"from_logits=True|of probabilities"):
        SecureLink(models[0], _classifier(), models[2]).compile(task_loss=loss)


def test_a_loss_of_class_numbers_and_probabilities_takes_class_numbers(labels):
    eve = _classifier(activation="softmax")
    spy = EavesdropperLink(eve)
    spy.compile("adam", keras.losses.CategoricalGeneralizedCrossEntropy(q=0.5))
    found = spy.evaluate(SIGNALS, labels, snr_db=200.0, verbose=0)
    shares = np.asarray(eve(SIGNALS))[np.arange(40), labels]
    np.testing.assert_allclose(found, np.mean((1 - shares**0.5) / 0.5), rtol=1e-5)


@pytest.mark.parametrize(
    "metric",
    [
        "accuracy",
        "acc",
        "binary_accuracy",
        keras.metrics.BinaryAccuracy(),
        keras.metrics.AUC(),
        keras.metrics.Precision(),
        keras.metrics.Recall(thresholds=0.5),
        keras.metrics.BinaryIoU(),
        keras.metrics.F1Score(threshold=0.5),
    ],
    ids=_named,
)
@pytest.mark.parametrize("place", ["metrics", "weighted_metrics"])
def test_a_metric_that_cuts_probabilities_is_refused_beside_a_loss_of_logits(metric, place):
    spy = EavesdropperLink(_classifier(1))
    with pytest.raises(ConfigError, match="which cuts probabilities at a threshold"):
        spy.compile("adam", BINARY_LOGITS, **{place: [metric]})
    EavesdropperLink(_classifier(1, "sigmoid")).compile(
        "adam", "binary_crossentropy", **{place: [metric]}
    )


def test_a_metric_that_cuts_logits_at_zero_says_how_many_eve_names():
    eve, truth = _classifier(1), (SIGNALS[:, 0] > 0).astype("int32")
    spy = EavesdropperLink(eve)
    spy.compile(
        "adam",
        BINARY_LOGITS,
        metrics=[
            keras.metrics.BinaryAccuracy(threshold=0.0),
            keras.metrics.Recall(thresholds=0, name="found"),
        ],
    )
    found = spy.evaluate(SIGNALS, truth, snr_db=200.0, verbose=0, return_dict=True)
    named = np.asarray(eve(SIGNALS))[:, 0] > 0
    assert found["binary_accuracy"] == pytest.approx(np.mean(named == truth))
    assert found["found"] == pytest.approx(np.mean(named[truth == 1]))
    spy.compile("adam", BINARY_LOGITS, metrics=[keras.metrics.AUC(from_logits=True)])


def test_weighted_metrics_are_looked_at_as_metrics_are():
    with pytest.raises(ConfigError, match="expected metrics of class numbers"):
        EavesdropperLink(_classifier()).compile(
            "adam", LOGITS, weighted_metrics=["categorical_accuracy"]
        )


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        (LOGITS, "mae"),
        (LOGITS, keras.metrics.Accuracy()),
        (LOGITS, keras.metrics.OneHotMeanIoU(3)),
        (LOGITS, keras.metrics.MeanIoU(3)),  # which takes scores for class numbers
        ("mse", "sparse_categorical_accuracy"),
        (keras.losses.CategoricalCrossentropy(from_logits=True), "sparse_categorical_accuracy"),
    ],
    ids=_named,
)
def test_a_metric_of_what_the_loss_does_not_compare_is_refused(loss, metric):
    with pytest.raises(ConfigError, match=r"expected metrics of .*, as the loss, got"):
        EavesdropperLink(_classifier()).compile("adam", loss, metrics=[metric])
    overlap = keras.metrics.MeanIoU(3, sparse_y_pred=False)
    one_s_own = keras.metrics.MeanMetricWrapper(_distance)
    for others in (
        [LOGITS, "sparse_top_k_categorical_accuracy", overlap, one_s_own],
        ["mse", "mae"],
    ):
        EavesdropperLink(_classifier()).compile("adam", others[0], metrics=others[1:])


def test_classes_are_weighted_by_one_hot_labels_as_by_numbers(labels):
    weights, found = {0: 1.0, 1: 3.0, 2: 0.5}, []
    one_hot = keras.losses.CategoricalCrossentropy(from_logits=True)
    for loss, truth in ((LOGITS, labels), (one_hot, np.eye(3, dtype="float32")[labels])):
        keras.utils.set_random_seed(0)
        spy = EavesdropperLink(_classifier())
        spy.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
        how = {"class_weight": weights, "batch_size": 40, "verbose": 0}
        found.append(spy.fit(SIGNALS, truth, **how).history["loss"][0])
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    for values in (np.ones((40, 3), "float32"), np.zeros((40, 3), int)):
        with pytest.raises(DataError, match="expected labels as class numbers"):
            spy.fit(SIGNALS, values, **how)


def test_classes_that_are_counted_from_one_are_weighted_by_no_link(labels):
    spy = EavesdropperLink(_classifier())
    spy.compile("adam", LOGITS, run_eagerly=True)
    weights = {1: 1.0, 2: 3.0, 3: 0.5}
    batches = tf.data.Dataset.from_tensor_slices((SIGNALS, labels)).batch(20)
    for data in ((SIGNALS, labels), (batches,)):
        with pytest.raises(ConfigError, match="class_weight of classes from 0 to 2, got 3"):
            spy.fit(*data, class_weight=weights)
    yes_or_no = EavesdropperLink(_classifier(1))
    yes_or_no.compile("adam", BINARY_LOGITS, run_eagerly=True)
    yes_or_no.fit(SIGNALS, labels % 2, class_weight={0: 1.0, 1: 3.0}, verbose=0)
    with pytest.raises(ConfigError, match="class_weight of classes from 0 to 1, got 2"):
        yes_or_no.fit(SIGNALS, labels % 2, class_weight={1: 1.0, 2: 3.0})


def test_a_link_that_is_not_compiled_says_so(models, sources, labels):
    for link, data in (
        (EavesdropperLink(models[2]), (SIGNALS, labels)),
        (SecureLink(*models), (sources, {"label": labels, "target": sources})),
    ):
        with pytest.raises(ConfigError, match="expected compile before fit"):
            link.fit(*data)


# One shape for loss and metrics, in one trace after another


def _squared(target, estimate):
    return ops.mean(ops.square(target - estimate))


def test_a_task_loss_of_ones_own_is_given_nothing_to_broadcast(models, sources, labels):
    link = SecureLink(models[0], _classifier(1), models[2])
    link.compile(task_loss=_squared, run_eagerly=True)
    flat = sources.reshape(40, -1)[:, 0]
    for target in (flat, flat[:, None, None]):
        with pytest.raises(DataError, match=r"of the shape of the estimate, .*may be broadcast"):
            link.fit(sources, {"label": labels, "target": target}, verbose=0)
    found = link.evaluate(sources, {"label": labels, "target": flat[:, None]}, verbose=0)
    assert np.isfinite(found).all()


@keras.saving.register_keras_serializable("test_misread")
class Squared(keras.losses.Loss):
    def call(self, target, estimate):
        return _squared(target, estimate)


def test_a_class_of_loss_of_ones_own_is_given_nothing_to_broadcast(models, sources):
    link, spy = SemanticLink(models[0], _classifier(1)), EavesdropperLink(_classifier(1))
    for each, x in ((link, sources), (spy, SIGNALS)):
        each.compile("adam", Squared(), run_eagerly=True)
        flat = sources[:, 0, 0, 0]
        with pytest.raises(DataError, match=r"of the shape of the estimate, .*may be broadcast"):
            each.fit(x, flat, verbose=0)
        assert np.isfinite(each.fit(x, flat[:, None], verbose=0).history["loss"]).all()


class Scatter(keras.metrics.MeanSquaredError):
    def update_state(self, target, estimate, sample_weight=None):
        self.total.assign_add(ops.sum(ops.square(target - estimate)))
        self.count.assign_add(ops.cast(ops.size(target - estimate), "float32"))


def test_a_metric_of_ones_own_beside_a_loss_of_ones_own_has_nothing_to_broadcast(models, sources):
    link, flat = SemanticLink(models[0], _classifier(1)), sources[:, 0, 0, 0]
    link.compile("adam", _squared, metrics=[Scatter(name="scatter")])
    for target in (flat, flat[:, None], flat[:, None, None]):
        loss, scatter = link.evaluate(sources, target, batch_size=40, snr_db=200.0, verbose=0)
        np.testing.assert_allclose(scatter, loss, rtol=1e-5)


def _distance(truth, estimate):
    return ops.mean(ops.abs(truth - estimate), axis=-1)


@pytest.mark.parametrize("first", [False, True])
def test_metrics_of_ones_own_compare_the_shape_that_the_loss_compares(models, sources, first):
    receiver = _classifier(1)
    link = SemanticLink(models[0], receiver)
    link.compile("adam", "mse", metrics=[_distance])
    flat = sources.reshape(40, -1)[:, 0]
    estimate = np.asarray(receiver(models[0](sources)))[:, 0]
    for target in (flat, flat[:, None]) if first else (flat[:, None], flat):
        how = {"batch_size": 40, "snr_db": 200.0, "verbose": 0, "return_dict": True}
        found = link.evaluate(sources, target, **how)
        np.testing.assert_allclose(found["_distance"], np.mean(np.abs(flat - estimate)), rtol=1e-5)


@pytest.mark.parametrize("how", ["evaluate", "test_on_batch", "train_on_batch", "fit"])
def test_labels_n_and_n_1_may_follow_each_other_in_a_compiled_link(models, sources, labels, how):
    link = SecureLink(*models, _classifier(8), _classifier(8))
    link.compile(keras.optimizers.SGD(0.0))
    found = []
    for y in (labels, labels[:, None], labels):
        if how == "fit":
            batches = tf.data.Dataset.from_tensor_slices((sources, y)).batch(40)
            link.fit(batches, snr_db=200.0, verbose=0)
        else:
            further = {"batch_size": 40, "snr_db": 200.0, "verbose": 0} if how == "evaluate" else {}
            link.set_snr_db(200.0)
            link.reset_metrics()
            getattr(link, how)(sources, y, **further)
        found.append(float(link.get_metrics_result()["eve_confidence"]))
    np.testing.assert_allclose(found, found[0], rtol=1e-5)


def test_sources_with_an_axis_of_one_may_follow_those_without(models, sources):
    link = SemanticLink(*models[:2])
    link.compile("adam", "mse")
    for call in (link.predict, link.predict_on_batch):
        for each in (sources, sources[..., 0], sources):
            assert call(each[:8]).shape == sources[:8].shape


# Weights of sources


def test_weights_of_sources_are_dropped_by_no_evaluation(models, sources, labels):
    link = SemanticLink(*models[:2])
    link.compile("adam", "mse", run_eagerly=True)
    half = np.repeat([1.0, 0.0], 20)
    with pytest.raises(ConfigError, match="expected targets beside weights"):
        link.evaluate(sources, sample_weight=half, verbose=0)
    with pytest.raises(ConfigError, match="expected targets beside weights"):
        link.fit(sources, sources, validation_data=(sources, None, half), verbose=0)
    found = link.evaluate(sources, sources, sample_weight=list(half), snr_db=200.0, verbose=0)
    errors = np.mean(np.square(sources - np.asarray(models[1](models[0](sources)))), (1, 2, 3))
    np.testing.assert_allclose(found, np.mean(errors * half), rtol=1e-5)


def test_a_weight_is_that_of_a_source_also_of_pictures_as_wide_as_the_batch(models, sources):
    link = SemanticLink(*models[:2])
    link.compile(keras.optimizers.SGD(0.0), "mse", weighted_metrics=["mse"], run_eagerly=True)
    sources, weights = sources[:12], np.linspace(0.0, 2.0, 12)
    errors = np.square(sources - np.asarray(models[1](models[0](sources)))).mean(axis=(1, 2, 3))
    for batch_size in (6, 12):  # a picture is 6 wide; a loss of Keras's is [batch, 6, 6]
        how = {"sample_weight": weights, "snr_db": 200.0, "batch_size": batch_size, "verbose": 0}
        found = link.evaluate(sources, sources, return_dict=True, **how)
        np.testing.assert_allclose(found["loss"], np.mean(weights * errors), rtol=1e-5)
        np.testing.assert_allclose(found["mse"], np.average(errors, weights=weights), rtol=1e-5)
        trained = link.fit(sources, sources, **how).history["loss"][0]
        np.testing.assert_allclose(trained, np.mean(weights * errors), rtol=1e-5)


@pytest.mark.parametrize("eager", [False, True])
def test_weights_below_zero_are_refused_in_pipelines_and_evaluations_too(labels, eager):
    spy = EavesdropperLink(_classifier())
    spy.compile("adam", LOGITS, run_eagerly=eager)
    before = spy.classifier.get_weights()
    wrong = -np.ones(40, "float32")
    batches = tf.data.Dataset.from_tensor_slices((SIGNALS, labels, wrong)).batch(20)
    plain = tf.data.Dataset.from_tensor_slices((SIGNALS, labels)).batch(20)
    for call in (
        lambda: spy.fit(batches, verbose=0),
        lambda: spy.evaluate(batches, verbose=0),
        lambda: spy.fit(plain, class_weight={0: -1.0, 1: 1.0, 2: 1.0}, verbose=0),
        lambda: spy.evaluate(SIGNALS, labels, sample_weight=wrong, verbose=0),
        lambda: spy.train_on_batch(SIGNALS, labels, sample_weight=wrong),
    ):
        with pytest.raises((ConfigError, DataError), match="expected weights >= 0, got"):
            call()
    for one, other in zip(before, spy.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# What training moves


def test_a_rival_who_is_made_of_bobs_layers_does_not_move_them(models, sources, labels):
    transmitter, receiver, eve = models
    signal = keras.Input((8,))
    hidden = receiver.layers[1](signal)
    rival = keras.Model(signal, keras.layers.Dense(3)(hidden))
    link = MinMaxLink(transmitter, receiver, [eve, rival])
    with pytest.raises(ConfigError, match="expected receiver of weights of its own"):
        link.compile()
    SecureLink(transmitter, receiver, [eve, rival]).compile()  # where nobody moves her
    hidden = eve.get_layer("hidden_1")(signal)
    shared = keras.Model(signal, keras.layers.Dense(3)(hidden))
    with pytest.raises(ConfigError, match="expected eavesdroppers of weights of its own"):
        MinMaxLink(transmitter, receiver, [eve, shared]).compile()
    with pytest.raises(ConfigError, match="rivals who differ"):
        MinMaxLink(transmitter, receiver, [eve, eve])


def test_what_a_purge_adds_to_the_loss_itself_is_in_the_loss(labels):
    def link(regularizer):
        keras.utils.set_random_seed(0)
        module = build_purge((8,), 3)
        module.get_layer("hidden_1").kernel.regularizer = regularizer
        made = PurgeLink(module, build_eavesdropper((8,), 3, hidden=(8,)))
        made.compile(run_eagerly=True)
        return made

    plain, regularised = link(None), link(keras.regularizers.L2(0.5))
    kernel = np.asarray(regularised.module.get_layer("hidden_1").kernel)
    how = {"batch_size": 40, "verbose": 0}
    found = [each.evaluate(SIGNALS, labels, **how) for each in (plain, regularised)]
    np.testing.assert_allclose(found[1] - found[0], 0.5 * np.sum(kernel**2), rtol=1e-4)


def test_power_is_kept_from_when_the_link_is_told_to(models, sources, labels):
    link = SecureLink(*models, _classifier(8), _classifier(8))
    link.compile()
    sent = []
    for link.keep_power in (False, True, False):
        found = link.evaluate(sources, labels, batch_size=40, verbose=0, return_dict=True)
        sent.append(found["sent_power"])
    assert sent[0] == sent[2]
    assert sent[0] != pytest.approx(1.0, abs=1e-4)
    assert sent[1] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("kind", [SecureLink, MinMaxLink])
def test_a_restart_leaves_the_callers_random_numbers_as_they_are(models, sources, labels, kind):
    link = kind(*models)
    link.compile(run_eagerly=True)

    def drawn(work):
        np.random.seed(5)  # noqa: NPY002
        random.seed(5)
        work()
        return np.random.permutation(10).tolist(), random.random()  # noqa: NPY002

    untouched = drawn(lambda: None)
    assert drawn(lambda: link.restart(0)) == untouched
    how = {"batch_size": 40, "epochs": 2, "verbose": 0}
    how |= {"renew_every": 1} if kind is MinMaxLink else {}
    assert drawn(lambda: link.fit(sources, labels, **how)) == untouched


@pytest.mark.parametrize("kind", [SemanticLink, EavesdropperLink, SecureLink, MinMaxLink])
def test_an_optimiser_around_another_is_saved_and_loaded_as_half_precision_has_it(
    models, sources, labels, kind, tmp_path
):
    parts = {SemanticLink: models[:2], EavesdropperLink: models[2:]}.get(kind, models)
    x, y = (SIGNALS, labels) if kind is EavesdropperLink else (sources, labels)
    losses = {SemanticLink: {"loss": "mse"}, EavesdropperLink: {"loss": LOGITS}}
    link = kind(*parts)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-2), 8.0)
    link.compile(scaled, run_eagerly=True, **losses.get(kind, {}))
    data = {"x": x, "y": x if kind is SemanticLink else y, "batch_size": 40, "verbose": 0}
    link.fit(**data)
    link.save(tmp_path / "link.keras")
    loaded = keras.saving.load_model(tmp_path / "link.keras")
    assert loaded.optimizer.inner_optimizer.learning_rate == link.optimizer.learning_rate
    found = [each.fit(**data).history["loss"] for each in (link, loaded)]
    np.testing.assert_allclose(*found, rtol=1e-5)
    for one, other in zip(link.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)  # by the moments, too


@keras.saving.register_keras_serializable("test_misread")
class OnesOwn(keras.Model):
    def __init__(self, symbols=8, **kwargs):
        super().__init__(**kwargs)
        self.symbols, self.dense = symbols, keras.layers.Dense(symbols)

    def call(self, signal):
        return self.dense(signal)

    def get_config(self):
        return {**super().get_config(), "symbols": self.symbols}


@pytest.mark.parametrize("kind", [SecureLink, MinMaxLink])
def test_subclassed_modules_that_were_never_called_are_trained_in_a_compiled_link(
    models, sources, labels, kind
):
    link = kind(*models, OnesOwn(), OnesOwn())
    link.compile()
    before = [np.array(v) for v in link.trainable_variables]
    assert len(before) == 4
    history = link.fit(sources, labels, batch_size=40, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for one, other in zip(before, link.trainable_variables, strict=True):
        assert np.any(one != np.array(other))
    with pytest.raises(ConfigError, match=r"a module that gives signals shaped \(8,\), got \(6,\)"):
        kind(*models, OnesOwn(6), OnesOwn())
