import keras
import numpy as np
import pytest
from kept_models import _parts, models  # noqa: F401
from weights import weights_of

from arn_keras.errors import DeviceError
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.training.checkpoint import EpochCheckpoint
from arn_keras.training.eavesdropper_link import EavesdropperLink
from arn_keras.training.min_max_link import MinMaxLink


def _moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


@pytest.fixture
def new_link(models):
    """Links of one beginning, on the same transmitter and receiver."""
    transmitter, receiver, eve = models

    def build():
        rivals = [type(eve).from_config(eve.get_config()), build_eavesdropper((8,), 3, (24,))]
        pair = build_transmitter_arn((8,), (8,)), build_receiver_arn((8,), (8,))
        link = MinMaxLink(transmitter, receiver, rivals, *pair)
        link.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)  # a trace takes longer
        link.restart(5)
        return link

    return build


@pytest.mark.parametrize("options", [{}, {"shards": 2}])
def test_one_step_moves_both_modules_and_every_rival_and_nothing_else(
    new_link, models, sources, labels, options
):
    link = new_link()
    link.compile(keras.optimizers.Adam(1e-2), run_eagerly=True, **options)
    frozen = weights_of(*models[:2])
    learning = weights_of(link.transmitter_arn, link.receiver_arn, *link.eavesdroppers)
    link.fit(sources, labels, batch_size=40, epochs=1, verbose=0)
    assert not any(_moved(frozen, weights_of(*models[:2])))
    after = weights_of(link.transmitter_arn, link.receiver_arn, *link.eavesdroppers)
    assert all(_moved(learning, after))


def test_a_renewed_rival_is_another_and_the_same_again_and_has_forgotten(new_link, sources, labels):
    link = new_link()
    link.fit(sources, labels, batch_size=40, epochs=1, verbose=0)
    trained, other = (weights_of(rival) for rival in link.eavesdroppers)
    link.renew(0, epoch=3)
    new = weights_of(link.eavesdroppers[0])
    assert any(_moved(trained, new))
    assert not any(_moved(other, weights_of(link.eavesdroppers[1])))
    forgotten, kept = (
        [np.any(np.array(v)) for v in o.variables if v.name != "learning_rate"]
        for o in link.rival_optimizers
    )
    assert not any(forgotten)
    assert all(kept)
    link.renew(0, epoch=4)
    assert any(_moved(new, weights_of(link.eavesdroppers[0])))
    link.renew(0, epoch=3)
    assert not any(_moved(new, weights_of(link.eavesdroppers[0])))


def test_rivals_are_renewed_in_turn(new_link, sources, labels):
    link, turns = new_link(), []
    link.renew = lambda index, epoch: turns.append((index, epoch))
    link.fit(sources, labels, batch_size=40, epochs=7, initial_epoch=2, renew_every=2, verbose=0)
    assert turns == [(0, 2), (1, 4), (0, 6)]


def test_a_resumed_game_ends_as_an_undisturbed_one(new_link, sources, labels, tmp_path):
    def play(link, epochs, first=0):
        link.fit(
            sources,
            labels,
            batch_size=40,
            epochs=epochs,
            initial_epoch=first,
            callbacks=[EpochCheckpoint(tmp_path, seconds=0.0)],
            verbose=0,
        )
        return weights_of(link.transmitter_arn, link.receiver_arn, *link.eavesdroppers)

    expected = play(new_link(), 2)
    for file in tmp_path.iterdir():
        file.unlink()
    play(new_link(), 1)  # killed here
    again = new_link()
    first = EpochCheckpoint(tmp_path).restore(again)
    assert first == 1
    assert not any(_moved(expected, play(again, 2, first)))


def test_a_reloaded_game_goes_on_as_before(new_link, sources, labels, tmp_path):
    link = new_link()
    link.fit(sources, labels, batch_size=40, verbose=0)
    link.save(tmp_path / "game.keras")
    again = keras.saving.load_model(tmp_path / "game.keras")
    how = {"batch_size": 40, "epochs": 3, "initial_epoch": 1, "verbose": 0}
    first, second = (each.fit(sources, labels, **how).history["loss"] for each in (link, again))
    assert first == pytest.approx(second, rel=1e-5)


def test_a_label_that_bob_does_not_need_is_taken_out_of_the_signal_for_a_fresh_eve_too():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1024).astype("int32")
    wanted = rng.uniform(-1, 1, (1024, 6)).astype("float32")
    sources = np.concatenate([2.0 * labels[:, None] - 1, wanted], axis=1).astype("float32")
    transmitter = keras.Sequential([keras.Input((7,)), keras.layers.Rescaling(1.0)])
    layers = keras.layers
    receiver = keras.Sequential(
        [keras.Input((7,)), layers.Reshape((7, 1)), layers.Cropping1D((1, 0)), layers.Flatten()]
    )
    rivals = [build_eavesdropper((7,), 2, (32,)), build_eavesdropper((7,), 2, (16,))]
    link = MinMaxLink(transmitter, receiver, rivals)
    decay = keras.optimizers.schedules.CosineDecay(5e-3, 16 * 16)  # else the game never settles
    link.compile(keras.optimizers.Adam(decay), rival_learning_rate=5e-3)
    link.restart(1)
    data = (sources, {"label": labels, "target": wanted})
    history = link.fit(
        *data, batch_size=64, epochs=16, renew_every=4, snr_db=15.0, psr_db=0.0, verbose=0
    ).history
    sent = link.transmitter_arn.predict(sources, verbose=0)

    spy = EavesdropperLink(build_eavesdropper((7,), 2, (32,)), seed=9)
    spy.compile(
        keras.optimizers.Adam(5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    spy.optimizer.build(spy.trainable_variables)
    fresh = [(variable, variable.numpy()) for variable in spy.moving_variables()]

    def fresh_eve(signals):
        for variable, value in fresh:
            variable.assign(value)
        how = {"batch_size": 64, "epochs": 10, "initial_epoch": 0, "snr_db": 15.0, "verbose": 0}
        spy.fit(signals[:512], labels[:512], **how)
        return spy.evaluate(signals[512:], labels[512:], batch_size=64, verbose=0)[1]

    assert fresh_eve(sources) > 0.99
    assert fresh_eve(sent) < 0.6
    assert history["task_loss"][-1] < 0.05  # the noise alone costs 0.03, knowing nothing 0.33


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"renew_every": 0}, ValueError, "expected renew_every >= 1, got 0"),
        ({"devices": 2}, DeviceError, "expected one device for rivals who learn too, got 2"),
    ],
)
def test_what_a_game_cannot_be_is_refused(new_link, sources, labels, options, error, message):
    with pytest.raises(error, match=message):
        new_link().fit(sources, labels, verbose=0, **options)
