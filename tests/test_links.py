import keras
import numpy as np
import pytest
import tensorflow as tf
from kept_models import _parts, models, refusing  # noqa: F401
from weights import equal, weights_of

from arn_keras import EavesdropperLink, SecureLink, SemanticLink
from arn_keras.errors import DataError
from arn_keras.loss.composite import mean_attack_power_loss
from arn_keras.training.transmit import transmit


@pytest.fixture
def secure(models):
    link = SecureLink(*models, seed=3)
    link.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    return link


def test_one_step_moves_all_weights_of_both_modules_and_plugging_out_gives_the_base_link(
    secure, models, sources, labels
):
    base = SemanticLink(*models[:2], seed=0)
    before = base.predict(sources, batch_size=40, verbose=0)
    frozen = weights_of(*models)
    modules = weights_of(secure.transmitter_arn, secure.receiver_arn)
    secure.fit(sources, labels, batch_size=40, epochs=1, verbose=0)
    assert equal(frozen, weights_of(*models))
    np.testing.assert_array_equal(before, base.predict(sources, batch_size=40, verbose=0))
    after = weights_of(secure.transmitter_arn, secure.receiver_arn)
    assert not any(np.array_equal(a, b) for a, b in zip(modules, after, strict=True))


def test_budget_and_weights_are_the_letters_unless_others_are_given(secure):
    assert float(secure.psr_db) == -10.0
    assert secure.loss_weights.numpy().tolist() == [10.0, 10.0, 1.0]


def test_the_loss_is_the_weighted_sum_of_its_terms(secure, sources, labels):
    how = {"batch_size": 40, "verbose": 0}
    secure.fit(sources, labels, loss_weights=(3.0, 5.0, 7.0), psr_db=-20.0, **how)
    logs = secure.evaluate(sources, labels, return_dict=True, **how)
    expected = 3 * logs["attack_power_loss"] + 5 * logs["task_loss"] + 7 * logs["eve_confidence"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["attack_power_loss"] > 0


def test_the_terms_agree_with_numpy_on_the_named_signals(secure, sources, labels):
    secure.reseed(0)
    signals = secure.signals(sources, training=False)
    secure.reseed(0)
    secure.reset_metrics()
    logs = secure.test_step((tf.constant(sources), tf.constant(labels)))
    delta = np.asarray(signals.sent) - np.asarray(secure.transmitter(sources))
    power = (delta.astype(float) ** 2).mean(axis=1)
    logits = np.asarray(secure.eavesdroppers[0](signals.overheard), float)
    confidence = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert float(logs["attack_power_loss"]) == pytest.approx(
        np.maximum(0, power - 0.1).mean(), rel=1e-4
    )
    assert float(logs["perturbation_power"]) == pytest.approx(power.mean(), rel=1e-4)
    assert float(logs["task_loss"]) == pytest.approx(
        ((sources - np.asarray(signals.estimate)) ** 2).mean(), rel=1e-4
    )
    assert float(logs["eve_confidence"]) == pytest.approx(
        confidence[np.arange(40), labels].mean(), rel=1e-4
    )
    assert float(logs["eve_accuracy"]) == pytest.approx((logits.argmax(1) == labels).mean())


def test_metrics_are_weighted_by_the_size_of_a_ragged_last_batch(secure, sources, labels):
    values, sizes = [], []
    for start in (0, 32):
        part = slice(start, start + 32)
        secure.reset_metrics()
        secure.reseed(start)
        logs = secure.test_step((tf.constant(sources[part]), tf.constant(labels[part])))
        values.append(float(logs["task_loss"]))
        sizes.append(len(labels[part]))
    secure.reset_metrics()
    for start in (0, 32):
        part = slice(start, start + 32)
        secure.reseed(start)
        logs = secure.test_step((tf.constant(sources[part]), tf.constant(labels[part])))
    assert sizes == [32, 8]
    assert float(logs["task_loss"]) == pytest.approx(np.average(values, weights=sizes), rel=1e-6)


def test_a_reloaded_link_evaluates_and_trains_on_as_before(models, sources, labels, tmp_path):
    pair = [keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)]) for _ in range(2)]
    secure = SecureLink(*models, *pair, seed=3)
    secure.compile(keras.optimizers.Adam(1e-2), power_loss=mean_attack_power_loss)
    how = {"batch_size": 40, "verbose": 0}
    secure.fit(sources, labels, snr_db=(0.0, 20.0), psr_db=-40.0, **how)
    secure.save(tmp_path / "secure.keras")
    again = keras.saving.load_model(tmp_path / "secure.keras")
    assert float(again.psr_db) == pytest.approx(-40.0)
    np.testing.assert_array_equal(again.snr_range_db, [0.0, 20.0])
    first, second = (
        link.evaluate(sources, labels, return_dict=True, **how) for link in (secure, again)
    )
    assert first == pytest.approx(second, rel=1e-6)
    assert first["attack_power_loss"] > 0
    first, second = (
        link.fit(sources, labels, epochs=3, initial_epoch=1, **how).history["loss"]
        for link in (secure, again)
    )
    assert first == pytest.approx(second, rel=1e-5)


