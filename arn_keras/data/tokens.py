"""Sentences as token ids, and back: a vocabulary of words, `<unk>`, `<end>` and padding.

Words are what spaces separate, in lower case. A word that is not in the vocabulary is `<unk>`; a
sentence of more words than fit is cut; after its words comes `<end>`, then padding.
"""

import collections

import numpy as np

PAD, UNKNOWN, END = 0, 1, 2
SPECIAL = ("<pad>", "<unk>", "<end>")
#: Times that a word occurs in the training set, at least, to be in the vocabulary.
LEAST = 2


def words_of(text):
    """The words of a text."""
    return text.lower().split()


def vocabulary_of(texts, size):
    """The words of the ids, most frequent first: `SPECIAL`, then words that occur twice or more.

    Args:
        texts: of the training set.
        size: number of ids, at most.

    Returns:
        Tuple of strings.
    """
    counts = collections.Counter(word for text in texts for word in words_of(text))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    known = [word for word in ranked if counts[word] >= LEAST and word not in SPECIAL]
    return (*SPECIAL, *known[: size - len(SPECIAL)])


def encode(texts, vocabulary, length):
    """Token ids of texts, int32 [texts, length]."""
    ids = {word: number for number, word in enumerate(vocabulary) if word not in SPECIAL}
    tokens = np.full((len(texts), length), PAD, np.int32)
    for row, text in zip(tokens, texts, strict=True):
        found = [ids.get(word, UNKNOWN) for word in words_of(text)[: length - 1]]
        row[: len(found) + 1] = [*found, END]
    return tokens


def with_any_words(tokens, vocabulary, share, seed):
    """The same sentences with a share of their words replaced.

    Each id is alike likely, but `<unk>` twice as likely. A link that is trained on them as well
    learns rare words, and words in foreign company.

    Args:
        tokens: int32 [sentences, length].
        vocabulary: number of token ids.
        share: of the words.
        seed: integer.
    """
    draw = np.random.default_rng(seed)
    chosen = (tokens != PAD) & (tokens != END) & (draw.random(tokens.shape) < share)
    words = draw.integers(UNKNOWN, vocabulary, tokens.shape, tokens.dtype)
    words = np.where(words == END, UNKNOWN, words)
    return np.where(chosen, words, tokens)


def sentence(tokens):
    """The ids up to the first `<end>` (or padding, where there is none), a list."""
    tokens = np.asarray(tokens)
    (ends,) = np.nonzero((tokens == END) | (tokens == PAD))
    return tokens[: ends[0] if len(ends) else len(tokens)].tolist()


def decode(tokens, vocabulary):
    """The words of ids, up to the first `<end>`, as a text."""
    return " ".join(vocabulary[each] for each in sentence(tokens))
