import keras
import numpy as np
import pytest
import tensorflow as tf

from arn_keras import SecureLink
from arn_keras.channel.awgn import AWGN
from arn_keras.errors import ConfigError, ModelError
from arn_keras.measure.sweep_rows import KEY, key
from arn_keras.pair import BLOCKS
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.chain import Protection, compose, with_fresh_keys
from arn_keras.pair.power_kept import keep_power
from arn_keras.pair.rotation import FAST
from arn_keras.pair.told import tell, told
from arn_keras.run.config import Config
from arn_keras.run.given import check_modules
from arn_keras.sweep.grid import Grid
from arn_keras.system import forward
from arn_keras.training import reach

LOW, HIGH = -5.0, 25.0


def with_random_heads(model, seed=0):
    """The module with scales and shifts that are not zero, as training makes them."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.name.endswith(("_scale", "_shift", "_share")):
            layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    return model


def parts(model):
    return {
        layer.name: [np.asarray(w, float) for w in layer.get_weights()] for layer in model.layers
    }


def in_numpy(model, signal, snr_db, is_bob):
    """Residual of a dense module that is told the SNR, by `pair.film`'s formulas."""
    w = parts(model)
    place = np.clip((snr_db - 10.0) / 15.0, -1, 1)[:, None]
    told = np.maximum(place @ w["snr_features"][0] + w["snr_features"][1], 0)

    def of(name):
        return told @ w[name][0] + w[name][1]

    h = signal
    for name in ("hidden_1", "hidden_2"):
        h = np.maximum(h @ w[name][0] + w[name][1], 0)
        h = h * (1 + of(f"{name}_scale")) + of(f"{name}_shift")
    residual = (h @ w["residual"][0] + w["residual"][1]) * (1 + of("residual_scale"))
    return residual + of("signal_share") * signal if is_bob else residual


@pytest.mark.parametrize(("build", "sign"), [(build_transmitter_arn, 1), (build_receiver_arn, -1)])
def test_a_module_that_is_told_the_snr_scales_and_shifts_its_features_by_the_formulas(build, sign):
    model = with_random_heads(build((16,), hidden=(12, 9), snr_db=(LOW, HIGH)))
    signal = np.random.default_rng(1).normal(size=(6, 16)).astype("float32")
    snr_db = np.array([-40, -5, 0, 12.5, 25, 60], "float32")
    expected = signal + sign * in_numpy(model, signal, snr_db, sign < 0)
    np.testing.assert_allclose(model([signal, snr_db[:, None]]), expected, atol=1e-5)
    given = [tf.constant(signal[2:4])] * 2
    at_two = [
        np.asarray(tell(model, each, snr_db=s)) for each, s in zip(given, (0.0, 25.0), strict=True)
    ]
    assert np.abs(at_two[0] - at_two[1]).max() > 0.1


@pytest.mark.parametrize(
    ("block", "shape"),
    [("dense", (16,)), ("conv", (4, 4, 2)), ("transformer", (4, 4, 2)), ("in_band", (128,))],
)
def test_every_block_starts_as_the_block_that_is_told_nothing(block, shape):
    plain = build_receiver_arn(shape, block=block)
    aware = build_receiver_arn(shape, block=block, snr_db=(LOW, HIGH))
    for layer in plain.layers:
        if layer.weights:
            aware.get_layer(layer.name).set_weights(layer.get_weights())
    signal = np.random.default_rng(2).normal(size=(3, *shape)).astype("float32")
    snr_db = np.array([[-5], [10], [25]], "float32")
    np.testing.assert_allclose(aware([signal, snr_db]), plain(signal), atol=1e-6)
    told_ones = with_random_heads(aware)([signal, snr_db])
    assert np.abs(np.asarray(told_ones) - np.asarray(plain(signal))).max() > 0.01


def test_the_letters_pair_grows_by_less_than_a_third():
    plain, aware = (build_receiver_arn((128,), snr_db=each) for each in (None, (LOW, HIGH)))
    assert 1.0 < aware.count_params() / plain.count_params() <= 1.3


