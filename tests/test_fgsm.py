import keras
import numpy as np
import pytest

from arn_keras.measure.fgsm import fgsm, fgsm_example


@pytest.fixture
def linear():
    """Logits x W: the gradient of the cross-entropy has a closed form, W (softmax - onehot)."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, use_bias=False)])


def test_the_sign_is_that_of_the_closed_form_gradient(linear):
    inputs = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    labels = np.arange(20) % 3
    matrix = linear.get_weights()[0]
    logits = inputs @ matrix
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gradient = (softmax - np.eye(3)[labels]) @ matrix.T
    found = np.asarray(fgsm(linear, inputs, labels, psr_db=-6.0))
    np.testing.assert_allclose(found, 10**-0.3 * np.sign(gradient), rtol=1e-6)


@pytest.mark.parametrize("psr_db", [-20.0, -10.0, 0.0])
def test_the_power_is_exactly_the_limit_even_where_the_gradient_vanishes(linear, psr_db):
    linear.set_weights([np.zeros((6, 3))])
    delta = np.asarray(fgsm(linear, np.ones((4, 6), "float32"), np.zeros(4, int), psr_db))
    np.testing.assert_allclose((delta**2).mean(axis=1), 10 ** (psr_db / 10), rtol=1e-6)


def test_the_attack_raises_the_loss_and_its_opposite_lowers_it(linear):
    inputs = np.random.default_rng(1).normal(size=(50, 6)).astype("float32")
    labels = np.arange(50) % 3
    delta = np.asarray(fgsm(linear, inputs, labels, psr_db=-20.0))

    def loss(x):
        return float(
            np.mean(
                keras.losses.sparse_categorical_crossentropy(labels, linear(x), from_logits=True)
            )
        )

    assert loss(inputs - delta) < loss(inputs) < loss(inputs + delta)


def test_a_classifier_of_probabilities_gets_the_same_attack(linear):
    soft = keras.Sequential([linear, keras.layers.Softmax()])
    inputs = np.random.default_rng(2).normal(size=(20, 6)).astype("float32")
    labels = np.arange(20) % 3
    np.testing.assert_array_equal(
        fgsm(linear, inputs, labels, -10.0), fgsm(soft, inputs, labels, -10.0, from_logits=False)
    )


def test_the_example_is_one_that_the_attack_turns_from_right_to_wrong(linear):
    inputs = np.random.default_rng(0).normal(size=(50, 6)).astype("float32")
    labels = np.asarray(linear(inputs)).argmax(axis=1)
    labels[:5] = (labels[:5] + 1) % 3  # mistaken from the start
    shown = fgsm_example(linear, inputs, labels, -3.0)
    np.testing.assert_allclose(shown["sum"], shown["original"] + shown["perturbation"], rtol=1e-6)
    assert shown["guess"][0] == shown["label"] != shown["guess"][1]
    power = 10**-0.3 * (inputs**2).mean()
    assert shown["power"][1] == pytest.approx(power, rel=1e-4)
    assert shown["power"][0] == pytest.approx((shown["original"] ** 2).mean(), rel=1e-5)
    assert ((shown["confidence"] > 1 / 3) & (shown["confidence"] <= 1)).all()
