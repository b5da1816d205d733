import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from arn_keras import SecureLink
from arn_keras.errors import DeviceError
from arn_keras.training.devices import refuse_several_machines, twin_on_devices

# A process of its own: devices are counted when TensorFlow starts.
TWO_DEVICES = """
from arn_keras.backend import load_tensorflow
load_tensorflow()
from arn_keras.training.devices import offer_logical_devices
offer_logical_devices(2)
import keras, numpy as np
from arn_keras import EavesdropperLink, SecureLink, SemanticLink
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.training.optimizer import FusedAdam
from arn_keras.link.dense import build_receiver, build_transmitter

sources = np.random.default_rng(0).uniform(size=(32, 6, 6, 1)).astype("float32")
labels = np.arange(32) % 3

def trained(kind, devices):
    keras.utils.set_random_seed(0)
    shape = (6, 6, 1)
    parts = build_transmitter(shape, 8, 16), build_receiver(shape, 8, 16)
    options, x, y = {"steps_per_execution": 2}, sources, labels
    if kind == "secure":
        link = SecureLink(*parts, build_eavesdropper((8,), 3, (16,)), seed=3)
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    elif kind == "semantic":
        link, y = SemanticLink(*parts, seed=3), None
        options["loss"] = "mse"
        optimizer = FusedAdam(0.01, epsilon=0.01)  # a smaller one would magnify rounding
    link.compile(optimizer, **options)
    losses = []
    def fit(epoch, snr_db):
        history = link.fit(x, y, batch_size=16, initial_epoch=epoch, epochs=epoch + 1, verbose=0,
                           snr_db=snr_db, devices=devices)
        return history.history["loss"]
    for epoch in range(1 + (kind == "semantic")):  # the optimiser's state must come along
        losses += fit(epoch, 200.0)  # no noise to speak of: each device draws its own
    found = losses, link.get_weights()
    return *found, fit(2, 0.0) if kind == "semantic" else None

for kind in ("secure", "semantic"):
    (one, weights, noisy), (two, of_two, of_noise) = trained(kind, 1), trained(kind, 2)
    assert min(one) > 0.01, one
    np.testing.assert_allclose(two, one, rtol=1e-5)
    for a, b in zip(weights, of_two):
        np.testing.assert_allclose(b, a, atol=1e-6)
    assert kind == "secure" or noisy != of_noise
print("equal")
"""


def test_two_devices_give_the_loss_and_the_weights_of_one():
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False
    )
    assert done.stdout == "equal\n", done.stderr[-2000:]


def test_more_devices_than_there_are_is_one_clear_error(models, sources, labels):
    link = SecureLink(*models)
    link.compile()
    count = len(tf.config.list_logical_devices("CPU")) + 1
    with pytest.raises(DeviceError, match=rf"expected {count} devices, got {count - 1}: CPU:0"):
        link.fit(sources, labels, verbose=0, devices=count)


def test_an_optimisers_state_comes_along_and_what_was_learnt_before_an_error_is_kept(models):
    link = SecureLink(*models)
    link.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    link.optimizer.build(link.trainable_variables)
    for momentum in link.optimizer.momentums:
        momentum.assign_add(keras.ops.ones_like(momentum))
    learnt = [w + 1 for w in link.transmitter_arn.get_weights()]

    def interrupted():
        with twin_on_devices(link, 1) as twin:
            for momentum in twin.optimizer.momentums:
                np.testing.assert_array_equal(momentum, np.ones(momentum.shape))
                momentum.assign_add(keras.ops.ones_like(momentum))
            twin.transmitter_arn.set_weights(learnt)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    for mine, its in zip(link.transmitter_arn.get_weights(), learnt, strict=True):
        np.testing.assert_array_equal(mine, its)
    for momentum in link.optimizer.momentums:
        np.testing.assert_array_equal(momentum, np.full(momentum.shape, 2.0))


def test_a_strategy_over_several_machines_is_refused(monkeypatch, models):
    refuse_several_machines()
    strategy = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    with pytest.raises(DeviceError, match=r"issue 20585.*sweep --ray"):
        SecureLink(*models)


def test_mixed_precision_trains_and_keeps_the_power_and_the_losses_in_full(sources, labels):
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.link.dense import build_receiver, build_transmitter

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        parts = build_transmitter((6, 6, 1), 8, 16), build_receiver((6, 6, 1), 8, 16)
        link = SecureLink(*parts, build_eavesdropper((8,), 3, (16,)), seed=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert link.transmitter_arn.compute_dtype == "bfloat16"
    link.compile(keras.optimizers.Adam(1e-2))
    settings = {"psr_db": -60.0, "loss_weights": (1.0, 0.0, 0.0)}  # surely learnt: less power
    history = link.fit(sources, labels, batch_size=16, epochs=10, verbose=0, **settings).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    signals = link.signals(sources)
    assert {s.dtype for s in signals} == {tf.float32}
