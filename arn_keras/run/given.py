"""Models that a user hands in: loaded without running code of theirs, and checked to fit."""

import functools
import re

import keras
import numpy as np
from keras import ops

from arn_keras.errors import ConfigError, DataError, ModelError
from arn_keras.machine import models
from arn_keras.pair.told import tell
from arn_keras.power import mean_power
from arn_keras.training.parts import end_of
from arn_keras.training.taken import taken_by

#: How far the mean power of a signal may be from 1, to which SNR and PSR are referred.
POWER_TOLERANCE = 0.05
_TRIED = 256  # sources
_SCALE = 10  # between estimates and targets: beyond, their unit is another
_BOLD = re.compile(r"\x1b\[\d+m")  # around what Keras calls an error's first line


def load(files):
    """Models of `.keras` files: {name: Keras model}.

    Safe mode: a file with code of its own (a Lambda) is refused, not run.

    Args:
        files: {name: path}.

    Raises:
        ModelError: if one cannot be loaded.
    """
    return {
        name: models.load(file, ModelError, f"a Keras model as a {name}")
        for name, file in files.items()
    }


def check_link(given, dataset, pauses=False):
    """Refuses a link that the data do not fit, or whose signal is not of power 1.

    Args:
        given: {"transmitter", "receiver"}.
        dataset: `data.dataset.Dataset`.
        pauses: whether places of the signal that are all zeros are not sent.

    Returns:
        Signals y of a few test sources.

    Raises:
        ModelError: with what was expected and what is there.
    """
    check_tokens(given["transmitter"], dataset)
    few = dataset.test.part(slice(_TRIED))
    signal = _applied(given["transmitter"], dataset.prepared(few.source), "transmitter", "sources")
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(signal.dtype)):
        raise ModelError(
            f"transmitter: expected a real signal, got {signal.dtype}; a complex symbol is a pair "
            "of reals, I and Q in turn along the last axis"
        )
    sent = ops.convert_to_numpy(signal)
    power = np.asarray(mean_power(sent, sent if pauses else None), float)
    if not abs(power.mean() - 1) <= POWER_TOLERANCE:
        raise ModelError(
            f"transmitter: expected signals of mean square 1 per real symbol, to which SNR and PSR "
            f"are referred, got {power.mean():.4g}: end it in UnitNormalization and "
            f"Rescaling(sqrt(k))"
        )
    estimate = _applied(given["receiver"], signal, "receiver", "signals")
    target = np.asarray(dataset.targets(few))
    shape = tuple(estimate.shape[1:])
    if shape != target.shape[1:] and dataset.train.target is None:
        way = "give the array target if Bob recovers something else"
        if shape == (*target.shape[1:], 1):
            way = f"one channel has an axis too: sources [n, {', '.join(map(str, shape))}]"
        raise ModelError(
            f"receiver: expected estimates shaped as the sources, {list(target.shape[1:])}, got "
            f"{list(shape)}; {way}"
        )
    if dataset.train.target is not None and target.ndim == 1 and target.dtype.kind in "iu":
        _check_logits("receiver", given["receiver"], signal.shape[1:])
    if shape == target.shape[1:] and target.dtype.kind == "f":
        _check_scale(ops.convert_to_numpy(estimate), target)
    return signal


def _check_scale(estimate, target):
    """Refuses estimates that are all far smaller than the targets, or far larger."""
    (found, highest), (wanted, most) = map(_scale, (estimate, target))
    if _SCALE * highest < wanted or found > _SCALE * most > 0:
        raise ModelError(
            f"receiver: expected estimates of the targets' scale, root mean square {wanted:.3g}, "
            f"got {found:.3g}, at most {highest:.3g}: are the data scaled as the link was trained?"
        )


def _scale(array):
    """(root mean square, largest absolute value)."""
    return float(np.sqrt(np.mean(np.square(array, dtype=float)))), float(np.max(np.abs(array)))


def check_modules(stage, given, signal):
    """Refuses a pair of modules that do not take the link's signals, or give others.

    Args:
        stage: the pair's.
        given: {"transmitter", "receiver"}.
        signal: a few signals y.

    Raises:
        ModelError: with what was expected and what is there.
    """
    for name, model in given.items():
        name = f"{stage}/{name}"
        module = functools.partial(tell, model, snr_db=0.0, csi=0.0)
        found = _applied(module, signal, name, "signals")
        if getattr(found, "shape", None) != signal.shape:
            raise ModelError(f"{name}: expected to give signals shaped {list(signal.shape[1:])}")


def check_tokens(transmitter, dataset):
    """Refuses token ids that a transmitter has no embedding of.

    Where they are looked up that is an error deep in a layer, or on an accelerator none at all.

    Raises:
        DataError: with the ids that it has and that there are.
    """
    tables = [e for e in transmitter.layers if isinstance(e, keras.layers.Embedding)]
    for split in (dataset.train, dataset.test):
        ids = split.source
        if len(tables) != 1 or isinstance(ids, dict) or ids.dtype.kind not in "iu" or not len(ids):
            return
        low, high, known = int(ids.min()), int(ids.max()), tables[0].input_dim
        if low < 0 or high >= known:
            raise DataError(
                f"expected token ids from 0 to {known - 1}, which the transmitter has, got {low} "
                f"to {high}"
            )


def check_classifier(stage, given, signal, classes):
    """Refuses an eavesdropper who does not take the link's signals, or knows too few labels.

    Args:
        stage: her name.
        given: {"classifier"}.
        signal: a few signals y.
        classes: number of private labels.

    Raises:
        ModelError: with what was expected and what is there.
    """
    logits = _applied(given["classifier"], signal, stage, "signals")
    if len(logits.shape) != 2 or logits.shape[1] < classes:
        raise ModelError(
            f"{stage}: expected logits of {classes} labels, got outputs shaped "
            f"{list(logits.shape[1:])}"
        )
    _check_logits(stage, given["classifier"], signal.shape[1:])


def _check_logits(name, classifier, shape):
    """Refuses what ends in a softmax or sigmoid: losses and leakage have their own."""
    try:
        end = end_of(classifier, tuple(shape))
    except ConfigError as error:
        raise ModelError(f"{name}: {error}") from None
    if end in ("softmax", "sigmoid"):
        raise ModelError(
            f"{name}: expected logits, got probabilities: leave out the {end} of the last layer"
        )


def _applied(model, inputs, name, what):
    """What a model makes of inputs, one tensor.

    Raises:
        ModelError: if it does not take them, or gives another thing.
    """
    try:
        found = model(taken_by(model, inputs), training=False)
    except Exception as error:  # whatever a layer of a foreign model raises
        shapes = keras.tree.map_structure(lambda each: [*each.shape[1:]], inputs)
        said = _BOLD.sub("", str(error))
        lines = [line for line in said.splitlines() if line.strip()] or [type(error).__name__]
        reason = lines[1 if lines[0].startswith("Exception encountered") and lines[1:] else 0]
        raise ModelError(
            f"{name}: expected to take {what} shaped {shapes}: {reason.strip()}"
        ) from None
    if keras.tree.is_nested(found):
        outputs = len(keras.tree.flatten(found))
        raise ModelError(f"{name}: expected one output, a tensor, got {outputs} outputs")
    return found
