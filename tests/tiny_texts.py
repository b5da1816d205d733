"""Sentences small enough for a test, whose type follows from one word, and their files."""

import gzip

import numpy as np

from arn_keras.data import text as text_data
from arn_keras.data.tokens import END, PAD

LENGTH, WORDS = 6, 12
TOKENS = np.array([[3, 4, 5, 6, 7, END], [3, 8, END, PAD, PAD, PAD], [END, *[PAD] * 5]], np.int32)
KINDS = {"place": "where", "person": "who", "number": "how many"}
NOUNS = ("city", "river", "king", "planet", "song", "tree", "book", "ship")


def lines(count, seed=0):
    """Lines of label, tab, text."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        nouns = draw.choice(NOUNS, draw.integers(1, 4))
        found.append(f"{kind}\t{KINDS[kind]} {' '.join(nouns)} ?")
    return found


def write(folder, train=240, test=60):
    """Two files, the training set compressed; their paths."""
    paths = [folder / "tiny_train.tsv.gz", folder / "tiny_test.tsv"]
    with gzip.open(paths[0], "wt", encoding="utf-8") as file:
        file.write("\n".join(lines(train)) + "\n")
    paths[1].write_text("\n".join(lines(test, seed=1)) + "\n", encoding="utf-8")
    return [str(path) for path in paths]


def loaded(files, name="tiny", **options):
    """A data set of such files, of sentences of eight ids."""
    how = {"data_dir": None, "limit": None, "text": "text", "label": "label"}
    how |= {"length": 8, "vocabulary": 40}
    return text_data.load(name, files, **{**how, **options})
