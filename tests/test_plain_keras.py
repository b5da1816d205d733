"""What used to be misread without a word: refused by name, or taken as it is meant."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kept_models import _parts, models, refusing  # noqa: F401
from weights import equal, weights_of

from arn_keras import (
    AWGN,
    EavesdropperLink,
    MinMaxLink,
    SecureLink,
    SemanticLink,
    TrainingDiverged,
    attack_power_loss,
    eve_confidence,
    keep_power,
    mean_squared_error,
    unit_interval,
)
from arn_keras.errors import ArnError, ConfigError, DataError
from arn_keras.loss.composite import eve_logit_margin, mean_attack_power_loss
from arn_keras.training.transmit import transmit

layers = keras.layers
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _secure(models, **options):
    link = SecureLink(*models, seed=1)
    link.compile(keras.optimizers.Adam(1e-2), run_eagerly=True, **options)
    return link


# Shapes of labels and targets


@pytest.mark.parametrize("loss", [eve_confidence, eve_logit_margin])
def test_a_loss_reads_labels_in_a_column_as_labels(loss):
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    labels = np.array([0, 1, 2, 0, 1, 2])
    expected = float(loss(logits, labels))
    assert float(loss(logits, labels[:, None])) == expected
    assert float(loss(logits, labels.astype("float32"))) == expected
    with pytest.raises(DataError, match=r"class numbers.*\[6, 3\].*argmax"):
        loss(logits, np.eye(3)[labels])


def test_the_mse_takes_n_and_n_1_for_one_shape_and_refuses_to_broadcast():
    source, estimate = np.array([0.0, 1.0, 2.0], "float32"), np.zeros((3, 1), "float32")
    assert float(mean_squared_error(source, estimate)) == pytest.approx(5 / 3)
    assert float(mean_squared_error(estimate, source)) == pytest.approx(5 / 3)
    with pytest.raises(DataError, match=r"target of shape \[3, 4\], got \[3, 1\]"):
        mean_squared_error(estimate, np.zeros((3, 4), "float32"))
    with pytest.raises(DataError, match="floats for this loss, got uint8"):
        mean_squared_error(np.zeros((3, 1), "uint8"), estimate)


@pytest.mark.parametrize("loss", [attack_power_loss, mean_attack_power_loss])
def test_budgets_in_a_column_are_one_a_source(loss):
    delta = np.array([[1.0], [2.0], [3.0]], "float32")
    budgets = np.array([0.5, 1.0, 2.0], "float32")
    assert float(loss(delta, budgets[:, None])) == float(loss(delta, budgets))
    with pytest.raises(DataError, match=r"\[\] or \[batch\], got \[1, 3, 1\]"):
        loss(delta, budgets[None, :, None])


def test_one_hot_labels_are_refused_by_the_links(models, sources, labels):
    one_hot, spy = np.eye(3, dtype="float32")[labels], EavesdropperLink(models[2])
    spy.compile(loss=LOGITS)
    for link, x in ((_secure(models), sources), (spy, transmit(models[0], sources))):
        with pytest.raises(DataError, match="class numbers"):
            link.fit(x, one_hot, verbose=0)
        with pytest.raises(DataError, match="class numbers"):
            link.evaluate(x, one_hot, verbose=0)


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {}], ids=["eager", "graph"])
def test_labels_out_of_range_are_refused_in_a_pipeline_too(models, sources, labels, options):
    link = SecureLink(*models, _own_arn(), _own_arn())
    link.compile(**options)
    batches = tf.data.Dataset.from_tensor_slices((sources, labels + 1)).batch(20)
    with pytest.raises(DataError, match="expected labels from 0 to 2, got others"):
        link.fit(batches, verbose=0)


# Targets and their losses


def test_class_numbers_need_a_loss_of_class_numbers(models, sources, labels):
    transmitter, _, eve = models
    receiver = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    y = {"label": labels, "target": labels}
    with pytest.raises(DataError, match="class numbers need a loss of class numbers"):
        _secure((transmitter, receiver, eve)).fit(sources, y, verbose=0)
    with pytest.raises(ConfigError, match="from_logits=True for a model of logits"):
        _secure(
            (transmitter, receiver, eve), task_loss=keras.losses.SparseCategoricalCrossentropy()
        )
    link = SemanticLink(transmitter, receiver)
    link.compile(loss="mse", run_eagerly=True)
    with pytest.raises(DataError, match="class numbers need a loss of class numbers"):
        link.fit(sources, labels, verbose=0)
    with pytest.raises(ConfigError, match="from_logits=True for a model of logits"):
        link.compile(loss="sparse_categorical_crossentropy")


def test_a_forgotten_target_is_told_by_its_shape(models, sources, labels):
    receiver = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    with pytest.raises(DataError, match=r"target of shape \[\d+, 3\], got \[\d+, 6, 6, 1\]"):
        _secure((models[0], receiver, models[2])).fit(sources, labels, verbose=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": {"source": None, "mask": 0}}, "'source' and 'signal', got 'mask', which nobody"),
        ({"y": {"label": None, "mask": 0}}, "'label' and 'target', got 'mask', which nobody"),
        ({"y": None}, "expected labels, got none"),
        ({"snr_db": (1.0, 2.0, 3.0)}, "expected a finite snr_db, or"),
        ({"snr_db": "loud"}, "expected a finite snr_db, or"),
        ({"sample_weight": np.ones(40)}, "expected no sample_weight=: the composite loss"),
        ({"class_weight": {0: 1.0}}, "expected no class_weight=: the composite loss"),
        ({"loss_weights": {"task": 1.0}}, "expected three finite loss_weights"),
        ({"callbacks": "stop"}, "expected Keras callbacks, got str"),
    ],
)
def test_what_nobody_would_read_is_refused_by_name(refusing, sources, labels, change, message):
    given = {"x": sources, "y": labels, "verbose": 0, **change}
    for name, value in (("x", sources), ("y", labels)):
        if isinstance(given[name], dict):
            given[name] = dict.fromkeys(given[name], value)
    with pytest.raises(ArnError, match=message):
        refusing.fit(**given)


@pytest.mark.parametrize("kind", [SecureLink, MinMaxLink])
@pytest.mark.parametrize("name", ["loss", "metrics", "weighted_metrics"])
def test_arguments_of_compile_without_a_place_are_refused_by_name(models, kind, name):
    with pytest.raises(ConfigError, match=f"expected no {name}="):
        kind(*models).compile(**{name: "mse"})


def test_the_weights_of_the_loss_are_the_same_in_compile_and_in_fit(models):
    link = _secure(models, loss_weights=(1.0, 2.0, 3.0))
    np.testing.assert_array_equal(link.loss_weights, [1.0, 2.0, 3.0])


# Preprocessing


def test_8_bit_sources_need_a_preprocessing_or_a_target(models, labels):
    images = np.random.default_rng(1).integers(0, 256, (40, 6, 6, 1), "uint8")
    link = SemanticLink(*models[:2])
    link.compile(loss="mse", run_eagerly=True)
    for each, y in ((link, None), (_secure(models), labels)):
        with pytest.raises(DataError, match=r"arn_keras\.unit_interval.*got uint8"):
            each.fit(images, y, verbose=0)


def test_nothing_is_scaled_unasked_and_bytes_may_be_tokens(sources):
    tokens = np.random.default_rng(1).integers(0, 5, (40, 6), "uint8")
    transmitter = keras.Sequential(
        [keras.Input((6,), dtype="int32"), layers.Embedding(5, 2), layers.Flatten()]
    )
    receiver = keras.Sequential([keras.Input((12,)), layers.Dense(30), layers.Reshape((6, 5))])
    link = SemanticLink(transmitter, receiver)
    link.compile(keras.optimizers.Adam(0.05), LOGITS, run_eagerly=True)
    losses = link.fit(tokens, tokens, epochs=8, snr_db=20.0, batch_size=20, verbose=0).history
    assert losses["loss"][-1] < 0.7 * losses["loss"][0]
    np.testing.assert_allclose(
        transmit(transmitter, tokens), transmitter(tokens.astype("int32")), rtol=1e-6
    )


def test_a_layer_or_a_registered_function_preprocesses_and_is_saved(models, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (20, 6, 6, 1), "uint8")
    found = []
    for preprocessing in (unit_interval, layers.Rescaling(1 / 255)):
        link = SemanticLink(*models[:2], preprocessing=preprocessing)
        link.compile(loss="mse", run_eagerly=True)
        found.append(link.evaluate(images, verbose=0))
        link.save(tmp_path / "link.keras")
        again = keras.saving.load_model(tmp_path / "link.keras")
        found.append(again.evaluate(images, verbose=0))
    np.testing.assert_allclose(found, found[0], rtol=1e-5)
    with pytest.raises(ConfigError, match="registered with keras"):
        SemanticLink(*models[:2], preprocessing=lambda images: images / 255)


def test_a_mask_that_is_not_sent_is_said():
    transmitter = keras.Sequential([keras.Input((6,)), layers.Embedding(5, 2, mask_zero=True)])
    receiver = keras.Sequential([keras.Input((6, 2)), layers.Dense(5)])
    tokens = np.zeros((2, 6), "int32")
    with pytest.warns(UserWarning, match="has a Keras mask, which is not sent"):
        transmit(transmitter, tokens)
    with pytest.warns(UserWarning, match="'bob_channel'.* will therefore destroy the mask"):
        SemanticLink(transmitter, receiver)(tokens)


def test_weights_of_sources_and_classes_are_honoured_where_there_is_a_place(models, sources):
    labels = np.repeat([0, 1], 20)
    spy = EavesdropperLink(models[2])
    spy.compile(loss=LOGITS, run_eagerly=True)
    signals = transmit(models[0], sources)
    how = {"batch_size": 20, "shuffle": False, "verbose": 0}
    by_class = spy.fit(signals, labels[:, None], class_weight={0: 0.0, 1: 0.0}, **how)
    assert by_class.history["loss"] == [0.0]
    with pytest.raises(ConfigError, match="class_weight or sample_weight, got both"):
        spy.fit(signals, labels, class_weight={0: 1.0}, sample_weight=np.ones(40), **how)
    link = SemanticLink(*models[:2])
    link.compile(loss="mse", run_eagerly=True)
    how["sample_weight"] = np.zeros((40, 1, 1), "float32")
    assert link.fit(sources, sources, **how).history["loss"] == [0.0]
    with pytest.raises(ConfigError, match="expected targets beside weights"):
        link.fit(sources, **how)


# Models of one's own


def test_a_complex_signal_is_refused_with_what_to_do():
    signal = np.ones((2, 4), "complex64")
    with pytest.raises(DataError, match="got complex64: interleave"):
        AWGN()(signal, snr_db=0.0)
    inputs = keras.Input((4,))
    transmitter = keras.Model(inputs, keras.ops.cast(inputs, "complex64"))
    receiver = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    with pytest.raises(ConfigError, match="real signal, got complex64: interleave"):
        SemanticLink(transmitter, receiver)


@pytest.mark.parametrize("last", [layers.Softmax(), layers.Activation("softmax")])
def test_an_eve_who_ends_in_a_softmax_is_refused(models, last):
    eve = keras.Sequential([keras.Input((8,)), layers.Dense(3), last], name="eve")
    with pytest.raises(ConfigError, match="of logits, got 'eve', which ends in a softmax"):
        SecureLink(models[0], models[1], [models[2], eve])
    with pytest.raises(ConfigError, match="from_logits=False for a model of probabilities"):
        EavesdropperLink(eve).compile(loss=LOGITS)


def test_no_eavesdropper_is_refused(models):
    with pytest.raises(ConfigError, match="at least one eavesdropper, got none"):
        SecureLink(models[0], models[1], [])


def _own_arn(regularizer=None, name="own"):
    return keras.Sequential(
        [keras.Input((8,)), layers.Dense(8, kernel_regularizer=regularizer)], name=name
    )


def test_what_a_module_adds_to_the_loss_is_in_the_loss(models, sources, labels):
    def logs(regularizer):
        keras.utils.set_random_seed(0)
        link = SecureLink(*models, transmitter_arn=_own_arn(regularizer), seed=1)
        link.compile(run_eagerly=True, shards=2)
        return link.evaluate(sources, labels, batch_size=40, verbose=0, return_dict=True), link

    plain, link = logs(None)
    added, _ = logs(keras.regularizers.L2(0.5))
    kernel = link.transmitter_arn.get_weights()[0].astype(float)
    assert added["loss"] - plain["loss"] == pytest.approx(0.5 * (kernel**2).sum(), rel=1e-4)
    assert added["task_loss"] == plain["task_loss"]


def test_a_pair_still_trains_after_it_protected_an_eavesdroppers_link(models, sources, labels):
    link = _secure(models)
    spy = EavesdropperLink(models[2], protection=link.transmitter_arn)
    spy.compile(loss=LOGITS, run_eagerly=True)
    before = weights_of(link.transmitter_arn)
    spy.fit(transmit(models[0], sources), labels, batch_size=40, verbose=0)
    assert equal(before, weights_of(link.transmitter_arn))
    link.fit(sources, labels, batch_size=40, verbose=0)
    assert not any(
        np.array_equal(a, b) for a, b in zip(before, weights_of(link.transmitter_arn), strict=True)
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.dense = layers.Flatten(), layers.Dense(8)

    def call(self, source):
        return self.dense(self.flat(source))


def test_a_subclassed_transmitter_need_not_say_its_shape(models, sources, labels):
    link = _secure((Subclassed(), *models[1:]))
    assert np.isfinite(link.fit(sources, labels, batch_size=40, verbose=0).history["loss"][0])


def test_a_free_length_needs_modules_that_take_it(labels):
    transmitter = keras.Sequential([keras.Input((None, 2)), layers.Dense(4)])
    receiver = keras.Sequential([keras.Input((None, 4)), layers.Dense(2)])
    eve = keras.Sequential([keras.Input((None, 4)), layers.GlobalMaxPooling1D(), layers.Dense(3)])
    with pytest.raises(ConfigError, match=r"fixed shape .*, got \(None, 4\)"):
        SecureLink(transmitter, receiver, eve)
    modules = [keras.Sequential([keras.Input((None, 4)), layers.Dense(4)]) for _ in range(2)]
    link = SecureLink(transmitter, receiver, eve, *modules)
    link.compile(run_eagerly=True)
    sources = np.random.default_rng(0).uniform(size=(40, 5, 2)).astype("float32")
    assert np.isfinite(link.fit(sources, labels, batch_size=40, verbose=0).history["loss"][0])


def test_a_transmitter_of_several_inputs_takes_a_tuple_or_names(models, labels):
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    transmitter = keras.Model({"a": a, "b": b}, layers.Dense(8)(layers.Concatenate()([a, b])))
    receiver = keras.Sequential([keras.Input((8,)), layers.Dense(4)])
    rng = np.random.default_rng(0)
    source = {n: rng.normal(size=(40, k)).astype("float32") for n, k in (("a", 4), ("b", 3))}
    y = {"label": labels, "target": source["a"]}
    losses = []
    for how in ("arrays", "tf.data"):
        keras.utils.set_random_seed(0)
        link = _secure((transmitter, receiver, models[2]))
        data = {"x": {"source": source}, "y": y, "batch_size": 40, "shuffle": False}
        if how == "tf.data":
            data = {"x": tf.data.Dataset.from_tensor_slices(({"source": source}, y)).batch(40)}
        losses.append(link.fit(**data, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    with pytest.raises(DataError, match="expected a target for sources of several inputs"):
        link.fit({"source": source}, labels, verbose=0)


def test_a_loss_that_cannot_be_loaded_is_left_out_of_the_file_and_said(models, sources, tmp_path):
    link = _secure(models, task_loss=lambda s, e: keras.ops.mean((s - e) ** 2))
    with pytest.warns(UserWarning, match="saved without task_loss: .* compiled again"):
        link.save(tmp_path / "link.keras")
    again = keras.saving.load_model(tmp_path / "link.keras")
    found = [each.predict(sources, batch_size=40, verbose=0) for each in (link, again)]
    np.testing.assert_allclose(*found, rtol=1e-5)


# A new beginning, and a way back


@pytest.mark.parametrize(
    "build",
    [
        keras.optimizers.Nadam,
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Nadam()),
    ],
    ids=["Nadam", "a loss scale", "Nadam in a loss scale"],
)
def test_a_restart_gives_the_optimiser_its_beginning_whatever_that_is(
    models, sources, labels, build
):
    link = SecureLink(*models, _own_arn(), _own_arn(), seed=1)
    link.compile(build(), run_eagerly=True)
    found = []
    for _ in range(2):
        link.restart(7)
        link.fit(sources, labels, batch_size=20, verbose=0)
        found.append(weights_of(link.transmitter_arn, link.receiver_arn))
    assert np.isfinite(found[0][0]).all()
    assert equal(*found)


def test_modules_that_cannot_be_made_anew_are_refused_with_the_reason(models):
    module = keras.Sequential([keras.Input((8,)), layers.Lambda(lambda z: z)], name="mine")
    link = SecureLink(*models, transmitter_arn=module)
    link.compile()
    with pytest.raises(ConfigError, match="from_config makes anew, got 'mine'"):
        link.restart(1)


def test_after_a_nan_the_link_trains_on(models, sources, labels):
    poison = tf.Variable(1.0)
    link = _secure(models, task_loss=lambda s, e: poison * keras.ops.mean((s - e) ** 2))
    link.fit(sources, labels, batch_size=40, verbose=0)
    before = [np.array(v) for v in link.moving_variables()]
    poison.assign(float("nan"))
    with pytest.raises(TrainingDiverged, match="in epoch 2"):
        link.fit(sources, labels, batch_size=40, epochs=3, verbose=0)
    assert equal(before, [np.array(v) for v in link.moving_variables()])
    poison.assign(1.0)
    assert np.isfinite(link.fit(sources, labels, batch_size=40, verbose=0).history["loss"][0])


# Power


def test_the_power_is_kept_in_training_and_by_what_is_deployed(models, sources, labels, tmp_path):
    stretch = keras.Sequential([keras.Input((8,)), layers.Rescaling(1.5), layers.Dense(8)])
    link = SecureLink(*models, transmitter_arn=stretch)
    link.compile(run_eagerly=True)
    signal = transmit(models[0], sources)
    assert not np.allclose((np.asarray(link.signals(sources).sent) ** 2).mean(axis=1), 1.0)
    logs = link.fit(sources, labels, keep_power=True, batch_size=40, verbose=0).history
    assert logs["sent_power"][0] == pytest.approx(1.0, abs=1e-5)
    sent = np.asarray(link.signals(sources).sent)
    module = keep_power(link.transmitter_arn)
    module.save(tmp_path / "module.keras")
    module = keras.saving.load_model(tmp_path / "module.keras")
    np.testing.assert_allclose(module(signal), sent, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose((sent**2).mean(axis=1), (signal**2).mean(axis=1), rtol=1e-5)
    assert np.all(np.isfinite(module(np.zeros((2, 8), "float32"))))
