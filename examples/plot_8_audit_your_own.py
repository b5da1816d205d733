"""
Audit a protection of your own
==============================

Somebody proposes to shuffle the symbols and to flip the signs of some: Bob undoes it exactly, it
costs no power, and Eve hears nonsense. Is it safe? A protection is one object and one line, and
then the audit climbs its ladder of eavesdroppers, who move last.
"""

import os
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np

import arn_keras
from arn_keras.pair import PROTECTIONS
from arn_keras.pair.protection import Means
from arn_keras.run.command import main

SHORT = "ARN_KERAS_SHORT" in os.environ
RUN = pathlib.Path("runs/digits")
QUICK = ["--epochs", "40", "--link-epochs", "30", "--knowledge", "white"] if SHORT else []
assert main(["--dataset", "digits", "--run-dir", str(RUN), "--quiet", *QUICK]) == 0

# %%
# The protection
# --------------
# Alice's module y -> z and Bob's module back, as Keras models. A dense layer is the matrix.


def shuffled(signal_shape):
    """The two modules of a fixed shuffle with signs."""
    (symbols,) = signal_shape
    draw = np.random.default_rng(7)
    matrix = np.eye(symbols)[draw.permutation(symbols)] * draw.choice([-1.0, 1.0], symbols)

    def build(start, end, weights):
        signal = keras.Input(signal_shape, name=start)
        layer = keras.layers.Dense(symbols, use_bias=False, name=end)
        model = keras.Model(signal, layer(signal))
        layer.set_weights([weights])
        return model

    return build("signal", "sent", matrix), build("received", "cleaned", matrix.T)


PROTECTIONS["shuffled"] = Means(build=shuffled)

# %%
# The ladder
# ----------
# E0 and E1 are Eves who do not adapt. E3 trains on shuffled signals; E5 has read the design, and
# so runs Bob's module herself.

audit = arn_keras.audit(RUN, quick=True, protections=["shuffled"], say=lambda *words: None)
rows = [row for row in audit["rows"] if row["protection"] == "shuffled" and row["rung"] != "Bob"]
best = {}
for row in rows:
    best[row["rung"]] = max(best.get(row["rung"], 0.0), row["eve_accuracy"])
plt.figure(figsize=(6, 3.2), layout="constrained")
plt.bar(list(best), list(best.values()))
plt.axhline(0.1, color="grey", linestyle="--", label="guessing")
plt.ylabel("accuracy of the best Eve of a rung")
plt.legend()
plt.show()

# %%
# Does it hold?
# -------------
# The protection does not: what is fixed is learnt, and what is public is undone.

print({rung: f"{share:.0%}" for rung, share in best.items()})
worst = audit["headline"]["shuffled"]
print(f"worst case: {worst['eve']}, {worst['eve_accuracy']:.0%}")
assert best["E0"] < 0.4
assert best["E5"] > 0.8
assert worst["eve_accuracy"] > 0.8
