"""The fast gradient sign method, Eq. (1)-(3), of Goodfellow, Shlens and Szegedy (ICLR 2015)."""

import keras
from keras import ops

from arn_keras.power import db_to_ratio


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
