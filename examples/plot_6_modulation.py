"""
Modulation, over I/Q samples
============================

Where the letter's idea comes from: a classifier listens to a modem and names its modulation. The
link is a modem without a weight, the source is bits, and every pair sends the modem's own power:
a perturbation that added power would help Bob by that alone.
"""

import json
import os
import pathlib

import matplotlib.pyplot as plt
import numpy as np

from arn_keras.run.command import main

SHORT = "ARN_KERAS_SHORT" in os.environ
RUN = pathlib.Path("runs/modem")
size = ["--frames", "2000", "--test-frames", "600", "--samples", "128", "--epochs", "2"]
options = ["--scenario", "modulation", "--modulations", "qpsk", "16qam", "pam4", "--snr-db", "5"]
options += ["--knowledge", "white", "--psr-db", "-6", "--no-export", "--run-dir", str(RUN)]
assert main([*options, *(size if SHORT else [])]) == 0

# %%
# What Bob sees of a frame
# ------------------------
# Each frame's symbols, as they leave Alice's modem and as they are behind Bob's matched filter.

with np.load(RUN / "examples.npz") as file:
    examples = dict(file)
print({name: array.shape for name, array in examples.items() if name[:4] != "eve_"})
picture = plt.imread(RUN / "figures" / "examples.png")
plt.figure(figsize=(10, 10 * picture.shape[0] / picture.shape[1]))
plt.imshow(picture)
plt.axis("off")
plt.show()

# %%
# Does it hold?
# -------------
# Bob is judged by his symbol error rate. The first Eve is an expert: matched filter, timing
# recovery, cumulants; two others convolve.

rows = json.loads((RUN / "results.json").read_text())
for eve in sorted({row["eve"] for row in rows}):
    of = {row["case"]: row for row in rows if row["eve"] == eve}
    plain, pair = of["original"], of["paired"]
    print(f"{eve}: {plain['eve_accuracy']:.0%} -> {pair['eve_accuracy']:.0%}")
    assert pair["eve_accuracy"] < plain["eve_accuracy"]
    assert abs(pair["sent_power"] - 1) < 0.01
