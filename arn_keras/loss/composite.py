"""The composite loss of Eq. (19)-(23), term by term, and others for the places of (20) and (23).

Every term is a mean over the batch, so a ragged last batch counts for what it is only if its mean
is weighted by its size; `SecureLink` does that.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from arn_keras.loss.shapes import labels_for, one_a_source, refuse_no_logits, shape_of, shaped_like
from arn_keras.power import mean_power

MARGIN = 5.0  # kappa of `eve_logit_margin`, in logits
ODDS = 2.0  # kappa of `eve_log_odds`, in nats


@keras.saving.register_keras_serializable("arn_keras")
def attack_power_loss(perturbation: Any, budget: Any) -> Any:
    """Excess attack power, Eq. (20): max(0, mean(delta^2) - P) of each source, batch mean.

    Args:
        perturbation: delta, real, [batch, ...].
        budget: P, allowed mean power per real symbol; scalar or [batch].

    Returns:
        Scalar, 0 where every source keeps the budget.
    """
    shape_of(perturbation, "perturbations")
    power = mean_power(perturbation)
    return ops.mean(ops.relu(power - one_a_source(budget, power)))


@keras.saving.register_keras_serializable("arn_keras")
def mean_attack_power_loss(perturbation, budget):
    """Excess of a batch's mean attack power over the budget: max(0, mean(mean(delta^2) / P) - 1).

    Eq. (20) with the sources of a batch sharing their budget: what one does not need is left to
    another, and the mean over all sources is what is measured. In units of the budget, so that one
    weight holds small budgets as well as large ones.

    Args:
        perturbation: delta, real, [batch, ...].
        budget: P, allowed mean power per real symbol, above 0; scalar or [batch].

    Returns:
        Scalar, 0 where the batch keeps the budget.
    """
    shape_of(perturbation, "perturbations")
    power = mean_power(perturbation)
    return ops.relu(ops.mean(power / one_a_source(budget, power)) - 1.0)


@keras.saving.register_keras_serializable("arn_keras")
def mean_squared_error(source: Any, estimate: Any) -> Any:
    """Semantic loss of the Alice-Bob link, Eq. (21): mean((s - s_hat)^2).

    Args:
        source: s, real, [batch, ...].
        estimate: s_hat, shaped like `source`; [batch] and [batch, 1] are one.

    Returns:
        Scalar.

    Raises:
        DataError: for other shapes, or a source of integers.
    """
    error = estimate - shaped_like(estimate, source)
    # Half of the passes over memory that a mean of squares takes, with its gradient.
    return 2.0 * tf.nn.l2_loss(error) / tf.cast(tf.size(error), error.dtype)


@keras.saving.register_keras_serializable("arn_keras")
def eve_confidence(logits: Any, labels: Any) -> Any:
    """Confidence that Eve gives the true label, Eq. (22), (23): batch mean of softmax(o)[c].

    Bounded, unlike the negated cross-entropy, so that fooling Eve cannot run away with the loss.

    Args:
        logits: o, outputs of Eve's last layer before any softmax, [batch, classes].
        labels: c, true labels, integers, [batch] or [batch, 1].

    Returns:
        Scalar in [0, 1].
    """
    labels = labels_for(logits, labels)
    confidence = ops.softmax(logits, axis=-1)
    truth = ops.one_hot(labels, logits.shape[-1], dtype=confidence.dtype)
    return ops.mean(ops.sum(truth * confidence, axis=-1))


@keras.saving.register_keras_serializable("arn_keras")
def eve_logit_margin(logits, labels):
    """How far Eve's logits are from a sure mistake: batch mean of max(0, o_c - max_j o_j + kappa).

    The maximum is over the other labels j, and kappa = 5. Unlike the confidence, its gradient does
    not vanish where a substitute is sure, and it goes on pushing after that one is fooled, which is
    what carries over to a classifier not seen in training. Carlini and Wagner, *Towards Evaluating
    the Robustness of Neural Networks*, IEEE S&P 2017, objective f6.

    Args:
        logits: o, outputs of Eve's last layer before any softmax, [batch, classes].
        labels: c, true labels, integers, [batch] or [batch, 1].

    Returns:
        Scalar, 0 where every source is mistaken by at least kappa.
    """
    truth = ops.one_hot(labels_for(logits, labels), logits.shape[-1], dtype=logits.dtype)
    true_logit = ops.sum(truth * logits, axis=-1)
    other_logit = ops.max(ops.where(truth > 0, -np.inf, logits), axis=-1)
    return ops.mean(ops.relu(true_logit - other_logit + MARGIN))


@keras.saving.register_keras_serializable("arn_keras")
def eve_log_odds(logits, labels):
    """The odds that Eve gives the truth: batch mean of max(0, log(p_c / (1 - p_c)) + kappa).

    p = softmax(o), and kappa = 2: a source counts until p_c is below 0.12. The logit margin with
    all other labels in the place of the best one, so that its gradient is smooth, and spends
    nothing on sources that are far gone.

    Args:
        logits: o, outputs of Eve's last layer before any softmax, [batch, classes].
        labels: c, true labels, integers, [batch] or [batch, 1].

    Returns:
        Scalar, 0 where Eve holds the truth of every source for improbable.
    """
    truth = ops.one_hot(labels_for(logits, labels), logits.shape[-1], dtype=logits.dtype)
    true_logit = ops.sum(truth * logits, axis=-1)
    others = ops.logsumexp(ops.where(truth > 0, -np.inf, logits), axis=-1)
    return ops.mean(ops.relu(true_logit - others + ODDS))


@keras.saving.register_keras_serializable("arn_keras")
def eve_entropy_gap(logits, labels):
    """What Eve believes to know: batch mean of log C - H(softmax(o)), in nats.

    Drives her towards the uniform answer whatever the label is, so it needs none.

    Args:
        logits: o, outputs of Eve's last layer before any softmax, [batch, C].
        labels: unused; as the other terms of this place have it.

    Returns:
        Scalar in [0, log C], 0 where every answer is uniform.
    """
    refuse_no_logits(logits)
    log_confidence = ops.log_softmax(logits, axis=-1)
    entropy = -ops.sum(ops.exp(log_confidence) * log_confidence, axis=-1)
    return ops.mean(math.log(logits.shape[-1]) - entropy)


# What may stand for L3 of Eq. (19); the letter's is the confidence.
PRIVACY_LOSSES = {
    "confidence": eve_confidence,
    "margin": eve_logit_margin,
    "odds": eve_log_odds,
    "entropy": eve_entropy_gap,
}
