"""What a link is fed with: other shapes, text, no names or no classes are refused with one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kept_models import _parts, models, refusing  # noqa: F401

from arn_keras import EavesdropperLink, SecureLink, SemanticLink
from arn_keras.errors import ArnError, ConfigError, DataError
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.loss.composite import eve_confidence
from arn_keras.loss.tokens import masked_cross_entropy
from arn_keras.pair.arn import build_transmitter_arn
from arn_keras.training.classes import target_numbers
from arn_keras.training.taken import taken_by

layers = keras.layers
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
WORDS = np.array(["a", "b"] * 20)


def _secure(models, graph=False, **options):
    link = SecureLink(*models, seed=1)
    link.compile(run_eagerly=not graph, **options)
    return link


def _of_classes(models, **options):
    """A link whose receiver names one of three classes."""
    receiver = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    pair = [keras.Sequential([keras.Input((8,)), layers.Dense(8)]) for _ in range(2)]
    return _secure((models[0], receiver, models[2], *pair), task_loss=LOGITS, **options)


def _refused(message, call, *args, **kwargs):
    with pytest.raises(ArnError, match=message) as refused:
        call(*args, **kwargs)
    assert "\n" not in str(refused.value)


# Names, kinds and shapes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, (y, x)), "expected labels, or {'label': .*, got 2 arrays without names"),
        (lambda x, y: (x, [y, x]), "got 2 arrays without names"),
        (lambda x, y: (x, {"label": {"label": y}}), r"labels as class numbers, .*, got dict"),
        (lambda x, y: (x, set(y.tolist())), "expected arrays, or a data set of batches, got set"),
        (lambda x, y: (x, "labels"), "expected arrays, .*, got str"),
        (lambda x, y: (x, 1), "expected arrays, .*, got int"),
        (lambda x, y: (x, [str(c) for c in y]), r"class numbers, got text: .*numpy\.unique"),
        (lambda x, y: (x, [[0], [0, 1]] * 20), "expected lists of one length, got others"),
        (lambda x, y: (x, tf.constant(1)), "at least one source"),
        (lambda x, y: (x, tf.sparse.from_dense(y)), "class numbers, .* got SparseTensor"),
        (lambda x, y: ("data.npz", y), "expected arrays, or a data set of batches, got str"),
        (lambda x, y: (lambda: x, y), "data set of batches, got function"),
        (lambda x, y: (keras.Input((6, 6, 1)), y), "got KerasTensor"),
        (lambda x, y: (WORDS, y), "expected numbers for 'transmitter', got text"),
        (lambda x, y: (WORDS.tolist(), y), "expected numbers for 'transmitter', got text"),
        (lambda x, y: (list(x), y), "inputs, 1, got 40: of a list of sources .* numpy.stack"),
        (lambda x, y: (x[:, :5], y), r"\[6, 6, 1\] a source for 'transmitter', got \[5, 6, 1\]"),
        (lambda x, y: (x[:, 0, 0, 0], y), r"\[6, 6, 1\] a source for 'transmitter', got \[\]"),
        (
            lambda x, y: ({"source": x, "signal": x[:, :4, 0, 0]}, y),
            "the transmitter makes of these",
        ),
        (lambda x, y: (np.zeros(40, [("a", "f4")]), y), "arrays of numbers, got fields a"),
        (lambda x, y: ([tf.data.Dataset.from_tensor_slices((x, y))], None), "data set of batches"),
    ],
)
def test_what_is_no_source_or_label_is_refused_with_one_line(
    refusing, sources, labels, change, message
):
    x, y = change(sources, labels)
    _refused(message, refusing.fit, x, y, verbose=0)


@pytest.mark.parametrize("kind", [SemanticLink, EavesdropperLink, SecureLink])
def test_text_and_other_shapes_are_refused_by_every_way_into_every_link(
    models, sources, labels, signals, kind
):
    link = (
        kind(models[2]) if kind is EavesdropperLink else kind(*models[: 2 + (kind is SecureLink)])
    )
    loss = {SemanticLink: {"loss": "mse"}, EavesdropperLink: {"loss": LOGITS}, SecureLink: {}}
    link.compile(run_eagerly=True, **loss[kind])
    wrong = (signals if kind is EavesdropperLink else sources)[:, :5]
    for how in ("fit", "evaluate", "predict", "train_on_batch", "__call__"):
        y = () if how in ("predict", "__call__") else (sources if kind is SemanticLink else labels,)
        quiet = {"verbose": 0} if how in ("fit", "evaluate", "predict") else {}
        _refused("expected numbers for .*, got text", getattr(link, how), WORDS, *y, **quiet)
        _refused(r"a source for '.*', got \[5", getattr(link, how), wrong, *y, **quiet)


@pytest.fixture
def signals():
    return np.random.default_rng(1).normal(size=(40, 8)).astype("float32")


def test_an_axis_of_one_may_be_there_or_not_as_keras_has_it(models, sources, labels):
    link, how = _secure(models), {"batch_size": 40, "verbose": 0}
    expected = link.evaluate(sources, labels, **how)
    assert link.evaluate(sources[..., 0], labels, **how) == expected
    assert link.evaluate([sources], [labels], **how) == expected
    assert link.evaluate(sources, list(labels), **how) == expected


def test_text_is_taken_by_a_model_that_takes_text():
    words = keras.Input((1,), dtype="string", name="words")
    hashed = layers.Hashing(16, output_mode="one_hot")(words)
    transmitter = keras.Model(words, layers.Dense(8)(hashed))
    link = SemanticLink(transmitter, keras.Sequential([keras.Input((8,)), layers.Dense(2)]))
    link.compile("adam", LOGITS, run_eagerly=True)
    y = (WORDS == "b").astype("int32")
    assert np.isfinite(link.fit(WORDS[:, None], y, verbose=0).history["loss"][0])
    with pytest.raises(DataError, match=r"expected text for .*, got numbers"):
        taken_by(transmitter, tf.ones((4,)))


def test_the_inputs_of_several_are_told_by_name():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    joined = layers.Concatenate()([a, b])
    for model in (
        keras.Model([a, b], joined, name="t"),
        keras.Model({"a": a, "b": b}, joined, name="t"),
    ):
        one, other = tf.ones((2, 4)), tf.ones((2, 3))
        assert taken_by(model, {"a": one, "b": other})["a"] is one
        with pytest.raises(DataError, match="the inputs 'a', 'b' of 't', got 'a', 'c'"):
            taken_by(model, {"a": one, "c": other})
        with pytest.raises(DataError, match=r"expected \[4\] a source for 't', got \[3\]"):
            taken_by(model, {"a": other, "b": one})
        with pytest.raises(DataError, match=r"inputs, 2, got 1$"):
            taken_by(model, one)


@pytest.mark.parametrize("of", ["sources", "labels"])
def test_a_data_set_that_does_not_say_its_axes_is_refused_with_what_to_do(
    models, sources, labels, of
):
    specs = [tf.TensorSpec((None, 6, 6, 1), "float32"), tf.TensorSpec((None,), "int32")]
    place = ("sources", "labels").index(of)
    specs[place] = tf.TensorSpec(None, specs[place].dtype)
    batches = tf.data.Dataset.from_generator(
        lambda: iter([(sources, labels)]), output_signature=tuple(specs)
    )
    message = f"expected {of}.* of a known number of axes, .* tf.ensure_shape"
    _refused(message, _secure(models, graph=True).fit, batches, verbose=0)


def test_an_epoch_without_a_batch_is_no_epoch(models, sources, labels):
    nothing = tf.data.Dataset.from_tensor_slices((sources, labels)).batch(8).take(0)
    with pytest.warns(UserWarning, match="ran out of data"):
        _refused("expected at least one batch an epoch, got none", _secure(models).fit, nothing)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_measured_by_no_link(models, sources, labels, wrong):
    bad = np.where(np.arange(40)[:, None, None, None] == 3, wrong, sources)
    link = _secure(models)
    for call in (link.evaluate, link.train_on_batch):
        _refused("expected finite sources, .* got NaN or infinity", call, bad, labels)
    _refused("expected finite", link.fit, sources, labels, validation_data=(bad, labels))


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {}, {"jit_compile": True}])
def test_what_is_not_finite_is_measured_and_learnt_of_no_pipeline(models, signals, labels, how):
    spy = EavesdropperLink(models[2])
    spy.compile("adam", LOGITS, **how)
    for wrong in (np.nan, -np.inf):
        bad = np.where(np.arange(40)[:, None] == 3, wrong, signals).astype("float32")
        batches = tf.data.Dataset.from_tensor_slices((bad, labels)).batch(40)
        before = models[2].get_weights()
        for call in (spy.evaluate, spy.fit):
            _refused("expected finite sources, .* got NaN or infinity", call, batches)
        for one, other in zip(before, models[2].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {}, {"jit_compile": True}])
def test_what_is_not_finite_is_no_prediction(models, sources, how):
    link = SemanticLink(*models[:2])
    link.compile("adam", "mse", **how)
    bad = np.where(np.arange(40)[:, None, None, None] == 3, np.nan, sources).astype("float32")
    message = "expected finite sources, .* got NaN or infinity"
    for data in (bad, tf.data.Dataset.from_tensor_slices(bad).batch(40), _generated(bad)):
        size = {"batch_size": 40} if data is bad else {}
        _refused(message, link.predict, data, **size)
    _refused(message, link.predict_on_batch, bad)
    good = tf.data.Dataset.from_tensor_slices(sources).batch(40)
    expected = link.predict(sources, batch_size=40)
    np.testing.assert_allclose(link.predict(good), expected, rtol=1e-5, atol=1e-6)


def _generated(sources):
    yield (sources,)


def test_validation_data_are_taken_as_training_data_are(models, sources, labels):
    link = _secure(models)
    found = [
        link.fit(sources, labels, 40, validation_data=data, verbose=0, snr_db=99.0).history
        for data in (
            (sources, labels),
            [sources, labels[:, None]],
            (sources.tolist(), labels.tolist()),
            tf.data.Dataset.from_tensor_slices((sources, labels)).batch(40),
        )
    ]
    assert all(np.isfinite(each["val_loss"]).all() for each in found)
    _refused("got text", link.fit, sources, labels, validation_data=(WORDS, labels))
    _refused(
        "without names", link.fit, sources, labels, validation_data=(sources, (labels, labels))
    )
    _refused("got float", link.fit, sources, labels, validation_data=0.2)


# Targets that are classes


@pytest.mark.parametrize("options", [{}, {"graph": True}, {"graph": True, "jit_compile": True}])
def test_targets_that_are_no_class_are_refused_in_arrays_and_pipelines(
    models, sources, labels, options
):
    link = _of_classes(models, **options)
    before = [np.array(v) for v in link.trainable_variables]
    for wrong, found in ((labels + 1, "1 to 3"), (labels - 1, "-1 to 1"), (labels + 0.5, "0.5")):
        y = {"label": labels, "target": wrong}
        _refused(f"targets from 0 to 2, got {found}", link.fit, sources, y, verbose=0)
        batches = tf.data.Dataset.from_tensor_slices((sources, y)).batch(40)
        _refused("targets from 0 to 2, got others", link.fit, batches, verbose=0)
    for variable, value in zip(link.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    one_hot = {"label": labels, "target": np.eye(3)[labels]}
    _refused("a target of class numbers, .* argmax", link.fit, sources, one_hot, verbose=0)


@pytest.mark.parametrize("loss", [LOGITS, [LOGITS], {"logits": LOGITS}])
def test_a_loss_in_a_list_or_a_dictionary_is_the_loss(models, signals, labels, sources, loss):
    receiver = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    link, spy = SemanticLink(models[0], receiver), EavesdropperLink(models[2])
    for each, x, name in ((link, sources, "targets"), (spy, signals, "labels")):
        each.compile("adam", loss, run_eagerly=True)
        _refused(f"{name} from 0 to 2, got 1 to 3", each.fit, x, labels + 1, verbose=0)
        assert np.isfinite(each.fit(x, labels, batch_size=40, verbose=0).history["loss"][0])
    with pytest.raises(ConfigError, match="from_logits=True for a model of logits"):
        spy.compile(loss=["sparse_categorical_crossentropy"])


def test_a_class_that_the_loss_ignores_may_be_any_number():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    target, shape = np.array([[0, -1], [2, 1]]), (2, 4)
    two, three = (keras.Sequential([keras.Input(shape), layers.Dense(c)]) for c in (2, 3))
    assert target_numbers(loss, target, three, shape) is target
    assert target_numbers(keras.losses.mean_squared_error, target, three, shape) is target
    np.testing.assert_array_equal(target_numbers(loss, tf.constant(target), three, shape), target)
    for given in (target, tf.constant(target)):
        with pytest.raises((DataError, tf.errors.InvalidArgumentError), match="from 0 to 1, got"):
            target_numbers(loss, given, two, shape)
        with pytest.raises((DataError, tf.errors.InvalidArgumentError), match="from 0 to 2, got"):
            target_numbers(masked_cross_entropy, given, three, shape)


def test_tokens_of_floats_are_tokens():
    tokens, scores = (
        np.array([[1, 2, 0], [3, 3, 0]]),
        np.random.default_rng(0).normal(size=(2, 3, 4)),
    )
    found = masked_cross_entropy(tokens.astype("float32"), scores)
    np.testing.assert_array_equal(found, masked_cross_entropy(tokens, scores))


def test_a_confidence_of_labels_that_are_no_class_is_none():
    logits, labels = np.eye(3, dtype="float32"), np.array([0, 1, 2])
    for wrong, message in (
        (labels + 1, "labels from 0 to 2, got 1 to 3"),
        (labels - 1, "got -1 to 1"),
        (tf.constant(labels + 1), "got 1 to 3"),
        (labels[:1], "expected 3 labels, one a row of logits, got 1"),
    ):
        with pytest.raises(DataError, match=message):
            eve_confidence(logits, wrong)
    with pytest.raises(
        DataError, match=r"expected logits, \[batch, classes\], got the shape \[3\]"
    ):
        eve_confidence(logits[0], labels)


# What compile and the constructor are given


@pytest.mark.parametrize(
    "metric",
    ["categorical_accuracy", keras.metrics.CategoricalAccuracy(), keras.metrics.F1Score()],
)
def test_a_metric_of_one_hot_labels_is_refused_beside_a_loss_of_class_numbers(models, metric):
    spy = EavesdropperLink(models[2])
    with pytest.raises(ConfigError, match=r"expected metrics of class numbers, .* take 'accuracy'"):
        spy.compile(loss=LOGITS, metrics=[metric])
    with pytest.raises(ConfigError, match="SparseCategoricalCrossentropy with from_logits=True"):
        spy.compile(loss=LOGITS, metrics=[keras.metrics.SparseCategoricalCrossentropy()])
    spy.compile(loss=LOGITS, metrics=["accuracy", "sparse_categorical_accuracy"])


@pytest.mark.parametrize("loss", ["mse", "hinge", keras.losses.CategoricalCrossentropy(True)])
def test_class_numbers_for_a_loss_of_vectors_are_refused(models, signals, labels, loss):
    spy = EavesdropperLink(models[2])
    spy.compile(loss=loss, run_eagerly=True)
    _refused(r"a target of shape \[\d+, 3\], got \[\d+\]", spy.fit, signals, labels, verbose=0)
    one_hot = np.eye(3, dtype="int32")[labels]
    assert np.isfinite(spy.fit(signals, one_hot, verbose=0).history["loss"][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"privacy_loss": LOGITS}, "a function of arn_keras.loss as privacy_loss, got a loss of K"),
        ({"power_loss": keras.losses.MeanSquaredError}, "expected a function as power_loss"),
        ({"steps_per_execution": 0}, "expected steps_per_execution >= 1, got 0"),
        ({"shards": True}, "expected shards >= 1, got True"),
    ],
)
def test_what_compile_would_misread_is_refused(models, options, message):
    _refused(message, SecureLink(*models).compile, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1.5}, "expected epochs >= 0, got 1.5"),
        ({"initial_epoch": -1}, "expected initial_epoch >= 0, got -1"),
        ({"snr_db": True}, "expected a finite snr_db"),
        ({"psr_db": True}, "expected a finite psr_db"),
        ({"keep_power": "yes"}, "expected keep_power True or False, got 'yes'"),
        ({"callbacks": keras.callbacks.EarlyStopping}, "Keras callbacks, got EarlyStopping"),
        ({"validation_split": "0.2"}, "expected a validation_split of 40 sources, got 0.2"),
    ],
)
def test_what_fit_would_misread_is_refused(refusing, sources, labels, options, message):
    _refused(message, refusing.fit, sources, labels, **options)


@pytest.mark.parametrize("seed", [None, -1, 1.5, "adam"])
def test_a_seed_is_a_whole_number(models, refusing, seed):
    _refused("expected (a )?seed >= 0, got", SecureLink, *models, seed=seed)
    _refused("expected (a )?seed >= 0, got", refusing.restart, seed)


def test_a_link_wants_an_optimiser_and_one_of_its_own(models, sources, labels):
    optimizer, first = keras.optimizers.Adam(), SecureLink(*models)
    for _ in range(2):  # the same link may be compiled with it again
        first.compile(optimizer, run_eagerly=True)
        first.fit(sources, labels, batch_size=40, verbose=0)
    _refused("an optimizer of its own, got 'adam.*', .* anew", _secure, models, optimizer=optimizer)
    _refused(
        "expected an optimizer in compile", _secure(models, optimizer=None).fit, sources, labels
    )


def test_what_would_leave_a_link_broken_is_refused(models, tmp_path):
    link = _secure(models)
    _refused("a file that ends in .keras, got .*link.h5", link.save, tmp_path / "link.h5")
    _refused("no quantize of a link", link.quantize, "int8")
    protection = build_transmitter_arn((4,))
    _refused(r"signals shaped \(8,\), got \(4,\)", EavesdropperLink, models[2], protection)
    _refused("pauses True or False", SecureLink, *models, pauses="yes")
    assert EavesdropperLink(build_eavesdropper((4,), 3), protection).protection is protection
