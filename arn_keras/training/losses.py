"""Losses and metrics that `compile` is given: those that would misread what a model puts out."""

import keras
import tensorflow as tf
from keras import ops

from arn_keras.errors import ConfigError, DataError
from arn_keras.loss.shapes import one_shape, shaped_like
from arn_keras.training.classes import takes_class_numbers

_CROSS_ENTROPIES = (
    keras.losses.SparseCategoricalCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.BinaryCrossentropy,
    keras.losses.BinaryFocalCrossentropy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.CategoricalCrossentropy,
    keras.metrics.BinaryCrossentropy,
)
# What compares class numbers with scores; Keras's other metrics compare values, or one-hot labels.
_OF_NUMBERS = (
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)
_FUNCTIONS_OF_NUMBERS = (
    keras.metrics.sparse_categorical_accuracy,
    keras.metrics.sparse_top_k_categorical_accuracy,
)
_CROSS_ENTROPY_FUNCTIONS = (
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_crossentropy,
    keras.losses.categorical_focal_crossentropy,
    keras.losses.binary_crossentropy,
    keras.losses.binary_focal_crossentropy,
)
# What compares shares of 1, and clips logits to such without a word.
_OF_SHARES = (
    keras.losses.CategoricalGeneralizedCrossEntropy,
    keras.losses.Dice,
    keras.losses.KLDivergence,
    keras.losses.Tversky,
    keras.metrics.KLDivergence,
)
_FUNCTIONS_OF_SHARES = (
    keras.losses.categorical_generalized_cross_entropy,
    keras.losses.dice,
    keras.losses.kl_divergence,
    keras.losses.tversky,
)
_OF_THRESHOLDS = (
    keras.metrics.AUC,
    keras.metrics.BinaryAccuracy,
    keras.metrics.BinaryIoU,
    keras.metrics.FalseNegatives,
    keras.metrics.FalsePositives,
    keras.metrics.FBetaScore,
    keras.metrics.Precision,
    keras.metrics.PrecisionAtRecall,
    keras.metrics.Recall,
    keras.metrics.RecallAtPrecision,
    keras.metrics.SensitivityAtSpecificity,
    keras.metrics.SpecificityAtSensitivity,
    keras.metrics.TrueNegatives,
    keras.metrics.TruePositives,
)


def only(loss):
    """The loss of a model of one output, as a function, also from a list or dictionary of one.

    Returns:
        What was given, if that is no loss.
    """
    if isinstance(loss, dict):
        loss = list(loss.values())
    if isinstance(loss, list | tuple) and len(loss) == 1:
        loss = loss[0]
    return keras.losses.get(loss) if isinstance(loss, str) or callable(loss) else loss


def fitted_target(loss, target, estimate):
    """The target as a loss compares it with the estimate.

    Raises:
        DataError: if a loss of Keras would broadcast it, or read class numbers for values, or a
            class of one's own might (a function is given one shape, as Keras has it).
    """
    if isinstance(loss, keras.losses.Loss):
        refuse_broadcast(loss, target, estimate)
    if takes_class_numbers(loss):
        return target
    return (shaped_like if is_of_keras(loss) else one_shape)(estimate, target)


def refuse_no_scalar(**terms):
    """Refuses a term of one number a source, whose gradient would be that of their sum.

    Raises:
        DataError: for the first, by its name.
    """
    for name, value in terms.items():
        shape = getattr(value, "shape", ())  # of a number there is none
        if tf.TensorShape(shape).rank:
            raise DataError(f"expected a scalar from {name}, got {list(shape)}: take its mean")


def refuse_broadcast(loss, target, estimate):
    """Refuses [n] against [n, 1] for a function of one's own, which may broadcast it to [n, n].

    Raises:
        DataError: for one that neither Keras nor this package looks at.
    """
    shape, wanted = tuple(target.shape), tuple(estimate.shape)
    if getattr(loss, "__module__", "").startswith("arn_keras.") or is_of_keras(loss):
        return
    if one_shape(estimate, target) is not target:
        raise DataError(
            f"expected a target of the shape of the estimate, {list(wanted)}, for a loss of one's "
            f"own, got {list(shape)}, which may be broadcast"
        )


def fitted_weight(loss, weight, estimate):
    """The weight of each source, [batch], as a loss of each place of it is multiplied by it.

    Keras takes [batch] for the last axis of a loss of pictures: an error, or, of as many sources as
    a picture is wide, another loss.
    """
    if weight is None or not is_of_keras(loss):
        return weight
    further = len(estimate.shape) - 1 - len(weight.shape)
    return ops.reshape(weight, (*ops.shape(weight), *[1] * further)) if further > 0 else weight


