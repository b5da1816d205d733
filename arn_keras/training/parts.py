"""The models that a link is made of: do they fit each other, what do they put out, and new ones."""

import inspect

import keras
import numpy as np

from arn_keras.errors import ConfigError


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
        taken = _shape(model, "input_shape")
        if sent is None:
            sent = taken
        elif taken is not None and not _agree(sent, taken):
            raise ConfigError(f"expected {name} of signals shaped {sent}, got {taken}")
    if sent is None:
        raise ConfigError(
            "expected a model that says the shape of the signal, got subclassed ones only: give "
            "one of them as keras.Model(inputs, outputs)"
        )
    return sent


def _shape(model, name):
    try:
        shape = getattr(model, name)
    except (AttributeError, ValueError):
        return None
    return tuple(shape[1:]) if shape and not isinstance(shape[0], tuple | list) else None


def _agree(one, other):
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
    """Number of classes of a classifier of signals of this shape."""
    found = _shape(classifier, "output_shape")
    return found[-1] if found else int(classifier.compute_output_shape((1, *shape))[-1])


def gives_probabilities(classifier):
    """Whether a classifier ends in a softmax; None if that cannot be told.

    It is tried, on noise: a softmax may be a layer, an activation, or hidden in a model.
    """
    shape = _shape(classifier, "input_shape")
    if shape is None:
        return None
    noise = np.random.default_rng(0).normal(size=(32, *(length or 16 for length in shape)))
    answer = np.asarray(classifier(noise.astype("float32"), training=False), "float64")
    if np.any(answer < 0) or answer.shape[-1] < 2:
        return False
    return True if np.allclose(answer.sum(axis=-1), 1.0, atol=1e-2) else None


def refuse_softmax(eavesdroppers):
    """Refuses classifiers of probabilities: the softmax of L3 would be the second one.

    Raises:
        ConfigError: if one ends in a softmax.
    """
    for eve in eavesdroppers:
        if gives_probabilities(eve):
            raise ConfigError(
                f"expected an eavesdropper of logits, got {eve.name!r}, which ends in a softmax: "
                "the loss has its own; take the model up to the layer before"
            )


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
