"""The fast gradient sign method, Eq. (1)-(3), of Goodfellow, Shlens and Szegedy (ICLR 2015)."""

import keras
import numpy as np
from keras import ops

from arn_keras.power import db_to_ratio, ratio_to_db


def fgsm(classifier, inputs, labels, psr_db, from_logits=True):
    """Perturbation that raises a classifier's loss most, to first order, within a power limit.

        delta = sqrt(P) sign(grad_x L(theta, x, label)),   mean(delta^2) = P          (Eq. 3)

    L is the cross-entropy of the true label. Where the gradient is exactly 0 the sign is taken as
    +1, so that each source's mean power is P and nothing less.

    Args:
        classifier: Keras model from x to logits (or probabilities), [batch, classes].
        inputs: x, real, [batch, ...].
        labels: true labels, integers, [batch].
        psr_db: P in dB relative to signal power 1; scalar.
        from_logits: whether the classifier puts out logits.

    Returns:
        delta, shaped like `inputs`.
    """
    import tensorflow as tf

    inputs = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = keras.losses.sparse_categorical_crossentropy(
            labels, classifier(inputs, training=False), from_logits=from_logits
        )
    gradient = tape.gradient(loss, inputs)
    sign = ops.where(gradient < 0, -1.0, 1.0)
    return ops.cast(ops.sqrt(db_to_ratio(psr_db)), inputs.dtype) * ops.cast(sign, inputs.dtype)


def fgsm_example(classifier, inputs, labels, psr_db):
    """One input that the attack turns from right to wrong, as the letter's Fig. 1 shows it.

    Args:
        classifier: Keras model from x to logits.
        inputs: x, real, [batch, ...]; the first that is mistaken afterwards is taken.
        labels: true labels, integers, [batch].
        psr_db: P in dB relative to the mean power of the inputs.

    Returns:
        Arrays: `original`, `perturbation`, `sum` [...]; `label`; `power` of original and of
        perturbation [2]; `guess` and `confidence` for original and sum [2].
    """
    budget_db = psr_db + ratio_to_db(float(np.mean(np.square(inputs))))
    attack = np.asarray(fgsm(classifier, inputs, labels, budget_db))
    sums = np.asarray(inputs) + attack
    confidences = [ops.convert_to_numpy(ops.softmax(classifier(x))) for x in (inputs, sums)]
    guesses = [confidence.argmax(axis=-1) for confidence in confidences]
    chosen = int(np.argmax((guesses[0] == labels) & (guesses[1] != labels)))
    return {
        "original": np.asarray(inputs)[chosen],
        "perturbation": attack[chosen],
        "sum": sums[chosen],
        "label": np.asarray(labels)[chosen],
        "power": np.array([np.mean(np.square(x[chosen])) for x in (np.asarray(inputs), attack)]),
        "guess": np.array([guess[chosen] for guess in guesses]),
        "confidence": np.array([confidence[chosen].max() for confidence in confidences]),
    }
