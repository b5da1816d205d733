"""How well sentences were read: BLEU, tokens, exact sentences, similarity of meaning.

BLEU (Papineni et al., ACL 2002) is sacrebleu's (Post, WMT 2018), over the whole test set, without
any tokenisation of its own: the words are the link's. A word that is not in the vocabulary is sent
as `<unk>`, and `<unk>` read by Bob counts as right there: what is measured is the link, not the
vocabulary (its share of the test words is told with the data). A sentence ends at the first `<end>`
that Bob reads; what he reads behind it does not count.
"""

import functools
import importlib.util

import numpy as np

from arn_keras.data.tokens import PAD, sentence
from arn_keras.errors import ConfigError
from arn_keras.task import similarity


def require_bleu():
    """ConfigError without sacrebleu."""
    if importlib.util.find_spec("sacrebleu") is None:
        raise ConfigError(
            "--scenario text: expected the package sacrebleu, for BLEU: pip install "
            "'arn-keras[text]'"
        )


class Sentences:
    """Meter of sentences.

    Args:
        vocabulary: words of the token ids, or nothing.

    Raises:
        ConfigError: without sacrebleu.
    """

    def __init__(self, vocabulary=()):
        require_bleu()
        self._vocabulary = vocabulary
        self._sent, self._read = [], []
        self._hits = self._tokens = 0

    def add(self, target, estimate):
        """Adds a batch: ids [batch, length], and logits [..., vocabulary], or the ids read."""
        target, estimate = np.asarray(target).astype(int), np.asarray(estimate)
        read = estimate.argmax(-1) if estimate.ndim == 3 else np.rint(estimate).astype(int)
        there = target != PAD
        self._hits += int(np.sum((read == target) & there))
        self._tokens += int(np.sum(there))
        self._sent += map(sentence, target)
        self._read += map(sentence, read)

    def fields(self, sources):
        """The row's fields over so many sources; `similarity` is None where it cannot be had."""
        sent, read = (
            [" ".join(map(str, each)) for each in side] for side in (self._sent, self._read)
        )
        exact = sum(one == other for one, other in zip(sent, read, strict=True))
        return {
            "bleu4": bleu(sent, read, 4),
            "bleu1": bleu(sent, read, 1),
            "token_accuracy": self._hits / max(1, self._tokens),
            "exact": exact / sources,
            "similarity": self._similarity(),
        }

    def _similarity(self):
        if not (self._vocabulary and similarity.available()):
            return None
        texts = [
            [" ".join(self._vocabulary[word] for word in each) for each in side]
            for side in (self._sent, self._read)
        ]
        return float(similarity.similarities(*texts).mean())


@functools.cache
def _bleu(order):
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize="none", max_ngram_order=order, force=True)


def bleu(references, texts, order):
    """Corpus BLEU in [0, 1] of n-grams up to an order, words separated by spaces."""
    return _bleu(order).corpus_score(texts, [references]).score / 100.0
