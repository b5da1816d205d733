"""
Pictures over a convolutional link
==================================

The field's own link is convolutional: DeepJSCC, source and channel coding in one
(arXiv:1809.01733). Its signal has places, and so have the modules that are plugged in. The pictures
here are digits in random colours; ``python train.py --scenario deepjscc`` takes CIFAR-10.
"""

import os

import keras
import matplotlib.pyplot as plt
import numpy as np

from arn_keras import (
    EavesdropperLink,
    SecureLink,
    SemanticLink,
    build_receiver_arn,
    build_transmitter_arn,
)
from arn_keras.data import images
from arn_keras.link.deepjscc import build_receiver, build_transmitter

SHORT = "ARN_KERAS_SHORT" in os.environ
keras.utils.set_random_seed(0)
digits = images.load("digits")


def tinted(split, seed):
    """Digits in colours of their own."""
    colours = np.random.default_rng(seed).uniform(0.4, 1.0, (len(split), 1, 1, 3))
    return np.asarray(digits.prepared(split.source) * colours, "float32")


(x, y), (x_test, y_test) = (
    (tinted(s, n), s.label) for n, s in enumerate((digits.train, digits.test))
)

# %%
# Link and Eve
# ------------
# Four places, at each of them eight complex symbols.

shape = x.shape[1:]
link = SemanticLink(build_transmitter(shape, "1/6"), build_receiver(shape, "1/6"))
link.compile(keras.optimizers.Adam(3e-3), "mse")
link.fit(x, epochs=10 if SHORT else 40, batch_size=32, snr_db=10.0, verbose=0)
signals, heard = (link.transmitter.predict(each, verbose=0) for each in (x, x_test))
print("signal of a picture:", signals.shape[1:])

layers = [keras.layers.Conv2D(32, 2, activation="relu"), keras.layers.Flatten()]
eve = keras.Sequential([keras.Input(signals.shape[1:]), *layers, keras.layers.Dense(10)])
spy = EavesdropperLink(eve)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
spy.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
spy.fit(signals, y, epochs=15 if SHORT else 40, snr_db=10.0, verbose=0)

# %%
# The modules
# -----------
# The block is an option; this one convolves.

modules = [
    build(signals.shape[1:], block="conv") for build in (build_transmitter_arn, build_receiver_arn)
]
secure = SecureLink(link.transmitter, link.receiver, eve, *modules)
secure.compile(keras.optimizers.Adam(2e-3))
secure.fit(x, y, epochs=12 if SHORT else 60, snr_db=10.0, psr_db=-6.0, verbose=0)
pair = secure.evaluate(x_test, y_test, snr_db=10.0, verbose=0, return_dict=True)
plain = spy.evaluate(heard, y_test, snr_db=10.0, verbose=0, return_dict=True)
clear = link.evaluate(x_test, x_test, snr_db=10.0, verbose=0, return_dict=True)

shown = secure.predict(x_test[:8], snr_db=10.0, verbose=0)
seen = [x_test[:8], link.predict(x_test[:8], snr_db=10.0, verbose=0), shown]
figure, axes = plt.subplots(3, 8, figsize=(9, 3.6), layout="constrained")
names = ["sent", "Bob, no modules", "Bob, both modules"]
for line, name, pictures in zip(axes, names, seen, strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for axis, picture in zip(line, pictures, strict=True):
        axis.imshow(np.clip(picture, 0, 1))
        axis.set(xticks=[], yticks=[])
figure.suptitle(
    f"Eve names {plain['accuracy']:.0%} without the modules, {pair['eve_accuracy']:.0%} with"
)
plt.show()

# %%
# Does it hold?
# -------------
print(f"Bob's error {clear['loss']:.4f} -> {pair['task_loss']:.4f}")
assert pair["eve_accuracy"] < 0.6 * plain["accuracy"]
assert pair["perturbation_power"] <= 10**-0.6
assert pair["task_loss"] < 1.3 * clear["loss"]