@pytest.mark.parametrize("snr_db", [(10.0, 10.0), (10.0, 5.0), (np.nan, 5.0)])
def test_snrs_that_are_no_range_are_refused(snr_db):
    with pytest.raises(ConfigError, match=r"expected snr_db=\(low, high\), a range, got"):
        build_transmitter_arn((8,), snr_db=snr_db)


def test_a_block_that_cannot_be_told_is_refused(monkeypatch):
    def deaf(signal, width=3):
        return signal

    monkeypatch.setitem(BLOCKS, "deaf", (lambda: deaf,))
    monkeypatch.setattr("arn_keras.pair.arn.answer", lambda room, name: deaf)
    with pytest.raises(ConfigError, match="expected a block that may be told the SNR, got deaf"):
        build_transmitter_arn((8,), block="deaf", snr_db=(LOW, HIGH))


def adds_its_snr(name):
    """z = y + snr_db: tells on its output what it was told."""
    signal, snr_db = keras.Input((4,), name=name), keras.Input((1,), name="snr_db")
    return keras.Model([signal, snr_db], signal + snr_db)


def test_both_ends_are_told_the_snr_of_their_source_and_no_other():
    seen, levels = {}, np.array([-5.0, 0.0, 12.5], "float32")

    def clean(given, training=False):
        seen["bob"] = np.asarray(given[1])
        return given[0]

    bob = adds_its_snr("received")
    clean.inputs = bob.inputs
    silence = tf.zeros((3, 4))
    signals = forward(
        silence,
        levels,
        receiver=lambda y, training: y,
        bob_channel=AWGN(),
        eve_channel=AWGN(),
        transmitter_module=adds_its_snr("signal"),
        receiver_module=clean,
    )
    np.testing.assert_array_equal(signals.sent, np.repeat(levels[:, None], 4, axis=1))
    np.testing.assert_array_equal(seen["bob"], levels[:, None])
    at_once = told(adds_its_snr("signal"), 7.0)(silence)
    np.testing.assert_array_equal(at_once, np.full((3, 4), 7.0))


@pytest.mark.parametrize("name", ["gain", "snr_db_2"])
def test_an_input_that_nobody_knows_what_to_give_to_is_one_clear_line(name):
    signal, other = keras.Input((4,), name="signal"), keras.Input((1,), name=name)
    module = keras.Model([signal, other], signal + other)
    with pytest.raises(ModelError, match=f"expected a module of a signal .* got .*{name}"):
        tell(module, tf.zeros((2, 4)), snr_db=10.0)
    with pytest.raises(ModelError, match=f"arn/white/transmitter: expected to take .*{name}"):
        check_modules("arn/white", {"transmitter": module}, tf.zeros((2, 4)))


def test_an_snr_for_each_symbol_is_refused():
    signal, levels = keras.Input((4,), name="signal"), keras.Input((4,), name="snr_db")
    module = keras.Model([signal, levels], signal + levels)
    with pytest.raises(ModelError, match=r"one value each, got an input 'snr_db' shaped \[4\]"):
        tell(module, tf.zeros((2, 4)), snr_db=10.0)


def test_two_signals_are_refused():
    inputs = [keras.Input((4,), name=name) for name in ("one", "other")]
    with pytest.raises(ModelError, match="one input named as a signal, got 'one', 'other'"):
        tell(keras.Model(inputs, inputs[0] + inputs[1]), tf.zeros((2, 4)), snr_db=10.0)


def test_behind_keys_and_at_kept_power_a_module_is_told_the_same():
    signal = tf.constant(np.random.default_rng(3).normal(size=(5, 8)), "float32")
    alice = with_random_heads(build_transmitter_arn((8,), hidden=(6,), snr_db=(LOW, HIGH)))
    bob = with_random_heads(build_receiver_arn((8,), hidden=(6,), snr_db=(LOW, HIGH)))
    lock = compose(keep_power(alice), FAST.build_transmitter((8,)))
    unlock = compose(FAST.build_receiver((8,)), bob)
    at_alice, at_bob = with_fresh_keys((lock, unlock), 5, 1)
    for snr_db in (-5.0, 20.0):
        kept = tell(keep_power(alice), signal, snr_db=snr_db)
        unkeyed = kept / tf.sqrt(tf.reduce_mean(kept**2, axis=1, keepdims=True))
        found = tell(at_bob, tell(at_alice, signal, snr_db=snr_db), snr_db=snr_db)
        np.testing.assert_allclose(found, tell(bob, unkeyed, snr_db=snr_db), atol=1e-5)
        placed = Protection("arn", alice, bob).at(snr_db)
        np.testing.assert_array_equal(
            placed.transmitter_arn(signal), tell(alice, signal, snr_db=snr_db)
        )
        np.testing.assert_array_equal(placed.clean(signal, None), tell(bob, signal, snr_db=snr_db))


