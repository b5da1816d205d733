"""Sentences small enough for a test, whose type follows from one word, and their files."""

import gzip

import numpy as np

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
