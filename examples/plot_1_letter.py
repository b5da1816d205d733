"""
The letter in one minute
========================

Alice sends pictures over a noisy channel, Bob gets them back, and Eve, who overhears, wants their
label. One command trains the whole of it: the link, Eve, and the pair of modules that the letter
plugs in behind Alice's transmitter and before Bob's receiver. This page runs what
``python train.py --dataset digits`` runs, on the 1,797 digits that come with scikit-learn; no
network is needed. A directory of a run is kept, and the same command goes on from there.
"""

import json
import os
import pathlib

import matplotlib.pyplot as plt

from arn_keras.run.command import main

SHORT = "ARN_KERAS_SHORT" in os.environ  # what continuous integration runs
RUN = pathlib.Path("runs/digits")
QUICK = ["--epochs", "40", "--link-epochs", "30", "--knowledge", "white"] if SHORT else []

assert main(["--dataset", "digits", "--run-dir", str(RUN), *QUICK]) == 0

# %%
# The picture
# -----------
# The run draws one digit of each label. Orange is what Eve names rightly. Alice's module alone
# fools her, and costs Bob; with both modules she is fooled and Bob sees what he saw before.

picture = plt.imread(RUN / "figures" / "examples.png")
plt.figure(figsize=(10, 10 * picture.shape[0] / picture.shape[1]))
plt.imshow(picture)
plt.axis("off")
plt.show()

# %%
# The figures
# -----------
# ``results.json`` has a row for each case, over all test digits. The perturbation's measured power
# is given beside its budget, for fooling Eve with more power is no art.

rows = {
    (row["case"], row["knowledge"]): row for row in json.loads((RUN / "results.json").read_text())
}
plain, pair = rows["original", None], rows["paired", "white"]
print(f"Eve names {plain['eve_accuracy']:.0%} without the modules")
print(f"and {pair['eve_accuracy']:.0%} with them")
print(f"Bob's error is {pair['mse'] / plain['mse']:.2f} times what it was")
print(f"the perturbation has {pair['measured_psr_db']:.1f} dB, of {pair['psr_db']:g} dB allowed")

# %%
# Does it hold?
# -------------
# The claim of the letter, for this Eve, who does not adapt. The pages that follow let her adapt.

assert plain["eve_accuracy"] > 0.9
assert pair["eve_accuracy"] < (0.5 if SHORT else 0.3)
assert pair["mse"] < 1.15 * plain["mse"]
assert pair["measured_psr_db"] < pair["psr_db"]