@pytest.mark.parametrize("kind", [SemanticLink, EavesdropperLink])
def test_the_other_links_reload_too(models, sources, kind, tmp_path):
    transmitter, receiver, eve = models
    link = SemanticLink(transmitter, receiver) if kind is SemanticLink else EavesdropperLink(eve)
    inputs = sources if kind is SemanticLink else transmit(transmitter, sources)
    expected = link.predict(inputs, batch_size=40, verbose=0)
    link.save(tmp_path / "link.keras")
    again = keras.saving.load_model(tmp_path / "link.keras")
    found = again.predict(inputs, batch_size=40, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_batch_statistics_and_dropout_of_frozen_models_do_not_move(sources, labels):
    layers = keras.layers
    shape = (6, 6, 1)
    transmitter = keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(8),
        ]
    )
    receiver = keras.Sequential(
        [keras.Input((8,)), layers.BatchNormalization(), layers.Dense(36), layers.Reshape(shape)]
    )
    eve = keras.Sequential([keras.Input((8,)), layers.BatchNormalization(), layers.Dense(3)])
    before = weights_of(transmitter, receiver, eve)
    link = SecureLink(transmitter, receiver, eve)
    link.compile(run_eagerly=True)
    batches = tf.data.Dataset.from_tensor_slices((sources, labels)).batch(40)
    link.fit(batches, verbose=0)
    link.fit(sources, labels, batch_size=40, verbose=0)
    assert equal(before, weights_of(transmitter, receiver, eve))


@keras.saving.register_keras_serializable("tests")
class _Flagged(keras.layers.Layer):
    """Doubles what passes in training mode, and says that it was."""

    def call(self, signal, training=False):
        return 2.0 * signal if training else signal


def test_modules_are_in_training_mode_in_a_step_alone_and_frozen_models_never(
    models, sources, labels
):
    def of(model, shape):
        return keras.Sequential([keras.Input(shape), model, _Flagged()])

    frozen = of(models[0], (6, 6, 1)), of(models[1], (8,)), of(models[2], (8,))
    module = keras.Sequential([keras.Input((8,)), _Flagged()])
    link = SecureLink(*frozen, transmitter_arn=module, seed=1)
    link.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    batches = tf.data.Dataset.from_tensor_slices((sources, labels)).batch(40)
    trained = link.fit(batches, snr_db=200.0, verbose=0).history["sent_power"][0]
    measured = link.evaluate(batches, verbose=0, return_dict=True)
    signal = np.asarray(models[0](sources))
    assert trained == pytest.approx(4.0 * np.mean(signal**2), rel=1e-5)
    assert measured["sent_power"] == pytest.approx(np.mean(signal**2), rel=1e-5)
    np.testing.assert_allclose(link.signals(sources).sent, signal, rtol=1e-5)
    said = np.argmax(models[2](link.signals(sources, snr_db=200.0).overheard), axis=-1)
    assert measured["eve_accuracy"] == pytest.approx(np.mean(said == labels))
    assert measured["eve_confidence"] == pytest.approx(
        link.evaluate(sources, labels, 40, verbose=0, return_dict=True)["eve_confidence"], rel=1e-4
    )


