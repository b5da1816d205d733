"""The models that a link is made of: do they fit each other, what do they put out, and new ones."""

import inspect

import keras
import numpy as np
import tensorflow as tf

from arn_keras.errors import ConfigError
from arn_keras.pair.told import inputs_of, refuse_untold, signal_input, told_inputs


def signal_shape(transmitter, receiver, eavesdroppers=(), modules=()):
    """Shape of one source's signal, checked to be the same wherever it is taken.

    Args:
        transmitter: s -> y.
        receiver: y -> s_hat.
        eavesdroppers: of y.
        modules: of y, or None.

    Returns:
        Tuple; a free length is None. A subclassed model does not say what it takes, and is believed
        to fit.

    Raises:
        ConfigError: if models differ, none says its shape, or the signal is complex.
    """
    refuse_other_ends("a transmitter", transmitter, several=True)
    dtype = str(getattr(next(iter(getattr(transmitter, "outputs", None) or []), None), "dtype", ""))
    if dtype.startswith("complex"):
        raise ConfigError(
            f"expected a transmitter of a real signal, got {dtype}: interleave it in the last "
            "axis, I, Q, I, Q, ..."
        )
    sent = _shape(transmitter, "output_shape")
    takers = [("a receiver", receiver), *(("an eavesdropper", eve) for eve in eavesdroppers)]
    takers += [("a module", module) for module in modules if module is not None]
    for name, model in takers:
        taken = _taken(name, model)
        if sent is None:
            sent = taken
        elif taken is not None and not agree(sent, taken):
            raise ConfigError(f"expected {name} of signals shaped {sent}, got {taken}")
    for module, known in zip(modules, (("snr_db",), ("snr_db", "csi")), strict=False):
        if len(inputs_of(module)) > 1:
            refuse_untold(module, known)
    if sent is None:
        raise ConfigError(
            "expected a model that says the shape of the signal, got subclassed ones only: give "
            "one of them as keras.Model(inputs, outputs)"
        )
    for module in modules:
        made = sent if module is None else made_by(module, sent)  # which builds a subclassed one
        if not agree(sent, made):
            raise ConfigError(f"expected a module that gives signals shaped {sent}, got {made}")
    return sent


def _taken(name, model):
    """Shape of the signal that a model takes, None if it does not say it."""
    several = len(inputs_of(model)) > 1 == len(inputs_of(model)) - len(told_inputs(model))
    refuse_other_ends(name, model, several=several and name == "a module")
    return tuple(signal_input(model).shape[1:]) if several else _shape(model, "input_shape")


def refuse_other_ends(name, model, several=False):
    """Refuses what is no Keras model of one output, and of one input unless there may be several.

    Raises:
        ConfigError: with the name, for example "a receiver".
    """
    if not isinstance(model, keras.Layer):
        raise ConfigError(f"expected {name} that is a Keras model, got {type(model).__name__}")
    if hasattr(model, "moving_variables"):
        raise ConfigError(f"expected {name}, got a whole {type(model).__name__}: take its part")
    inputs, output = (_end(model, name) for name in ("input", "output"))
    if len(keras.tree.flatten(inputs)) > 1 and not several:
        names = ", ".join(repr(each.name) for each in keras.tree.flatten(inputs))
        raise ConfigError(f"expected {name} of one input, the signal, got {names}")
    if keras.tree.is_nested(output):
        raise ConfigError(f"expected {name} of one output, a tensor, got {type(output).__name__}")


def refuse_misfit(name, model, taker):
    """Refuses a model of signals that another does not take.

    Raises:
        ConfigError: with the name, if both say their shapes.
    """
    made, taken = _shape(model, "output_shape"), _shape(taker, "input_shape")
    if None not in (made, taken) and not agree(made, taken):
        raise ConfigError(f"expected {name} that gives signals shaped {taken}, got {made}")


def _end(model, name):
    try:
        return getattr(model, name)
    except (AttributeError, ValueError):
        return None


def _shape(model, name):
    shape = _end(model, name)
    return tuple(shape[1:]) if shape and not isinstance(shape[0], tuple | list) else None


def agree(one, other):
    """Whether two shapes are one, as far as both say it."""
    return len(one) == len(other) and all(
        a == b for a, b in zip(one, other, strict=True) if None not in (a, b)
    )


def fixed(shape):
    """The shape, for modules that are built for it.

    Raises:
        ConfigError: if a length of it is free.
    """
    if None in shape:
        raise ConfigError(
            f"expected a signal of fixed shape for the letter's modules, got {shape}: give "
            "transmitter_arn and receiver_arn that take it"
        )
    return shape


