"""Ways to a security figure that is too good, each of which used to pass without a word."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kept_models import _parts, models, refusing  # noqa: F401
from toy_models import Half

import arn_keras
from arn_keras import AWGN, EavesdropperLink, MinMaxLink, Rayleigh, Rician, SecureLink, SemanticLink
from arn_keras.errors import ArnError, ConfigError, DataError, ModelError, RunDirError
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.loss.composite import eve_logit_margin
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.purge import build_purge
from arn_keras.run import save
from arn_keras.run.channels import channels, options_of
from arn_keras.run.config import Config
from arn_keras.run.directory import load_models
from arn_keras.run.save import _split
from arn_keras.run.saved import SavedRun
from arn_keras.training.purge_link import PurgeLink
from arn_keras.training.transmit import transmit

layers = keras.layers
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _secure(models, *arns, kind=SecureLink, **options):
    link = kind(*models, *arns, seed=1)
    link.compile(run_eagerly=True, **options)
    return link


# An eavesdropper who is none


def test_an_eve_who_is_frozen_is_not_trained_to_no_avail(models, sources, labels):
    eve, signals = models[2], transmit(models[0], sources)
    eve.trainable = False  # as people freeze a model before another is trained against it
    spy = EavesdropperLink(eve)
    spy.compile("adam", LOGITS, run_eagerly=True)
    for call in (spy.fit, spy.train_on_batch):
        with pytest.raises(ConfigError, match=r"can learn, got 'eavesdropper' .* trainable = True"):
            call(signals, labels)
    assert np.isfinite(spy.evaluate(signals, labels, batch_size=40, verbose=0))
    with pytest.raises(ConfigError, match="rivals that can learn"):
        MinMaxLink(*models)
    _secure(models).fit(
        sources, labels, batch_size=40, verbose=0
    )  # who is frozen anyway may say so
    eve.trainable = True
    assert np.isfinite(spy.fit(signals, labels, batch_size=40, verbose=0).history["loss"][0])


def test_an_eve_who_is_quantised_is_not_trained_by_her_biases(models, signals, labels):
    eve = keras.models.clone_model(models[2])
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        eve.quantize("int8")
    spy = EavesdropperLink(eve)
    spy.compile("adam", LOGITS, run_eagerly=True)
    with pytest.raises(ConfigError, match="got 'eavesdropper', which is quantised"):
        spy.fit(signals, labels)


@pytest.mark.parametrize("kind", [SecureLink, EavesdropperLink])
def test_an_eve_whose_answers_are_no_numbers_is_not_a_fooled_one(models, kind):
    eve = models[2]
    eve.set_weights([np.full_like(weight, np.nan) for weight in eve.get_weights()])
    with pytest.raises(ConfigError, match="finite answers of 'eavesdropper', got NaN"):
        kind(*models) if kind is SecureLink else kind(eve).compile(loss=LOGITS)


def test_a_purge_is_not_taught_by_a_receiver_whose_softmax_would_be_the_first_of_two():
    module, reader = build_purge((8,), 3), build_eavesdropper((8,), 3, hidden=(8,))
    shares = keras.Sequential([keras.Input((8,)), reader, layers.Softmax()], name="reader")
    with pytest.raises(ConfigError, match="of logits, got 'reader', which ends in a softmax"):
        PurgeLink(module, shares)
    reader.set_weights([np.full_like(weight, np.nan) for weight in reader.get_weights()])
    with pytest.raises(ConfigError, match="finite answers of 'eavesdropper', got NaN"):
        PurgeLink(module, reader)


def test_another_eve_is_not_put_into_a_link_that_goes_on_with_the_first(models):
    link = _secure(models)
    other = build_eavesdropper((8,), 3, hidden=(4,))
    for name, part in (
        ("eavesdroppers", [other]),
        ("receiver", models[1]),
        ("eve_channel", AWGN()),
    ):
        with pytest.raises(ConfigError, match=f"a new link for another {name}"):
            setattr(link, name, part)
    with pytest.raises(AttributeError):
        link.eavesdroppers.append(other)
    spy = EavesdropperLink(models[2])  # without a protection is with another
    with pytest.raises(ConfigError, match="a new link for another protection"):
        spy.protection = link.transmitter_arn


@pytest.mark.parametrize(
    "weights", [{"sample_weight": -np.ones(40)}, {"class_weight": {0: 1.0, 1: -0.5}}]
)
def test_an_eve_is_not_taught_to_be_wrong(models, signals, labels, weights):
    spy = EavesdropperLink(models[2])
    spy.compile("adam", LOGITS, run_eagerly=True)
    with pytest.raises(ConfigError, match="expected weights >= 0, got -"):
        spy.fit(signals, labels, **weights)


# Weights and parts that are shared


def test_a_pair_does_not_train_the_eve_who_judges_it(models, signals):
    eve = models[2]
    hidden = eve.get_layer("hidden_1")
    inputs = keras.Input((8,))
    arn = keras.Model(inputs, layers.Dense(8)(hidden(inputs)))
    with pytest.raises(ConfigError, match="expected eavesdroppers of weights of its own"):
        _secure(models, arn)
    with pytest.raises(ConfigError, match="expected eavesdroppers of weights of its own"):
        _secure(models, arn, kind=MinMaxLink)
    with pytest.raises(ConfigError, match="expected protection of weights of its own"):
        EavesdropperLink(eve, arn).compile("adam", LOGITS)
    purge = build_purge((8,), 3)
    reader = keras.Model(purge.inputs[0], layers.Dense(3)(purge.get_layer("choice").output))
    with pytest.raises(ConfigError, match="expected receiver of weights of its own"):
        PurgeLink(purge, reader).compile()
    one = build_transmitter_arn((8,))
    _secure(models, one, one)  # both are trained


@pytest.mark.parametrize("kind", [SemanticLink, SecureLink])
def test_weights_that_two_parts_share_are_moved_and_regularised_once(models, signals, labels, kind):
    signal, regularizer = keras.Input((8,)), keras.regularizers.L2(0.5)
    shared = layers.Dense(8, kernel_regularizer=regularizer)
    parts = [keras.Model(signal, layers.Activation("tanh")(shared(signal))) for _ in range(2)]
    if kind is SemanticLink:
        link, data = SemanticLink(*parts), (signals,)
    else:
        eye = keras.Sequential([keras.Input((8,)), layers.Rescaling(1.0)])
        link, data = SecureLink(eye, eye, models[2], *parts), (signals, labels)
    loss = {"loss": "mse"} if len(data) == 1 else {}
    link.compile(keras.optimizers.SGD(0.1), run_eagerly=True, **loss)
    plain = {"snr_db": 200.0, "batch_size": 40, "verbose": 0}
    assert len(link.trainable_variables) == 2
    assert [float(each) for each in link.losses] == [pytest.approx(0.5 * np.sum(shared.kernel**2))]
    with tf.GradientTape() as tape:  # the loss of `evaluate` without what is added, by hand
        hidden = parts[0](signals)
        estimate = parts[1](hidden)
        loss = 0.5 * tf.reduce_sum(shared.kernel.value**2)
        if kind is SemanticLink:
            loss += tf.reduce_mean((estimate - signals) ** 2)
        else:
            plain["loss_weights"] = (2.0, 3.0, 5.0)
            loss += 2 * link.power_loss(hidden - signals, 0.1)
            loss += 3 * tf.reduce_mean((estimate - signals) ** 2)
            loss += 5 * link.privacy_loss(models[2](hidden), labels)
    expected = shared.kernel.numpy() - 0.1 * tape.gradient(loss, shared.kernel.value)
    link.fit(*data, **plain)
    np.testing.assert_allclose(shared.kernel, expected, rtol=1e-4, atol=1e-5)


def test_a_link_is_not_taken_for_one_of_its_parts(models):
    link = _secure(models)
    with pytest.raises(ConfigError, match="a protection, got a whole SecureLink: take its part"):
        EavesdropperLink(models[2], protection=link)
    with pytest.raises(ConfigError, match="an eavesdropper, got a whole EavesdropperLink"):
        SecureLink(models[0], models[1], EavesdropperLink(models[2]))


# Signals and labels that do not belong together


@pytest.fixture
def signals(models, sources):
    return transmit(models[0], sources)


def test_signals_in_another_order_than_their_sources_are_refused(models, sources, signals, labels):
    link = _secure(models)
    link.fit({"source": sources, "signal": signals}, labels, batch_size=40, verbose=0)
    for wrong in (signals[::-1], np.roll(signals, 1, axis=0), -signals):
        with pytest.raises(DataError, match="the transmitter makes of these sources, got others"):
            link.fit({"source": sources, "signal": wrong}, labels, verbose=0)
    wrong, message = {"source": sources, "signal": signals[::-1]}, "makes of these sources, got"
    for call in (link.evaluate, link.train_on_batch, link.test_on_batch):
        with pytest.raises(DataError, match=message):
            call(wrong, labels)
    with pytest.raises(DataError, match=message):
        link.predict(wrong)
    with pytest.raises(DataError, match=message):
        link.fit(sources, labels, validation_data=(wrong, labels), verbose=0)


@pytest.mark.parametrize("how", ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch"])
def test_arrays_of_other_lengths_are_refused_with_one_line(refusing, sources, labels, how):
    signals = np.zeros((39, 8), "float32")
    x = {"source": sources, "signal": signals}
    with pytest.raises(DataError, match=r"arrays of one length, got (39, 40|40, 39)"):
        getattr(refusing, how)(x, *(() if how == "predict" else (labels,)))


def test_what_a_callback_measures_within_an_epoch_is_not_what_was_trained(models, sources, labels):
    class Asks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                self.model.evaluate(sources, labels, batch_size=40, snr_db=-20.0, verbose=0)

    found = []
    for callbacks in ([], [Asks()]):
        link = _secure(models)
        link.restart(0)
        found.append(
            link.fit(sources, labels, batch_size=20, callbacks=callbacks, verbose=0).history
        )
    assert found[0] == found[1]
    link.evaluate(sources, labels, batch_size=40, verbose=0)
    assert float(link.get_metrics_result()["loss"]) != found[0]["loss"][0]


def test_the_batch_size_is_no_part_of_what_is_measured(models, sources, labels):
    link = _secure(models)
    names = ("eve_accuracy", "perturbation_power", "sent_power")
    found = [
        link.evaluate(sources, labels, batch_size=size, snr_db=200.0, verbose=0, return_dict=True)
        for size in (15, 40)
    ]
    for name in names:
        np.testing.assert_allclose([each[name] for each in found], found[0][name], rtol=1e-5)


def test_what_is_measured_is_listed_in_the_order_of_its_names(models, sources, labels):
    link = SecureLink(*models)
    link.compile(run_eagerly=True)
    named = link.evaluate(sources, labels, 40, verbose=0, return_dict=True)
    names = link.metrics_names
    assert names[:3] == ["loss", "attack_power_loss", "task_loss"]
    assert link.evaluate(sources, labels, 40, verbose=0) == [named[name] for name in names]


@pytest.mark.parametrize("term", ["privacy_loss", "power_loss"])
def test_a_term_of_one_number_a_source_is_refused_by_name(models, sources, labels, term):
    link = SecureLink(*models)
    link.compile(run_eagerly=True, **{term: lambda first, second: first[:, 0]})
    with pytest.raises(DataError, match=rf"expected a scalar from {term}, got \[32\]: take its"):
        link.fit(sources, labels, verbose=0)


def test_an_eve_is_measured_on_what_she_hears_not_on_what_bob_does(models, sources, labels):
    link = SecureLink(*models, eve_channel=Half())
    link.compile(run_eagerly=True)
    found = link.evaluate(sources, labels, 40, snr_db=200.0, verbose=0, return_dict=True)
    logits = np.asarray(models[2](0.5 * link.signals(sources).sent))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    confidence = shares[np.arange(40), labels].mean()
    np.testing.assert_allclose(found["eve_confidence"], confidence, rtol=1e-5)
    np.testing.assert_allclose(found["eve_accuracy"], np.mean(logits.argmax(1) == labels))


def test_the_budget_of_a_frame_with_pauses_is_that_of_what_is_sent(labels):
    frames = np.random.default_rng(2).normal(size=(40, 4, 2)).astype("float32")
    frames[:, 2:] = 0.0
    frames[20:, 1:] = 0.0
    share = np.repeat([0.5, 0.25], 20)
    eye, louder = (keras.Sequential([keras.Input((4, 2)), layers.Rescaling(g)]) for g in (1.0, 1.5))
    eve = keras.Sequential([keras.Input((4, 2)), layers.Flatten(), layers.Dense(3)])
    link = SecureLink(eye, eye, eve, louder, eye, pauses=True)
    link.compile(run_eagerly=True)
    found = link.evaluate(frames, labels, batch_size=40, verbose=0, return_dict=True)
    power = np.mean(frames**2, axis=(1, 2))
    excess = np.mean(np.maximum(0.0, 0.25 * power - 0.1 * share))
    np.testing.assert_allclose(found["attack_power_loss"], excess, rtol=1e-5)
    np.testing.assert_allclose(
        found["perturbation_power"], np.mean(0.25 * power / share), rtol=1e-5
    )
    np.testing.assert_allclose(found["sent_power"], np.mean(2.25 * power / share), rtol=1e-5)


def test_a_term_that_grows_with_the_batch_is_refused(models):
    with pytest.raises(ConfigError, match=r"a task_loss that is a mean, got .*'sum'"):
        _secure(models, task_loss=keras.losses.MeanSquaredError(reduction="sum"))
    _secure(models, task_loss=keras.losses.MeanSquaredError(reduction=None))


def test_dropout_of_frozen_models_is_off_and_their_statistics_stay(sources, labels, models):
    eve = keras.Sequential(
        [keras.Input((8,)), layers.Dropout(0.9), layers.BatchNormalization(), layers.Dense(3)]
    )
    link = _secure((*models[:2], eve))
    before = [np.array(weight) for weight in eve.weights]
    how = {"batch_size": 40, "verbose": 0}
    logs = [
        link.evaluate(sources, labels, snr_db=200.0, return_dict=True, **how)["eve_accuracy"]
        for _ in range(2)
    ]
    heard = link.signals(sources).sent
    expected = np.mean(np.argmax(eve(heard, training=False), -1) == labels)
    assert logs == [pytest.approx(expected)] * 2
    link.fit(sources, labels, **how)
    for one, other in zip(before, eve.weights, strict=True):
        np.testing.assert_array_equal(one, other)


# A run that is measured in another air than its link's


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"eve_snr_offset_db": -30.0},
        {"channel": "rayleigh", "fast_fading": True},
        {"channel": "rician", "k_factor_db": 3.0, "csi": "pilots", "pilots": 4},
    ],
)
def test_a_saved_run_has_the_channels_of_its_link(models, options):
    link = SecureLink(*models, **channels(Config(**options)))
    assert options_of(SecureLink(*models, bob_channel=Rayleigh()))["channel"] == "rayleigh"
    found = options_of(link)
    assert {name: found[name] for name in options} == options
    assert Config(**found).channel == options.get("channel", "awgn")


@pytest.mark.parametrize(
    "ears",
    [
        {"bob_channel": AWGN(snr_offset_db=3.0)},
        {"bob_channel": Rayleigh(), "eve_channel": AWGN()},
        {"bob_channel": Rician(k_factor_db=3.0), "eve_channel": Rician(k_factor_db=9.0)},
        {"bob_channel": Rayleigh(), "eve_channel": Rayleigh(csi="none")},
    ],
)
def test_channels_that_no_run_has_are_refused(models, ears):
    link = SecureLink(*models, **ears)
    with pytest.raises(ConfigError, match="expected channels of awgn, rayleigh, rician, the same"):
        options_of(link)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: x, r"expected train=\(x, y\), two arrays, got ndarray"),
        (lambda x, y: (x, y, y), r"expected train=\(x, y\), two arrays, got tuple"),
        (lambda x, y: (x, (y, x)), "without names"),
        (lambda x, y: (x, None), "expected labels, got none"),
        (lambda x, y: (x, y + 1), "labels from 0 to 2, got 1 to 3"),
        (lambda x, y: (x, np.eye(3)[y]), "class numbers, .* argmax"),
        (lambda x, y: (x[:, :5], y), r"\[6, 6, 1\] a source for 'transmitter', got"),
        (lambda x, y: (np.array(["a"] * 40), y), "got text"),
        (lambda x, y: ((row for row in x), y), "expected arrays of sources and labels as train"),
        (lambda x, y: (x, {"labels": y}), "got 'labels', which nobody reads"),
    ],
)
def test_data_that_a_run_cannot_keep_are_refused_before_there_is_one(
    refusing, sources, labels, tmp_path, change, message
):
    data = change(sources, labels)
    with pytest.raises(ArnError, match=message) as refused:
        arn_keras.save_run(tmp_path / "run", refusing, train=data, test=data)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_labels_of_a_saved_run_are_read_as_fit_reads_them(models, sources, labels):
    link = _secure(models)
    for each in (labels[:, None], labels.astype("float32"), labels.tolist(), labels.astype("int8")):
        split = _split("train", (sources, each), link)
        np.testing.assert_array_equal(split.label, labels)
        assert split.label.dtype == "int64"
    split = _split("test", (sources, {"label": labels > 0, "target": sources}), link)
    np.testing.assert_array_equal(split.label, labels > 0)
    assert split.target is not None


def test_targets_of_a_saved_run_are_read_as_fit_reads_them(models, sources, labels):
    values, numbers = sources[:, 0, 0, 0], labels.astype(float)
    for units, loss, target in (
        (1, "mse", values),
        (1, "mse", values[:, None, None]),
        (3, LOGITS, numbers),
    ):
        receiver = keras.Sequential([keras.Input((8,)), layers.Dense(units)])
        link = SecureLink(models[0], receiver, models[2])
        link.compile(task_loss=loss)
        split = _split("train", (sources, {"label": labels, "target": target}), link)
        assert split.target.dtype.kind == ("f" if units == 1 else "i")
        np.testing.assert_array_equal(np.ravel(split.target), np.ravel(target))
        assert split.target.shape == ((40, 1) if units == 1 else (40,))


def test_a_saved_run_says_how_its_link_was_trained(models, sources, labels, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    told = [
        build((8,), snr_db=(0.0, 10.0)) for build in (build_transmitter_arn, build_receiver_arn)
    ]
    link = SecureLink(*models, *told, preprocessing=arn_keras.unit_interval)
    link.compile(privacy_loss=eve_logit_margin)
    link.set_snr_db((0.0, 10.0))
    pictures = {"source": (255 * sources).astype("uint8")}
    data = {"train": (pictures, labels), "test": [pictures, labels]}
    run = arn_keras.save_run("~/mine", link, **data, say=None)
    assert run == tmp_path / "mine"
    assert not (run / ".given").exists()
    saved = SavedRun.read("~/mine")
    found = saved.config.snr_aware, saved.config.privacy_loss, saved.config.problem.preprocessing
    assert found == (True, "margin", "unit_interval")
    for kept, module in zip(
        load_models(run, "arn/white", "transmitter", "receiver"), told, strict=True
    ):
        for one, other in zip(kept.get_weights(), module.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


class _Told:
    """Stands for the run that is made, and keeps what it is told."""

    def __init__(self, config, dataset, say):
        self.config, self.dataset, self.problem = config, dataset, self
        self.kept = {}
        _Told.last = self

    def __enter__(self):
        return self

    def __exit__(self, *reasons):
        pass

    def trained_modules(self, link):
        return link.transmitter_arn, link.receiver_arn

    def keep(self, stage, modules):
        self.kept[stage] = modules

    def results(self):
        pass

    picture = results


@pytest.mark.parametrize("kind", [SecureLink, MinMaxLink])
def test_a_run_is_told_no_more_than_its_link_was(
    models, sources, labels, tmp_path, monkeypatch, kind
):
    monkeypatch.setattr(save, "Job", _Told)
    eves = [models[2], build_eavesdropper((8,), 3, hidden=(4,))]
    link = kind(*models[:2], eves, keep_power=True)
    link.compile(privacy_loss=lambda logits, label: -eve_logit_margin(logits, label))
    link.set_snr_db((0.0, 10.0))
    link.psr_db.assign(-7.0)
    train, test = (sources[:30], labels[:30]), (sources[30:], labels[30:])
    arn_keras.save_run(tmp_path / "run", link, train=train, test=test, say=None)
    config, dataset = _Told.last.config, _Told.last.dataset
    found = (config.snr_db, config.psr_db, config.keep_power, config.privacy_loss)
    assert found == ((0.0, 10.0), -7.0, True, "confidence")
    assert (config.snr_aware, config.csi_aware) == (False, False)
    assert len(config.problem.eve) == (2 if kind is SecureLink else 0)
    assert (len(dataset.train), len(dataset.test)) == (30, 10)
    np.testing.assert_array_equal(dataset.test.source, sources[30:])
    assert _Told.last.kept == {"arn/white": (link.transmitter_arn, link.receiver_arn)}


def test_floats_that_unit_interval_leaves_as_they_are_are_saved_as_such(
    models, sources, labels, tmp_path, monkeypatch
):
    monkeypatch.setattr(save, "Job", _Told)
    link = SecureLink(*models, preprocessing=arn_keras.unit_interval)
    for given, scaled in (
        (2 * sources - 1, "none"),
        ((255 * sources).astype("uint8"), "unit_interval"),
    ):
        data = {"train": (given[:30], labels[:30]), "test": (given[30:], labels[30:])}
        arn_keras.save_run(tmp_path / scaled, link, **data, say=None)
        assert _Told.last.dataset.preprocessing == scaled
        np.testing.assert_array_equal(_Told.last.dataset.test.source, given[30:])


class _Unnamed(layers.Layer):
    def __init__(self, gain):
        super().__init__()
        self.gain = gain

    def call(self, signal):
        return self.gain * signal


@pytest.mark.parametrize(
    ("part", "made", "message"),
    [
        ("transmitter_arn", lambda: _of(_Unnamed(0.5)), "of a file: "),
        ("receiver_arn", lambda: _of(layers.Lambda(lambda y: 0.5 * y)), "of a file: .*Lambda"),
        ("receiver_arn", lambda: layers.Dense(8), "a .keras file holds, got Dense"),
    ],
)
def test_parts_that_no_file_brings_back_are_refused_before_there_is_a_run(
    models, sources, labels, tmp_path, part, made, message
):
    data = sources, labels
    link = SecureLink(*models, **{part: made()})
    with pytest.raises(ModelError, match=f"expected {part} (that )?{message}") as refused:
        arn_keras.save_run(tmp_path / "run", link, train=data, test=data)
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "run").iterdir())


def _of(layer):
    return keras.Sequential([keras.Input((8,)), layers.Dense(8), layer])


def test_only_a_secure_link_is_saved_as_a_run_and_only_a_path_is_read_as_one(models, tmp_path):
    data = {"train": None, "test": None}
    for link in (SemanticLink(*models[:2]), models[0], None):
        with pytest.raises(ModelError, match="expected a SecureLink, got"):
            arn_keras.save_run(tmp_path, link, **data)
    scaled = SecureLink(*models, preprocessing=layers.Rescaling(0.5))
    given = np.zeros((4, 6, 6, 1)), np.arange(4) % 3
    with pytest.raises(ModelError, match="expected a preprocessing of none, unit_interval, got"):
        arn_keras.save_run(tmp_path, scaled, train=given, test=given)
    with pytest.raises(ModelError, match="a link without pauses"):
        arn_keras.save_run(tmp_path, SecureLink(*models, pauses=True), **data)
    for call in (arn_keras.audit, arn_keras.export):
        with pytest.raises(RunDirError, match=r"got SecureLink: arn_keras.save_run\(path"):
            call(SecureLink(*models))