def test_a_signal_that_the_receiver_does_not_take_is_refused_in_a_pipeline(models, sources, labels):
    link = SecureLink(*models)
    link.compile(run_eagerly=True)
    given = {"source": sources, "signal": np.zeros((40, 5), "float32")}
    batches = tf.data.Dataset.from_tensor_slices((given, labels)).batch(40)
    with pytest.raises(DataError, match=r"expected \[8\] a source for 'receiver', got \[5\]"):
        link.evaluate(batches, verbose=0)


def test_of_a_signal_with_pauses_budget_and_powers_are_those_of_what_is_sent(labels):
    def of(last, shape=(4, 2)):
        flat = keras.layers.Flatten()
        return keras.Sequential([keras.Input(shape), flat, *last])

    shaped = keras.layers.Dense(8), keras.layers.Reshape((4, 2))
    models_ = of(shaped), of(shaped), of([keras.layers.Dense(3)])
    module = keras.Sequential([keras.Input((4, 2)), keras.layers.Rescaling(1.5)])
    signal = np.ones((40, 4, 2), "float32")
    signal[:, 2:] = 0.0  # half of it is not sent
    link = SecureLink(*models_, transmitter_arn=module, receiver_arn=module, pauses=True)
    link.compile(run_eagerly=True)
    given = {"source": signal, "signal": signal}
    batches = tf.data.Dataset.from_tensor_slices((given, labels)).batch(40)
    found = link.evaluate(batches, verbose=0, return_dict=True)
    assert found["perturbation_power"] == pytest.approx(0.5**2)
    assert found["sent_power"] == pytest.approx(1.5**2)
    # Half of the frame's mean, and the budget of -10 dB of that half.
    assert found["attack_power_loss"] == pytest.approx(0.5 * 0.5**2 - 0.5 * 0.1, rel=1e-5)


def test_signals_of_any_shape_pass(sources, labels):
    layers = keras.layers
    transmitter = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(2, 3), layers.Reshape((16, 2))]
    )
    receiver = keras.Sequential(
        [keras.Input((16, 2)), layers.Flatten(), layers.Dense(36), layers.Reshape((6, 6, 1))]
    )
    eve = keras.Sequential([keras.Input((16, 2)), layers.Flatten(), layers.Dense(3)])
    link = SecureLink(transmitter, receiver, eve)
    link.compile(run_eagerly=True)
    link.fit(sources, labels, batch_size=40, verbose=0)
    assert link.transmitter_arn.output_shape == (None, 16, 2)
    assert link.predict(sources[:7], verbose=0).shape == (7, 6, 6, 1)
    assert link.predict(sources[:1], verbose=0).shape == (1, 6, 6, 1)


def test_another_task_loss_and_target_may_stand_in_for_the_mse(models, sources, labels):
    transmitter, _, eve = models
    receiver = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    link = SecureLink(transmitter, receiver, eve)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    link.compile(task_loss=cross_entropy, run_eagerly=True)
    private, task = labels, (labels + 1) % 3
    link.fit(sources, {"label": private, "target": task}, batch_size=40, verbose=0)
    logs = link.evaluate(
        sources, {"label": private, "target": task}, batch_size=40, verbose=0, return_dict=True
    )
    link.reseed(2**32 - 1)
    logits = np.asarray(link.signals(sources, training=False).estimate, float)
    confidence = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(confidence[np.arange(40), task]).mean()
    assert logs["task_loss"] == pytest.approx(expected, rel=1e-4)