def classes_of(classifier, shape):
    """Number of classes of a classifier of signals of this shape.

    Raises:
        ConfigError: if it gives another thing than one logit a class, of two or more.
    """
    found = made_by(classifier, shape)
    if len(found) != 1 or found[0] < 2:
        raise ConfigError(
            f"expected a classifier that gives one logit for each of two or more classes, "
            f"got {classifier.name!r} of outputs shaped {tuple(found)}"
        )
    return found[0]


def outputs_of(model):
    """The length of the last axis of what a model puts out, None if it does not say it."""
    shape = _shape(model, "output_shape")
    return shape[-1] if shape else None


def made_by(model, shape):
    """Shape of what a model makes of one signal of this shape."""
    found = _shape(model, "output_shape")
    return _tried(model, shape).shape[1:] if found is None else found


def end_of(model, shape=None):
    """How a model ends: "softmax", "sigmoid", "logits" (any number), or None if nobody can tell.

    It is tried, on noise: a softmax may be a layer, an activation, or hidden in a model.

    Args:
        model: of one input.
        shape: of one source's, for a model that does not say it.

    Raises:
        ConfigError: if it answers with NaN or infinity, which would count as a mistake.
    """
    shape = _shape(model, "input_shape") or shape
    if shape is None:
        return None
    answer = _tried(model, shape)
    if not np.all(np.isfinite(answer)):
        raise ConfigError(f"expected finite answers of {model.name!r}, got NaN or infinity")
    if np.any(answer < 0) or np.any(answer > 1.01):
        return "logits"
    if answer.shape[-1] > 1 and np.allclose(answer.sum(axis=-1), 1.0, atol=1e-2):
        return "softmax"
    return "sigmoid" if np.all(answer[:16] > 0) and np.ptp(answer) > 0 else None


def _tried(model, shape):
    noise = np.random.default_rng(0).normal(size=(32, *(length or 16 for length in shape)))
    noise[16:] *= 100  # an untrained model's small logits must not pass for shares
    with tf.init_scope():  # of numbers, also where a step is being traced
        return np.asarray(model(noise.astype("float32"), training=False), "float64")


def classes_of_logits(eavesdroppers, shape):
    """The number of classes of classifiers who give logits, of signals of this shape.

    Raises:
        ConfigError: if one ends in a softmax or sigmoid (the softmax of L3 would be the second), or
            they differ in their classes.
    """
    classes = [classes_of(eve, shape) for eve in eavesdroppers]
    for eve in eavesdroppers:
        end = end_of(eve, shape)
        if end in ("softmax", "sigmoid"):
            raise ConfigError(
                f"expected a classifier of logits, got {eve.name!r}, which ends in a {end}: "
                "the loss has its own; take the model up to the layer before"
            )
    if len(set(classes)) > 1:
        raise ConfigError(
            f"expected eavesdroppers of one number of classes, got {', '.join(map(str, classes))}"
        )
    return classes[0]


def loadable(preprocessing):
    """A preprocessing, if a link with it can be loaded again.

    Raises:
        ConfigError: for what is neither a Keras layer nor a registered function.
    """
    registered = inspect.isfunction(preprocessing) and keras.saving.get_registered_object(
        keras.saving.get_registered_name(preprocessing)
    )
    if preprocessing is None or registered or isinstance(preprocessing, keras.Layer):
        return preprocessing
    name = getattr(preprocessing, "__name__", type(preprocessing).__name__)
    raise ConfigError(
        f"expected a preprocessing that is a Keras layer or a function registered with "
        f"keras.saving.register_keras_serializable, got {name}"
    )


def fresh_weights(module, shape):
    """Weights of a new module of the same configuration, from its own initialisers.

    Args:
        module: any Keras model that can be made from its configuration.
        shape: of one source's signal.

    Raises:
        ConfigError: if it cannot.
    """
    try:
        new = type(module).from_config(module.get_config())
        if not new.built:
            new(np.zeros((1, *(length or 16 for length in shape)), "float32"))
        weights = new.get_weights()
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"expected modules that from_config makes anew, got {module.name!r}: {reason}"
        ) from None
    if [w.shape for w in weights] != [w.shape for w in module.get_weights()]:
        raise ConfigError(
            f"expected modules that from_config makes anew, got {module.name!r} of other weights"
        )
    return weights
