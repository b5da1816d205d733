"""The composite loss of Eq. (19)-(23), term by term.

Every term is a mean over the batch, so a ragged last batch counts for what it is only if its mean
is weighted by its size; `SecureLink` does that.
"""

import keras
from keras import ops

from arn_keras.power import mean_power


def attack_power_loss(perturbation, budget):
    """Excess attack power, Eq. (20): max(0, mean(delta^2) - P) of each source, batch mean.

    Args:
        perturbation: delta, real, [batch, ...].
        budget: P, allowed mean power per real symbol; scalar or [batch].

    Returns:
        Scalar, 0 where every source keeps the budget.
    """
    return ops.mean(ops.relu(mean_power(perturbation) - budget))


@keras.saving.register_keras_serializable("arn_keras")
def mean_squared_error(source, estimate):
    """Semantic loss of the Alice-Bob link, Eq. (21): mean((s - s_hat)^2).

    Args:
        source: s, real, [batch, ...].
        estimate: s_hat, shaped like `source`.

    Returns:
        Scalar.
    """
    return ops.mean(ops.square(source - estimate))


@keras.saving.register_keras_serializable("arn_keras")
def eve_confidence(logits, labels):
    """Confidence that Eve gives the true label, Eq. (22), (23): batch mean of softmax(o)[c].

    Bounded, unlike the negated cross-entropy, so that fooling Eve cannot run away with the loss.

    Args:
        logits: o, outputs of Eve's last layer before any softmax, [batch, classes].
        labels: c, true labels, integers, [batch].

    Returns:
        Scalar in [0, 1].
    """
    confidence = ops.softmax(logits, axis=-1)
    truth = ops.one_hot(labels, logits.shape[-1], dtype=confidence.dtype)
    return ops.mean(ops.sum(truth * confidence, axis=-1))