def test_several_eavesdroppers_count_alike(models, sources, labels):
    transmitter, receiver, eve = models
    other = keras.models.clone_model(eve)

    def confidence(eavesdroppers):
        keras.utils.set_random_seed(0)
        link = SecureLink(transmitter, receiver, eavesdroppers, seed=5)
        link.compile(run_eagerly=True)
        how = {"batch_size": 40, "verbose": 0, "return_dict": True}
        return link.evaluate(sources, labels, **how)["eve_confidence"]

    apart = [confidence([eve]), confidence([other])]
    assert apart[0] != pytest.approx(apart[1], rel=1e-3)
    assert confidence([eve, other]) == pytest.approx(np.mean(apart), rel=1e-5)


def test_the_snr_is_a_call_time_argument_and_costs_no_new_trace(secure, sources, labels):
    secure.compile()
    traces = []
    step = secure.test_step
    secure.test_step = lambda data: traces.append(1) or step(data)
    losses = [
        secure.evaluate(sources, labels, snr_db=snr_db, verbose=0, return_dict=True)["task_loss"]
        for snr_db in (-10.0, 0.0, 30.0, (-10.0, 30.0))
    ]
    assert len(set(losses)) == 4
    assert len(traces) <= 2  # one for each shape of batch, none for an SNR


def test_snrs_of_a_range_are_uniform_for_each_source(secure):
    secure.set_snr_db((-5.0, 25.0))
    drawn = np.asarray(secure.draw_snr_db(np.zeros((20_000, 8))))
    assert drawn.shape == (20_000,)
    np.testing.assert_allclose(np.quantile(drawn, [0, 0.25, 0.5, 1]), [-5, 2.5, 10, 25], atol=0.5)


def test_callbacks_and_validation_work(secure, sources, labels, tmp_path):
    history = secure.fit(
        sources,
        labels,
        epochs=2,
        batch_size=40,
        verbose=0,
        validation_data=(sources, labels),
        callbacks=[keras.callbacks.CSVLogger(tmp_path / "log.csv")],
    ).history
    assert {"loss", "val_loss", "val_eve_accuracy"} <= set(history)
    assert (tmp_path / "log.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.full(40, 3)}, "expected labels from 0 to 2, got 3 to 3"),
        ({"y": np.full(40, -1)}, "expected labels from 0 to 2, got -1 to -1"),
        ({"snr_db": float("nan")}, "expected a finite snr_db"),
        ({"snr_db": (5.0, 1.0)}, "expected a finite snr_db"),
        ({"psr_db": float("inf")}, "expected a finite psr_db"),
        ({"loss_weights": (1.0, -1.0, 1.0)}, "expected three finite loss_weights"),
        ({"x": np.full((40, 6, 6, 1), np.nan, "float32")}, "expected finite sources"),
    ],
)
def test_data_and_settings_that_cannot_be_meant_are_refused(
    refusing, sources, labels, change, message
):
    with pytest.raises(ValueError, match=message):
        refusing.fit(**{"x": sources, "y": labels, "verbose": 0, **change})


def test_a_transmitter_that_does_not_fit_the_receiver_is_refused(models):
    transmitter, _, eve = models
    receiver = keras.Sequential([keras.Input((9,)), keras.layers.Dense(36)])
    with pytest.raises(ValueError, match=r"expected a receiver .* \(8,\), got \(9,\)"):
        SecureLink(transmitter, receiver, eve)
    with pytest.raises(ValueError, match=r"expected an eavesdropper .* \(8,\), got \(9,\)"):
        SecureLink(transmitter, models[1], receiver)


def test_transmitting_in_parts_gives_what_the_transmitter_gives(models, sources):
    np.testing.assert_allclose(
        transmit(models[0], sources, batch_size=16), models[0](sources), rtol=1e-5, atol=1e-6
    )
