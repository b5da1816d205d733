"""Sentences: Bob is to read what was sent; L2 is a cross-entropy of tokens, or of meaning.

The letter names the similarity of texts as an outlook (IV-B). Both losses leave padding out. He is
judged by BLEU, `task.sentences`, whichever it is: a scrambled question is similar, too.
"""

import numpy as np

from arn_keras.data.tokens import decode
from arn_keras.task.sentences import Sentences
from arn_keras.task.task import Measure, Task


class Text(Task):
    """Bob is to read the sentence that was sent.

    Args:
        by: "cross-entropy" or "similarity", what L2 is; the base link is trained by the first.
        vocabulary: words of the token ids; without, there is no similarity.
    """

    measures = (
        Measure("bleu4", "BLEU-4", ".4f"),
        Measure("bleu1", "BLEU-1", ".4f"),
        Measure("token_accuracy", "Tokens", ".4f"),
        Measure("exact", "Exact", ".4f"),
    )
    blind_field = "bleu4_commonest"
    has_picture = True
    task_weight = 0.1  # nats a token, where an MSE of pictures is 0.006

    def __init__(self, by="cross-entropy", vocabulary=()):
        self._by, self._vocabulary = by, tuple(vocabulary)

    def of(self, dataset):
        """The same with the words of a data set."""
        return Text(self._by, dataset.vocabulary)

    @property
    def link_loss(self):
        """The masked cross-entropy of Bob's logits."""
        from arn_keras.loss.tokens import masked_cross_entropy

        return masked_cross_entropy

    @property
    def task_loss(self):
        """L2 of Eq. (19): the same, or the distance of meanings."""
        if self._by == "cross-entropy":
            return self.link_loss
        from arn_keras.loss.tokens import SemanticDistance
        from arn_keras.task.similarity import word_vectors

        return SemanticDistance(word_vectors(self._vocabulary))

    def reading(self, estimate):
        """The ids that Bob reads of his logits, float32 [batch, length]."""
        return np.argmax(np.asarray(estimate), axis=-1).astype(np.float32)

    def blind(self, targets, count):
        """The commonest token of each place."""
        commonest = [np.argmax(np.bincount(column)) for column in np.asarray(targets, int).T]
        return np.broadcast_to(np.array(commonest), (count, len(commonest)))

    def meter(self):
        """A new `Sentences`."""
        return Sentences(self._vocabulary)

    def shown(self, examples):
        """The arrays of examples with sentences in the place of token ids and logits."""

        def words(name, array):
            if name != "source" and not name.startswith("bob_"):
                return array
            ids = array if array.ndim == 2 else self.reading(array)
            return np.array([decode(each, self._vocabulary) for each in ids.astype(int)])

        return {name: words(name, array) for name, array in examples.items()}

    def picture(self, path, examples, rows, title):
        """Draws the sentences, what Bob reads of them, and what each Eve says."""
        from arn_keras.task.sentences_picture import sentences_picture

        sentences_picture(path, examples, rows, title)


TEXT = Text()
SIMILARITY = Text("similarity")
