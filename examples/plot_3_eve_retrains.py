"""
An Eve who retrains, and what a key does
========================================

The pair fools an eavesdropper who does not adapt. This one records protected signals with their
labels and trains on them. Then Alice and Bob share a key, and turn each message by a rotation of
its own, which costs no power, and nothing of Bob's picture. The run is that of the first page.
"""

import os
import pathlib

import keras
import matplotlib.pyplot as plt

from arn_keras import EavesdropperLink
from arn_keras.data import images
from arn_keras.eve import EVES
from arn_keras.pair import ROTATIONS
from arn_keras.rooms import answer
from arn_keras.run.command import main

SHORT = "ARN_KERAS_SHORT" in os.environ
RUN = pathlib.Path("runs/digits")
QUICK = ["--epochs", "40", "--link-epochs", "30", "--knowledge", "white"] if SHORT else []
assert main(["--dataset", "digits", "--run-dir", str(RUN), "--quiet", *QUICK]) == 0

# %%
# What she overhears
# ------------------
# Three kinds of the same messages: plain, through Alice's module, and turned by keys that Eve does
# not have, a fresh one for each message.

digits = images.load("digits")
transmitter = keras.models.load_model(RUN / "link" / "transmitter.keras")
module = keras.models.load_model(RUN / "arn" / "white" / "transmitter.keras")
sent = {}
for name, split in (("train", digits.train), ("test", digits.test)):
    plain = transmitter.predict(digits.prepared(split.source), verbose=0)
    rotation = answer(ROTATIONS, "haar")
    keys = rotation.random_keys(len(plain), plain.shape[1:], 1 if name == "train" else 2)
    turned = rotation.build_transmitter(plain.shape[1:]).predict([plain, keys], verbose=0)
    sent[name] = {"plain": plain, "pair": module.predict(plain, verbose=0), "keyed": turned}

# %%
# She trains
# ----------
# A fresh classifier for each, of the same architecture and for the same time.

accuracy = {}
for kind in ("plain", "pair", "keyed"):
    keras.utils.set_random_seed(0)
    spy = EavesdropperLink(answer(EVES, "eve")(sent["train"][kind].shape[1:], 10), seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    spy.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    spy.fit(sent["train"][kind], digits.train.label, epochs=20, snr_db=10.0, verbose=0)
    found = spy.evaluate(
        sent["test"][kind], digits.test.label, snr_db=10.0, verbose=0, return_dict=True
    )
    accuracy[kind] = found["accuracy"]

plt.figure(figsize=(6, 3.2), layout="constrained")
plt.bar(["no protection", "the pair", "a key"], accuracy.values())
plt.axhline(0.1, color="grey", linestyle="--", label="guessing")
plt.ylabel("accuracy of an Eve who trained on it")
plt.legend()
plt.show()

# %%
# Does it hold?
# -------------
# The pair alone does not stop her. The key does: what she hears is equally likely for every label.

print({kind: f"{share:.0%}" for kind, share in accuracy.items()})
assert accuracy["plain"] > 0.9
assert accuracy["pair"] > 0.75
assert accuracy["keyed"] < 0.2