def is_of_keras(loss):
    """Whether this is one of Keras's own losses."""
    owner = loss if callable(loss) and hasattr(loss, "__module__") else type(loss)
    return owner.__module__.startswith("keras.")


def refuse_wrong_end(loss, end):
    """Refuses a loss of logits for a model of probabilities, and the other way round.

    Args:
        loss: of Keras, or another, which is believed.
        end: of the model, as `parts.end_of` gives it.

    Raises:
        ConfigError: if they do not fit.
    """
    if end == "logits" and (isinstance(loss, _OF_SHARES) or loss in _FUNCTIONS_OF_SHARES):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise ConfigError(f"expected a model of probabilities for {name}, got one of logits")
    if end is None or not (isinstance(loss, _CROSS_ENTROPIES) or loss in _CROSS_ENTROPY_FUNCTIONS):
        return
    of_class, from_logits = isinstance(loss, _CROSS_ENTROPIES), _takes_logits(loss)
    if from_logits != (end == "logits"):
        raise ConfigError(
            f"expected {type(loss).__name__ if of_class else loss.__name__} with "
            f"from_logits={not from_logits} for a model of "
            f"{'logits' if end == 'logits' else 'probabilities'}, got from_logits={from_logits}"
        )


def _takes_logits(loss):
    return isinstance(loss, _CROSS_ENTROPIES) and loss.get_config()["from_logits"]


def refuse_wrong_metrics(options, loss, end):
    """Refuses metrics that would misread what this loss takes.

    Args:
        options: of `compile`; its `metrics` and `weighted_metrics` are names and metrics of Keras.
        loss: as `only` gives it.
        end: of the model.

    Raises:
        ConfigError: for metrics that compare class numbers where the loss does not, or the reverse,
            or that take probabilities for a model of logits.
    """
    given = [options.get("metrics"), options.get("weighted_metrics")]
    for each in keras.tree.flatten(given):
        by_loss = each is None or each in ("accuracy", "acc")  # Keras takes one that fits
        metric = None if by_loss else keras.metrics.get(each)
        name = getattr(metric, "name", None) or getattr(metric, "__name__", str(each))
        if metric is not None and _compares_other(metric, loss):
            taken = "class numbers" if takes_class_numbers(loss) else "values, or one-hot labels"
            raise ConfigError(
                f"expected metrics of {taken}, as the loss, got {name}: take 'accuracy'"
            )
        if _cuts_shares(each, metric, loss):
            raise ConfigError(
                f"expected metrics of logits, as the loss, got {name}, which cuts probabilities at "
                "a threshold: take keras.metrics.BinaryAccuracy(threshold=0.0)"
            )
        refuse_wrong_end(metric, end)


def _compares_other(metric, loss):
    """Whether one takes class numbers and the other not; those of one's own are believed."""
    if type(metric) is keras.metrics.MeanMetricWrapper or not all(map(is_of_keras, (metric, loss))):
        return False
    of_numbers = isinstance(metric, _OF_NUMBERS) or metric in _FUNCTIONS_OF_NUMBERS
    if isinstance(metric, keras.metrics.IoU):
        of_numbers = metric.sparse_y_true and not metric.sparse_y_pred
    return (of_numbers or takes_class_numbers(metric)) != takes_class_numbers(loss)


def _cuts_shares(given, metric, loss):
    """Whether a metric takes a logit for a probability: of 0.4 it says "no"."""
    if not _takes_logits(loss):
        return False
    if metric is None:  # Keras takes "accuracy" beside these for a threshold of 0.5
        binary = keras.losses.BinaryCrossentropy | keras.losses.BinaryFocalCrossentropy
        return given is not None and isinstance(loss, binary)
    if metric is keras.metrics.binary_accuracy:
        return True
    if not isinstance(metric, _OF_THRESHOLDS):
        return False
    config = metric.get_config()
    cut = config.get("threshold", config.get("thresholds"))
    largest = isinstance(metric, keras.metrics.FBetaScore) and cut is None
    return not (config.get("from_logits") or largest or cut in (0, [0]))


def refuse_sum(loss):
    """Refuses a loss that grows with the batch: a term of Eq. (19) is a mean.

    Raises:
        ConfigError: for a loss of Keras with `reduction="sum"`.
    """
    if getattr(loss, "reduction", None) == "sum":
        raise ConfigError("expected a task_loss that is a mean, got one with reduction='sum'")