def an_identity_link(**kwargs):
    """Transmitter and receiver are the identity on 8 symbols; Eve a matrix of ones."""
    identity = keras.Sequential([keras.Input((8,)), keras.layers.Rescaling(1.0)])
    eve = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    pair = (
        f((8,), hidden=(4,), snr_db=(LOW, HIGH))
        for f in (build_transmitter_arn, build_receiver_arn)
    )
    link = SecureLink(identity, identity, eve, *pair, **kwargs)
    link.compile(keras.optimizers.SGD(0.0))
    return link


def test_power_is_kept_to_the_signals_wherever_it_stands_among_the_inputs():
    snr_db, signal = keras.Input((4,), name="snr_db"), keras.Input((4,), name="signal")
    sent = keras.layers.Dense(4)(keras.layers.Concatenate()([signal, snr_db]))
    module = keep_power(keras.Model([snr_db, signal], sent))
    levels, given = np.full((6, 4), 20.0), np.random.default_rng(0).normal(size=(6, 4))
    found = np.asarray(module([levels, given]), float)
    np.testing.assert_allclose(np.mean(found**2, 1), np.mean(given**2, 1), rtol=1e-4)


def test_what_is_reachable_is_measured_at_each_snr():
    link, rng = an_identity_link(reach=reach.UNKNOWN), np.random.default_rng(4)
    sources = rng.normal(size=(2048, 8)).astype("float32")
    before = [state.numpy() for state in link.variables]
    found = reach.measured(
        link, {"source": sources, "signal": sources}, np.zeros(2048, int), (LOW, HIGH)
    )
    snrs_db = np.linspace(LOW, HIGH, len(found))
    np.testing.assert_allclose(found, 10 ** (-snrs_db / 10), rtol=0.03)  # the noise, and it alone
    for state, value in zip(link.variables, before, strict=True):
        np.testing.assert_array_equal(state.numpy(), value)


def test_a_source_weighs_by_what_is_reachable_at_its_snr():
    losses = np.array([16.0, 4.0, 1.0], "float32")  # at -5, 10 and 25 dB
    sent = tf.constant([-5.0, 2.5, 10.0, 25.0])
    for exponent, powers in ((-0.5, [0.25, 0.5, 1.0]), (0.5, [4.0, 2.0, 1.0])):
        found = reach.weights_at(tf.constant(losses), tf.constant([LOW, HIGH]), sent, exponent)
        low, middle, high = np.array(powers) / np.mean(powers)
        np.testing.assert_allclose(found, [low, (low + middle) / 2, middle, high], rtol=1e-6)


