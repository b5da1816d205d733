"""
Protect your own Keras link
===========================

The link is yours: any Keras model whose output is a signal may transmit, any that takes the signal
back may receive. Here a small factory sends twelve sensor readings. What is private is whether
the first three together are above their mean: the load of a machine.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

from arn_keras import EavesdropperLink, SecureLink, SemanticLink

keras.utils.set_random_seed(0)
readings = np.random.default_rng(0).uniform(size=(4000, 12)).astype("float32")
load = (readings[:, :3].sum(axis=1) > 1.5).astype("int32")
train, test = slice(3000), slice(3000, None)

# %%
# The link that is there
# ----------------------
# Its signal has power 1 a symbol, what every SNR and budget is referred to. ``SemanticLink`` puts a
# noisy channel between the two models, and is otherwise an ordinary Keras model.

norm = [keras.layers.UnitNormalization(), keras.layers.Rescaling(16**0.5)]
transmitter = keras.Sequential([keras.Input((12,)), keras.layers.Dense(16), *norm])
receiver = keras.Sequential([keras.Input((16,)), keras.layers.Dense(12)])
link = SemanticLink(transmitter, receiver)
link.compile(keras.optimizers.Adam(5e-3), "mse")
link.fit(readings[train], epochs=20, snr_db=10.0, verbose=0)

# %%
# Eve
# ---
# She has recordings with their labels, and trains a classifier on what she overhears.

eve = keras.Sequential([keras.Input((16,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(2)])
spy = EavesdropperLink(eve)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
spy.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
signals = transmitter.predict(readings, verbose=0)
spy.fit(signals[train], load[train], epochs=20, snr_db=10.0, verbose=0)

# %%
# The pair
# --------
# ``SecureLink`` trains the two modules, and none of the three models above.

before = [keras.ops.copy(weight) for weight in transmitter.weights + receiver.weights]
secure = SecureLink(transmitter, receiver, eve)
secure.compile("adam")
history = secure.fit(readings[train], load[train], epochs=15, snr_db=10.0, psr_db=-10.0, verbose=0)
plain = spy.evaluate(signals[test], load[test], snr_db=10.0, verbose=0, return_dict=True)
pair = secure.evaluate(readings[test], load[test], snr_db=10.0, verbose=0, return_dict=True)
clear = link.evaluate(readings[test], readings[test], snr_db=10.0, verbose=0, return_dict=True)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].plot(history.history["eve_accuracy"], label="Eve's accuracy, in training")
axes[0].plot(history.history["perturbation_power"], label="power of the perturbation (budget 0.1)")
axes[0].set(xlabel="epoch", ylim=(0, 1))
axes[0].legend()
axes[1].bar(["without", "with the pair"], [plain["accuracy"], pair["eve_accuracy"]])
axes[1].axhline(0.5, color="grey", linestyle="--", label="guessing")
axes[1].set(ylabel="Eve's accuracy, test readings", ylim=(0, 1))
axes[1].legend()
plt.show()

# %%
# Does it hold?
# -------------
print(f"Eve {plain['accuracy']:.2f} -> {pair['eve_accuracy']:.2f}; guessing is 0.50")
print(f"Bob's error {clear['loss']:.4f} -> {pair['task_loss']:.4f}")
assert plain["accuracy"] > 0.8
assert pair["eve_accuracy"] < plain["accuracy"] - 0.2
assert pair["perturbation_power"] <= 0.1
for old, new in zip(before, transmitter.weights + receiver.weights, strict=True):
    assert np.array_equal(old, new)
