"""Losses of sentences: cross-entropy of the tokens that are there, and distance of meanings."""

import keras
from keras import ops

from arn_keras.data.tokens import PAD


@keras.saving.register_keras_serializable("arn_keras")
def masked_cross_entropy(tokens, logits):
    """Cross-entropy of a sentence's tokens and of its `<end>`, in nats; padding counts for nothing.

        L2 = sum over t of m_t CE(softmax(o_t), s_t) / sum over t of m_t

    Args:
        tokens: s, ids, [batch, length]; 0 is padding.
        logits: o, [batch, length, vocabulary].

    Returns:
        One value a source, [batch].
    """
    tokens = ops.cast(tokens, "int32")
    there = _there(tokens, logits.dtype)
    each = ops.sparse_categorical_crossentropy(tokens, logits, from_logits=True)
    return ops.sum(there * each, axis=-1) / ops.maximum(ops.sum(there, axis=-1), 1.0)


class SemanticDistance:
    """One minus the cosine of two sentences' embeddings: the letter's outlook, Section IV-B.

        L2 = 1 - cos(sum over t of m_t e(s_t), sum over t of m_t sum over v of p_tv e(v))

    A sentence is the sum of its words' vectors e; of Bob's, that of their expectation under his
    distributions p_t = softmax(o_t), so that it has a gradient. The order of words is not in it.

    Args:
        vectors: e, one a token id, array [vocabulary, d].
    """

    def __init__(self, vectors):
        self._vectors = vectors

    def __call__(self, tokens, logits):
        """One value a source, [batch], from 0 to 2; arguments as of `masked_cross_entropy`."""
        tokens = ops.cast(tokens, "int32")
        vectors = ops.cast(self._vectors, logits.dtype)
        there = _there(tokens, logits.dtype)[..., None]
        sent = ops.sum(there * ops.take(vectors, tokens, axis=0), axis=1)
        # Summed over the places first: the words' vectors are multiplied once a sentence.
        read = ops.matmul(ops.sum(there * ops.softmax(logits, axis=-1), axis=1), vectors)
        sent, read = (ops.normalize(each, axis=-1) for each in (sent, read))
        return 1.0 - ops.sum(sent * read, axis=-1)


def _there(tokens, dtype):
    return ops.cast(ops.not_equal(tokens, PAD), dtype)