def test_the_gradient_is_weighed_source_by_source_and_the_value_is_not():
    values, weight = tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([0.5, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = tf.reduce_sum(reach.weighed(values, weight) ** 2)
    assert float(loss) == 30.0
    expected = 2 * np.array([[1.0, 2.0], [3.0, 4.0]]) * np.array([[0.5], [3.0]])
    np.testing.assert_allclose(tape.gradient(loss, values), expected)


@pytest.mark.parametrize("terms", [(10.0, 0.0, 0.0), (0.0, 10.0, 0.0), (0.0, 0.0, 1.0)])
def test_a_link_weighs_each_term_and_reports_it_as_it_is(terms):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(64, 8)).astype("float32"), rng.integers(0, 2, 64)

    def gradients(levels):
        keras.utils.set_random_seed(6)
        link = an_identity_link(reach=levels)
        link.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
        weights = [w.numpy() for w in link.trainable_variables]
        how = {"psr_db": -60.0, "loss_weights": terms, "verbose": 0}
        logs = link.fit(x, y, batch_size=64, snr_db=(LOW, HIGH), **how).history
        after = [w.numpy() for w in link.trainable_variables]
        return logs, np.concatenate([(a - b).ravel() for a, b in zip(after, weights, strict=True)])

    logs, plain = gradients(None)
    same_logs, same = gradients([2.0, 2.0])  # alike everywhere: nothing changes
    other_logs, other = gradients([0.1, 10.0])
    assert logs == same_logs == other_logs
    np.testing.assert_allclose(same, plain, rtol=1e-4, atol=1e-7)
    assert np.linalg.norm(other - plain) > 0.1 * np.linalg.norm(plain) > 0


def test_what_is_reachable_is_another_number_in_the_same_step():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(64, 8)).astype("float32"), rng.integers(0, 2, 64)
    moved = []
    for levels in ([1.0, 1.0], [0.1, 10.0]):
        keras.utils.set_random_seed(8)
        if not moved:
            link = an_identity_link(reach=levels)
            link.compile(keras.optimizers.SGD(1.0))
            before = link.get_weights()
        link.set_weights(before)
        link.reach.assign(levels)
        link.fit(x, y, batch_size=64, snr_db=(LOW, HIGH), initial_epoch=0, verbose=0)
        moved.append(link.receiver_arn.get_weights())
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(*moved, strict=True))


def test_a_saved_link_keeps_what_is_reachable(tmp_path):
    link = an_identity_link(reach=[4.0, 2.0, 1.0])
    link.save(tmp_path / "link.keras")
    again = keras.saving.load_model(tmp_path / "link.keras")
    np.testing.assert_array_equal(again.reach.numpy(), [4.0, 2.0, 1.0])
    assert [each.name for each in again.transmitter_arn.inputs] == ["signal", "snr_db"]


@pytest.mark.parametrize("values", [[1.0], [1.0, 0.0], [1.0, np.nan], "high", [[1.0, 2.0]]])
def test_losses_that_cannot_be_are_refused(values):
    with pytest.raises(ConfigError, match="expected two or more finite losses above 0 as reach"):
        an_identity_link(reach=values)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "--snr-aware: expected a range, --snr-db LOW HIGH, got 10"),
        ({"snr_db": (LOW, HIGH), "protection": "keyed"}, "expected a pair of ARNs, got keyed"),
        ({"snr_db": (LOW, HIGH), "protection": "none"}, "expected a pair of ARNs, got none"),
    ],
)
def test_a_run_that_nobody_could_tell_anything_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        Config(snr_aware=True, **fields)


def test_runs_and_sweeps_of_before_keep_their_identity():
    plain, aware = Config(snr_db=(LOW, HIGH)), Config(snr_db=(LOW, HIGH), snr_aware=True)
    assert "snr_aware" not in plain.identity()
    assert aware.identity() == {**plain.identity(), "snr_aware": True}
    row = dict.fromkeys(KEY)
    assert key(row) == key({**row, "snr_aware": False}) == (None,) * len(KEY)
    assert key({**row, "snr_aware": True}) != key(row)


def test_a_sweep_compares_pairs_that_are_told_with_those_that_are_not():
    plan = Grid(snrs_db=(LOW, 10, HIGH), trainings=("range", "aware"), cases=("paired",)).plan()
    assert {(p.snr_aware, p.training_snr_db) for p in plan} == {
        (False, (LOW, HIGH)),
        (True, (LOW, HIGH)),
    }
    assert "white,snr=-5..25,psr=-10,aware" in {p.name for p in plan}
    with pytest.raises(ConfigError, match="aware: expected two SNRs or more to measure at"):
        Grid(trainings=("aware",))


def test_a_module_at_one_snr_takes_arrays_and_asks_for_what_else_it_names():
    snr_db, signal, csi = (
        keras.Input((n,), name=m) for n, m in ((1, "snr_db"), (4, "signal"), (1, "csi"))
    )
    module = keras.Model([snr_db, signal, csi], signal + 10 * snr_db + csi)
    placed = told(module, 3.0)
    assert [each.name for each in placed.inputs] == ["signal", "csi"]
    given = np.arange(8, dtype="float32").reshape(2, 4)
    found = tell(placed, given, csi=np.float32([0.5, 0.25]))
    np.testing.assert_array_equal(found, given + 30 + np.array([[0.5], [0.25]]))
