"""Losses and metrics that `compile` is given: those that would misread what a model puts out."""

import keras

from arn_keras.errors import ConfigError
from arn_keras.loss.shapes import shaped_like
from arn_keras.training.classes import takes_class_numbers

_CROSS_ENTROPIES = (
    keras.losses.SparseCategoricalCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.BinaryCrossentropy,
    keras.metrics.SparseCategoricalCrossentropy,
    keras.metrics.CategoricalCrossentropy,
    keras.metrics.BinaryCrossentropy,
)
_OF_ONE_HOT_FUNCTIONS = (
    keras.metrics.categorical_accuracy,
    keras.metrics.categorical_crossentropy,
    keras.metrics.top_k_categorical_accuracy,
)
_OF_ONE_HOT = (
    keras.metrics.CategoricalAccuracy,
    keras.metrics.CategoricalCrossentropy,
    keras.metrics.TopKCategoricalAccuracy,
    keras.metrics.FBetaScore,
)
_CROSS_ENTROPY_FUNCTIONS = (
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_crossentropy,
    keras.losses.binary_crossentropy,
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
        DataError: if a loss of Keras would broadcast it, or read class numbers for values.
    """
    if not is_of_keras(loss) or takes_class_numbers(loss):
        return target
    return shaped_like(estimate, target)


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
    if end is None or not (isinstance(loss, _CROSS_ENTROPIES) or loss in _CROSS_ENTROPY_FUNCTIONS):
        return
    of_class = isinstance(loss, _CROSS_ENTROPIES)
    from_logits = of_class and loss.get_config()["from_logits"]
    if from_logits != (end == "logits"):
        raise ConfigError(
            f"expected {type(loss).__name__ if of_class else loss.__name__} with "
            f"from_logits={not from_logits} for a model of "
            f"{'logits' if end == 'logits' else 'probabilities'}, got from_logits={from_logits}"
        )


def refuse_wrong_metrics(metrics, loss, end):
    """Refuses metrics that would misread what this loss takes.

    Args:
        metrics: of `compile`, a list of names and metrics of Keras, or None.
        loss: as `only` gives it.
        end: of the model.

    Raises:
        ConfigError: for metrics of one-hot labels beside a loss of class numbers, or of
            probabilities for a model of logits.
    """
    for each in keras.tree.flatten(metrics):
        metric = keras.metrics.get(each) if each not in (None, "accuracy", "acc", "ce") else None
        name = getattr(metric, "name", None) or getattr(metric, "__name__", str(metric))
        one_hot = isinstance(metric, _OF_ONE_HOT) or metric in _OF_ONE_HOT_FUNCTIONS
        if one_hot and takes_class_numbers(loss):
            raise ConfigError(
                f"expected metrics of class numbers, as the loss, got {name}: take 'accuracy'"
            )
        refuse_wrong_end(metric, end)


def refuse_sum(loss):
    """Refuses a loss that grows with the batch: a term of Eq. (19) is a mean.

    Raises:
        ConfigError: for a loss of Keras with `reduction="sum"`.
    """
    if getattr(loss, "reduction", None) == "sum":
        raise ConfigError("expected a task_loss that is a mean, got one with reduction='sum'")
