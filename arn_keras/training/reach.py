"""What is reachable at each SNR: the base link's own task loss, by which a range's is weighed.

At -5 dB the MSE of pictures is eight times that at 25 dB, and drowns it where one pair is trained
for both; and what noise leaves of Eve's loss is small there. So the gradient of a source that is
sent at an SNR s counts

    w(s) = h m(s)^-0.8 in L2,    v(s) = g m(s)^0.5 in L1 and L3,    mean(w) = mean(v) = 1

times, with m(s) the base link's mean L2 at s, without modules. The first is near to relative
errors, h / m; the second gives the low SNRs, whose gradients are noisy, as much to say as they
need. L2 as a whole counts `TASK_SHARE` times as much as at one SNR. Found on MNIST over -5 to 25 dB
(docs/results.md). What is reported is as ever. The letter trains at one SNR and has none of this.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from arn_keras.system import forward
from arn_keras.training import given, losses

#: Of as many SNRs as that, from the range's low end to its high one, evenly.
UNKNOWN = (1.0,) * 13
SOURCES = 2048
OF_TASK, OF_OTHERS = -0.8, 0.5  # exponents of m
TASK_SHARE = 2.5


def measured(link, x, y, snr_range_db):
    """m at evenly spaced SNRs, on training sources: array [levels].

    Args:
        link: compiled `SecureLink`; its channels and generators are left as they are.
        x: {"source", "signal"}, arrays.
        y: labels, or {"label", "target"}.
        snr_range_db: (low, high).
    """
    first = keras.tree.map_structure(lambda array: tf.convert_to_tensor(array[:SOURCES]), (x, y))
    x, y = link.prepared(first)
    target = y.get("target") if isinstance(y, dict) else None
    target = given.target_of(x["source"], link.preprocessing) if target is None else target
    found = []
    with link.measuring(snr_range_db):
        for snr_db in np.linspace(*snr_range_db, len(UNKNOWN)):
            estimate = forward(
                x["signal"],
                snr_db,
                receiver=link.receiver,
                bob_channel=link.bob_channel,
                eve_channel=link.eve_channel,
            ).estimate
            fitted = losses.fitted_target(link.task_loss, target, estimate)
            found.append(float(ops.mean(link.task_loss(fitted, estimate))))
    return np.array(found)


def weights_at(reach, snr_range_db, snr_db, exponent):
    """Powers of m of mean 1 over the levels, of each source, [batch].

    Args:
        reach: m, tensor [levels], at SNRs from the range's low end to its high one.
        snr_range_db: tensor (low, high).
        snr_db: of each source, [batch], within it.
        exponent: of m.
    """
    levels, steps = tf.pow(tf.convert_to_tensor(reach), exponent), reach.shape[0] - 1
    low, high = snr_range_db[0], snr_range_db[1]
    place = (snr_db - low) / tf.maximum(high - low, 1e-6) * steps
    below = tf.clip_by_value(tf.cast(place, "int32"), 0, steps - 1)
    share = place - tf.cast(below, place.dtype)
    found = (1 - share) * tf.gather(levels, below) + share * tf.gather(levels, below + 1)
    return found / tf.reduce_mean(levels)


@tf.custom_gradient
def weighed(tensor, weight):
    """The tensor itself; its gradient is multiplied by the weight of each source, [batch]."""

    def gradient(upstream):
        return upstream * tf.reshape(weight, (-1,) + (1,) * (len(upstream.shape) - 1)), None

    return tf.identity(tensor), gradient
