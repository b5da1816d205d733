"""
Sentences
=========

Alice sends questions over a transformer link; Eve wants to know what a question asks for: a
place, a person or a number. Any file of lines of label, tab, text will do; here one is written.
``python train.py --scenario text`` takes TREC's questions.
"""

import json
import os
import pathlib

import matplotlib.pyplot as plt
import numpy as np

from arn_keras.run.command import main

SHORT = "ARN_KERAS_SHORT" in os.environ
RUN = pathlib.Path("runs/sentences")
draw = np.random.default_rng(0)
nouns = ["city", "river", "king", "planet", "song", "tree", "book", "ship"]
kinds = {"place": "where is the", "person": "who has seen the", "number": "how many have the"}
lines = [
    f"{kind}\t{kinds[kind]} {' and the '.join(draw.choice(nouns, 2, replace=False))} ?"
    for kind in draw.choice(list(kinds), 500 if SHORT else 3000)
]
pathlib.Path("questions.tsv").write_text("\n".join(lines) + "\n")
print(*lines[:3], sep="\n")

# %%
# One command
# -----------
# A tenth of the lines is held out. Bob is judged by BLEU; the signal has places, one a token, and
# padding is not sent.

size = ["--epochs", "3", "--link-epochs", "5", "--eve-epochs", "3"] if SHORT else []
options = ["--scenario", "text", "--text", "questions.tsv", "--length", "10", "--run-dir", str(RUN)]
assert main([*options, "--knowledge", "white", "--psr-db", "-6", "--no-export", *size]) == 0

picture = plt.imread(RUN / "figures" / "examples.png")
plt.figure(figsize=(10, 10 * picture.shape[0] / picture.shape[1]))
plt.imshow(picture)
plt.axis("off")
plt.show()

# %%
# Does it hold?
# -------------
# Three Eves of three architectures are measured; the pair was trained against the first.

rows = [row for row in json.loads((RUN / "results.json").read_text()) if row["eve"] == "frozen"]
plain, pair = (next(row for row in rows if row["case"] == case) for case in ("original", "paired"))
print(f"Eve {plain['eve_accuracy']:.0%} -> {pair['eve_accuracy']:.0%}, BLEU-4 {pair['bleu4']:.2f}")
assert plain["eve_accuracy"] > 0.9
assert pair["eve_accuracy"] < plain["eve_accuracy"] - 0.2
assert pair["bleu4"] > 0.5
assert pair["measured_psr_db"] < pair["psr_db"] + 0.1
