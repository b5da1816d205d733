"""What callers hand to a link in all the shapes that people have: meant, or one clear line."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from kept_models import _parts, models, refusing  # noqa: F401

from arn_keras import EavesdropperLink, SecureLink, SemanticLink
from arn_keras.errors import ConfigError, DataError
from arn_keras.training import arrays, given

layers = keras.layers
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture
def signals():
    return np.random.default_rng(1).normal(size=(40, 8)).astype("float32")


def _spy(classifier, **options):
    link = EavesdropperLink(classifier, seed=1)
    link.compile("adam", **{"loss": LOGITS, "run_eagerly": True, **options})
    return link


def _eve(units, activation=None, name="eve"):
    return keras.Sequential(
        [keras.Input((8,)), layers.Dense(units, activation=activation)], name=name
    )


class Subclassed(keras.Model):
    def __init__(self, units, activation=None):
        super().__init__(name="subclassed")
        self.dense = layers.Dense(units, activation=activation)

    def call(self, signal):
        return self.dense(signal)


class Table:
    """What pandas and its like have of an array."""

    def __init__(self, values):
        self._values = values

    def to_numpy(self):
        return self._values


# Labels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: np.array(list("abc"))[c], r"class numbers, got text: .*numpy\.unique"),
        (lambda c: c.astype(object), "arrays of numbers, got object"),
        (lambda c: c.astype("complex64"), "class numbers, got complex64"),
        (lambda c: c + 0.5, "class numbers, got 0.5"),
        (lambda c: np.where(c == 2, np.nan, c), "expected finite .*, got NaN"),
        (lambda c: c - 1, "from 0 to 2, got -1 to 1"),
        (lambda c: c[:0], r"at least one source, got an array of shape \(0,\)"),
        (lambda c: c[:39], "arrays of one length, got 40, 39"),
        (lambda c: c[0], "at least one source"),
        (lambda c: np.ma.masked_array(c, c == 1), "masked array: fill it"),
    ],
)
def test_what_is_no_label_is_refused_with_one_line(models, signals, labels, change, message):
    with pytest.raises(DataError, match=message) as refused:
        _spy(models[2]).fit(signals, change(labels), verbose=0)
    assert "\n" not in str(refused.value)


def test_lists_and_tables_are_the_arrays_that_they_hold(models, signals, labels):
    def trained(x, y):
        keras.utils.set_random_seed(0)
        link = _spy(_eve(3))
        link.fit(x, y, batch_size=40, verbose=0)
        return [link.evaluate(x, y, batch_size=40, verbose=0), *link.classifier.get_weights()]

    expected = trained(signals, labels)
    for x, y in (
        (signals.tolist(), labels.tolist()),
        (Table(signals), Table(labels[:, None])),
        (tf.constant(signals), tf.constant(labels)),
    ):
        for found, wanted in zip(trained(x, y), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "float16"])
def test_labels_of_any_width_are_told_from_any_number_of_classes(signals, labels, dtype):
    link = _spy(_eve(256), run_eagerly=False)
    batches = tf.data.Dataset.from_tensor_slices((signals, labels.astype(dtype))).batch(40)
    assert np.isfinite(link.evaluate(batches, verbose=0))


def test_a_part_of_a_class_number_is_refused_in_a_pipeline_too(models, signals, labels):
    batches = tf.data.Dataset.from_tensor_slices((signals, labels + 0.5)).batch(20)
    with pytest.raises(DataError, match="labels from 0 to 2, got others"):
        _spy(models[2]).fit(batches, verbose=0)


@pytest.mark.parametrize("how", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_labels_out_of_range_are_refused_where_xla_compiles_the_step(models, sources, labels, how):
    link = SecureLink(*models, _eve(8), _eve(8))
    link.compile(jit_compile=True)
    wrong, options = (sources, labels + 1), {}
    if how in ("fit", "evaluate"):
        wrong = (tf.data.Dataset.from_tensor_slices(wrong).batch(40),)
        options = {"verbose": 0}
    before = [np.array(v) for v in link.trainable_variables]
    with pytest.raises(DataError, match="expected labels from 0 to 2, got") as refused:
        getattr(link, how)(*wrong, **options)
    assert "\n" not in str(refused.value)
    for variable, value in zip(link.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


# Weights, sizes, levels


@pytest.mark.parametrize("weights", [[1.0, 2.0], {"0": 1.0}])
def test_weights_of_classes_that_nobody_would_find_are_refused(models, signals, labels, weights):
    with pytest.raises(ConfigError, match=r"class_weight as \{class number: weight\}"):
        _spy(models[2]).fit(signals, labels, class_weight=weights, verbose=0)


@pytest.mark.parametrize("size", [0, -1, 2.5])
@pytest.mark.parametrize("name", ["batch_size", "devices", "shards"])
def test_sizes_that_cannot_be_are_refused_by_name(refusing, sources, labels, name, size):
    fit = functools.partial(refusing.fit, sources, labels)
    call = refusing.compile if name == "shards" else fit
    with pytest.raises(ConfigError, match=f"expected {name} >= 1, got {size}"):
        call(**{name: size})


@pytest.mark.parametrize(
    "level", ["loud", [1.0, 2.0], float("nan"), float("-inf"), True, np.True_, 10**400]
)
def test_a_budget_that_is_no_level_is_refused(refusing, sources, labels, level):
    with pytest.raises(ConfigError, match="expected a finite psr_db, got"):
        refusing.fit(sources, labels, psr_db=level, verbose=0)
    assert given.level_db("psr_db", np.float32(-3)) == -3.0


@pytest.mark.parametrize("level", [1e300, -301, (0.0, 400.0)])
def test_a_level_whose_ratio_no_float_has_is_refused(refusing, sources, labels, level):
    with pytest.raises(ConfigError, match="expected a snr_db between -300 and 300, got"):
        refusing.fit(sources, labels, snr_db=level, verbose=0)


def test_a_batch_smaller_than_its_shards_is_refused_with_one_line(models, sources, labels):
    link = SecureLink(*models)
    link.compile(shards=4, run_eagerly=True)
    with pytest.raises(DataError, match=r"^expected batches of at least 4$"):
        link.fit(sources, labels, batch_size=38, verbose=0)


@pytest.mark.parametrize("name", ["task_loss", "privacy_loss", "power_loss"])
def test_a_term_that_is_no_function_is_refused_by_name(refusing, name):
    with pytest.raises(ConfigError, match=f"expected a function as {name}, got None"):
        refusing.compile(**{name: None})


# Sources


@pytest.mark.parametrize("kind", [tf.RaggedTensor.from_tensor, tf.sparse.from_dense])
def test_sources_that_are_not_dense_need_a_target(kind):
    transmitter = keras.Sequential([keras.Input((6,)), layers.Dense(8)])
    receiver = keras.Sequential([keras.Input((8,)), layers.Dense(6)])
    link = SemanticLink(transmitter, receiver)
    with pytest.raises(DataError, match=r"dense sources, or a target, got (Ragged|Sparse)Tensor"):
        link.prepared((kind(tf.ones((4, 6))),))


def test_no_sources_at_all_are_refused(models):
    link = SemanticLink(*models[:2])
    link.compile(loss="mse")
    for call in (link.fit, link.evaluate, link.predict):
        with pytest.raises(DataError, match="expected sources, got none"):
            call(None, verbose=0)


def test_an_error_of_a_call_is_one_line_without_the_frame_that_keras_sets(models, sources):
    link = SemanticLink(*models[:2])
    with pytest.raises(DataError) as refused:
        link.predict({"image": sources}, verbose=0)
    assert str(refused.value) == "expected 'source', got 'image', which nobody reads"


def test_a_tuple_of_arrays_stays_several_inputs_and_text_stays_text():
    two = arrays.as_arrays([np.ones(2), {"a": np.ones(2)}])
    assert isinstance(two, tuple)
    assert two[1]["a"].shape == (2,)
    words = np.array(["one", "two"], object)
    assert arrays.as_arrays(words) is words
    with pytest.raises(DataError, match="arrays of numbers, got object"):
        arrays.as_arrays(np.array([1, None], object))
    with pytest.raises(DataError, match="arrays of numbers, got datetime64"):
        arrays.as_arrays(np.array(["2024-01-01"], "datetime64[D]"))


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self._x, self._y, self.asked = x, y, []

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.asked.append(index)
        return self._x[4 * index : 4 * index + 4], self._y[4 * index : 4 * index + 4]


def test_batches_of_a_pydataset_are_shuffled_as_keras_shuffles_them(models, signals, labels):
    shuffled, ordered = Batches(signals, labels), Batches(signals, labels)
    _spy(models[2]).fit(shuffled, verbose=0)
    _spy(models[2]).fit(ordered, shuffle=False, verbose=0)
    assert sorted(set(shuffled.asked)) == sorted(set(ordered.asked)) == list(range(10))
    assert ordered.asked[-10:] == list(range(10)) != shuffled.asked[-10:]


# Models


@pytest.mark.parametrize(
    ("eve", "message"),
    [
        (lambda: _eve(3, "sigmoid"), "of logits, got 'eve', which ends in a sigmoid"),
        (lambda: _eve(1), "two or more classes, got 'eve' of outputs shaped"),
        (lambda: Subclassed(3, "softmax"), "got 'subclassed', which ends in a softmax"),
        (lambda: [_eve(3), _eve(2)], "one number of classes, got 3, 2"),
        (lambda: None, "an eavesdropper that is a Keras model, got NoneType"),
        (
            lambda: keras.Sequential(
                [keras.Input((8,)), layers.Reshape((8, 1)), layers.Dense(3)], name="eve"
            ),
            "one logit for each",
        ),
    ],
)
def test_an_eve_whose_answers_would_be_misread_is_refused(models, eve, message):
    with pytest.raises(ConfigError, match=message):
        SecureLink(models[0], models[1], eve())


def test_a_subclassed_eve_is_trained_and_read_as_any_other(models, signals, sources, labels):
    eve = Subclassed(3)
    spy = _spy(eve)
    assert np.isfinite(spy.fit(signals, labels, batch_size=40, verbose=0).history["loss"][0])
    with pytest.raises(DataError, match="from 0 to 2, got 1 to 3"):
        spy.fit(signals, labels + 1, verbose=0)
    with pytest.raises(ConfigError, match="from_logits=False for a model of probabilities"):
        _spy(Subclassed(3, "softmax")).fit(signals, labels, verbose=0)
    link = SecureLink(models[0], models[1], eve)
    link.compile(run_eagerly=True)
    assert np.isfinite(link.fit(sources, labels, batch_size=40, verbose=0).history["loss"][0])


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_a_binary_loss_is_for_the_end_that_the_model_has(signals, labels, activation):
    right = keras.losses.BinaryCrossentropy(from_logits=activation is None)
    link = _spy(_eve(1, activation), loss=right)
    column = link.evaluate(signals, (labels % 2)[:, None], verbose=0)
    assert link.evaluate(signals, labels % 2, verbose=0) == column
    wrong = keras.losses.BinaryCrossentropy(from_logits=activation is not None)
    with pytest.raises(ConfigError, match="expected BinaryCrossentropy with from_logits="):
        _spy(_eve(1, activation), loss=wrong)


def test_small_logits_that_are_all_positive_by_chance_do_not_pass_for_a_sigmoid(signals, labels):
    small = layers.Dense(3, kernel_initializer=keras.initializers.Constant(0.01))
    eve = keras.Sequential([keras.Input((8,)), small])
    small.bias.assign([0.4, 0.5, 0.6])
    assert 0 < np.min(eve(signals)) < np.max(eve(signals)) < 1
    spy = _spy(eve)
    assert np.isfinite(spy.fit(signals, labels, batch_size=40, verbose=0).history["loss"][0])


def _two_ends(ends, several):
    given_ = [keras.Input((8,), name=f"end_{index}") for index in range(ends)]
    made = layers.Dense(8)(given_[0] if ends == 1 else layers.Concatenate()(given_))
    return keras.Model(given_ if ends > 1 else given_[0], [made, made] if several else made)


@pytest.mark.parametrize(
    ("place", "model", "message"),
    [
        ("receiver", lambda: _two_ends(2, False), "a receiver of one input.*'end_0', 'end_1'"),
        ("receiver", lambda: _two_ends(1, True), "a receiver of one output, a tensor, got list"),
        ("receiver", lambda: abs, "a receiver that is a Keras model, got builtin"),
        ("transmitter", lambda: "t", "a transmitter that is a Keras model, got str"),
        ("transmitter_arn", lambda: _two_ends(2, False), "a module of one input, the signal"),
        ("transmitter_arn", lambda: _eve(9), r"gives signals shaped \(8,\), got \(9,\)"),
        ("receiver_arn", lambda: _eve(1), r"gives signals shaped \(8,\), got \(1,\)"),
    ],
)
def test_a_model_that_does_not_fit_its_place_is_refused_where_it_is_given(
    models, place, model, message
):
    parts = dict(zip(("transmitter", "receiver", "eavesdroppers"), models, strict=True))
    with pytest.raises(ConfigError, match=message):
        SecureLink(**{**parts, place: model()})


class Scaled(layers.Layer):
    def build(self, shape):
        self.used = self.add_weight(shape=shape[1:], initializer="ones")
        self.unused = self.add_weight(shape=shape[1:], initializer="ones")

    def call(self, signal):
        return signal * self.used


def test_a_weight_that_nothing_depends_on_and_modules_without_any_do_no_harm(
    models, sources, labels
):
    layer = Scaled()
    module = keras.Sequential([keras.Input((8,)), layer])
    link = SecureLink(*models, module)
    link.compile(shards=2, run_eagerly=True)
    with pytest.warns(UserWarning, match="[Gg]radient"):
        link.fit(sources, labels, batch_size=40, verbose=0)
    np.testing.assert_array_equal(layer.unused, np.ones(8))
    assert not np.array_equal(layer.used, np.ones(8))
    plain = [keras.Sequential([keras.Input((8,)), layers.Activation("linear")]) for _ in range(2)]
    link = SecureLink(*models, *plain)
    link.compile(run_eagerly=True)
    with pytest.warns(UserWarning, match="no trainable weights"):
        history = link.fit(sources, labels, batch_size=40, verbose=0).history
    assert history["perturbation_power"] == [0.0]


# A way back


@pytest.mark.parametrize("kind", [SemanticLink, SecureLink])
def test_weights_alone_bring_back_the_optimiser_before_any_step(
    models, sources, labels, tmp_path, kind
):
    def link():
        keras.utils.set_random_seed(0)
        found = kind(*[keras.models.clone_model(m) for m in models[: 2 + (kind is SecureLink)]])
        found.compile("adam", run_eagerly=True, **({"loss": "mse"} if kind is SemanticLink else {}))
        return found

    data = (sources, sources if kind is SemanticLink else labels)
    first, again = link(), link()
    first.fit(*data, batch_size=40, verbose=0)
    first.save_weights(tmp_path / "link.weights.h5")
    again.load_weights(tmp_path / "link.weights.h5")
    for each in (first, again):
        each.fit(*data, batch_size=40, verbose=0)
    for one, other in zip(first.trainable_variables, again.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_backup_of_keras_goes_on_in_the_process_that_was_stopped(models, sources, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def link():
        found = SemanticLink(*[keras.models.clone_model(model) for model in models[:2]], seed=1)
        for part, model in zip(found.trained(), models[:2], strict=True):
            part.set_weights(model.get_weights())
        found.compile("adam", "mse", run_eagerly=True)
        return found

    whole, stopped = link(), link()
    how = {"batch_size": 40, "epochs": 3, "verbose": 0}
    whole.fit(sources, **how)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(sources, callbacks=[backup, Stop()], **how)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    stopped.fit(sources, callbacks=backup, **how)
    for one, other in zip(whole.trainable_variables, stopped.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)
