import keras
import numpy as np
import pytest
from wiretaps import PROTOTYPES, TEST, TINY, wiretap

from arn_keras.eve import EVES
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.pair.chain import Protection, RandomKeys, protection, weakened
from arn_keras.pair.rotation import fast
from arn_keras.rooms import answer
from arn_keras.scenario.scenario import Scenario


def test_what_eve_hears_has_the_noise_of_its_snr_and_repeats():
    tap = wiretap()
    noise = tap.test() - tap.signals[1]
    assert np.var(noise) == pytest.approx(0.1, rel=0.03)
    assert np.var(tap.test(20.0) - tap.signals[1]) == pytest.approx(0.01, rel=0.03)
    np.testing.assert_array_equal(tap.test(), tap.test())


def test_an_attack_is_that_of_the_best_epoch_and_repeats():
    tap = wiretap()
    first, again = (tap.train(build_eavesdropper, 1, name="a", recordings=100) for _ in range(2))
    np.testing.assert_array_equal(first.logits, again.logits)
    assert len(first.curve) >= 4
    losses = [loss for _, _, loss in first.curve]
    truth = tap.labels[1]
    shares = keras.ops.softmax(first.logits).numpy()[np.arange(TEST), truth]
    assert -np.mean(np.log(shares)) == pytest.approx(min(losses), rel=1e-3)
    np.testing.assert_allclose(
        first.classifier(tap.test(), training=False), first.logits, rtol=1e-4, atol=1e-4
    )


def test_an_eve_on_unprotected_signals_is_trained_once_for_all_protections():
    tap = wiretap(protection=Protection("keyed", rotation=fast(3)))
    found = [
        tap.trained_on_unprotected(build_eavesdropper, TINY.epochs, name="one") for _ in range(2)
    ]
    assert found[0] is found[1]
    assert np.mean(found[0].logits.argmax(1) == tap.labels[1]) > 0.9


@pytest.mark.parametrize("symbols", [1, 13, 130])
@pytest.mark.parametrize("name", Scenario.larger)
def test_larger_eves_take_any_number_of_symbols_and_hear_each(name, symbols):
    import tensorflow as tf

    eve = answer(EVES, name)((symbols,), 3)
    heard = tf.random.stateless_normal((4, symbols), (0, symbols))
    with tf.GradientTape() as tape:
        tape.watch(heard)
        logits = eve(heard)
        first = logits[:, 0]
    assert logits.shape == (4, 3)
    assert np.all(np.any(tape.gradient(first, heard).numpy() != 0, axis=0))


def test_keys_are_fresh_for_each_message_unless_they_are_reused():
    signal = np.tile(PROTOTYPES[:1], (2, 1)).astype("float32")
    sent = RandomKeys((16,))(signal).numpy()
    assert np.abs(sent[0] - sent[1]).max() > 0.1
    reused = RandomKeys((16,), reused=True)(signal).numpy()
    np.testing.assert_allclose(reused[0], reused[1], atol=1e-6)
    copies = RandomKeys((16,), copies=2)(signal).numpy()
    assert copies.shape == (2, 32)
    assert np.abs(copies[0, :16] - copies[0, 16:]).max() > 0.1


def test_a_weakened_perturbation_has_the_power_that_is_asked_for():
    signals = PROTOTYPES.astype("float32")
    pair = Protection("arn", lambda y, training=False: 1.3 * y)
    weak = weakened(pair, signals, -20.0).transmitter_arn(signals)
    np.testing.assert_allclose(np.mean((weak - signals) ** 2), 0.01, rtol=1e-3)


def test_a_protection_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="expected one of none, arn, keyed"):
        protection("rot13")
    with pytest.raises(ValueError, match=r"expected a pair of modules for arn\+keyed, got none"):
        protection("arn+keyed")
