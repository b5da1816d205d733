"""
Deploy on a board
=================

The two modules leave Keras as LiteRT files of built-in operators only, with a client that needs no
TensorFlow. The bundle of the first page's run was proven on the test set when it was written; here
a device opens it, and the interpreter of microcontrollers runs it.
"""

import json
import os
import pathlib
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np

from arn_keras.export import micro, runtime
from arn_keras.run.command import main

SHORT = "ARN_KERAS_SHORT" in os.environ
RUN = pathlib.Path("runs/digits")
QUICK = ["--epochs", "40", "--link-epochs", "30", "--knowledge", "white"] if SHORT else []
assert main(["--dataset", "digits", "--run-dir", str(RUN), "--quiet", *QUICK]) == 0
bundle = RUN / "bundle"
print(*sorted(path.name for path in bundle.iterdir()), sep="\n")

# %%
# On the device
# -------------
# The bundle tests itself, in a process of its own: its answers there against those of the machine
# that wrote it. Then Alice protects a signal, and Bob cleans what he receives.

test = [sys.executable, bundle / "runtime.py", "--selftest"]
print(subprocess.run(test, check=True, capture_output=True, text=True).stdout)
with runtime.Pair.load(bundle, precision="int8") as pair:
    draw = np.random.default_rng(0)
    signal = draw.normal(size=pair.alice.shape).astype("float32")
    signal /= np.sqrt(np.mean(signal**2))
    sent = pair.alice.protect(signal)
    received = sent + draw.normal(scale=10**-0.5, size=sent.shape).astype("float32")
    cleaned = pair.bob.clean(received)
off = {"received": received - signal, "cleaned": cleaned - signal}
print({name: f"{np.mean(error**2):.3f}" for name, error in off.items()}, "of power 1")

# %%
# On a microcontroller
# --------------------
# The same files on LiteRT for Microcontrollers; ``micro`` also writes them as C arrays.

out, rows = micro.export(bundle)
for row in rows:
    print(f"{row['file']}: {row['flash_bytes']} bytes of flash, {row['arena_bytes']} of memory")
print(*sorted(path.name for path in out.iterdir()), sep="\n")

# %%
# What rounding costs
# -------------------

manifest = json.loads((bundle / "manifest.json").read_text())
same = {
    row["transmitter"]: row for row in manifest["parity"] if row["transmitter"] == row["receiver"]
}
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
sizes = [manifest["modules"]["transmitter"][name]["bytes"] / 1024 for name in same]
axes[0].bar(list(same), sizes)
axes[0].set(ylabel="KiB of Alice's module")
axes[1].bar(list(same), [100 * row["mse_change"] for row in same.values()])
axes[1].set(ylabel="change of Bob's error in %")
plt.show()

# %%
# Does it hold?
# -------------
assert abs(same["int8"]["mse_change"]) < 0.01
assert sizes[list(same).index("int8")] < 0.5 * sizes[0]
assert all(row["equal"] > 0.9 for row in rows)
