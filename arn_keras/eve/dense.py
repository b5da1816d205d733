"""Eve's classifier of the private label, Eq. (14), and Alice's local substitute for it.

Both give logits: the softmax belongs to the loss (Eq. 22), and is applied once.
"""

import math

import keras
from keras import layers

from arn_keras.errors import lengths, whole


def build_eavesdropper(
    signal_shape: tuple[int, ...],
    classes: int,
    hidden: tuple[int, ...] = (256, 128, 64),
    name: str = "eavesdropper",
) -> keras.Model:
    """Fully connected classifier of a received signal, Eq. (14).

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        classes: number of private labels.
        hidden: neurons of the hidden layers; four layers in all, as in the letter, by default.
        name: name of the model.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].

    Raises:
        ConfigError: for shapes and sizes that are none, or fewer than two classes.
    """
    signal = keras.Input(lengths("signal_shape", signal_shape), name="overheard")
    hidden, classes = lengths("hidden", hidden), whole("classes", classes, 2)
    features = layers.Flatten(name="flatten")(signal)
    for index, neurons in enumerate(hidden, start=1):
        features = layers.Dense(neurons, activation="relu", name=f"hidden_{index}")(features)
    logits = layers.Dense(classes, name="logits")(features)
    return keras.Model(signal, logits, name=name)


def build_convolutional_eavesdropper(
    signal_shape: tuple[int, ...], classes: int, name: str = "eavesdropper"
) -> keras.Model:
    """Classifier that convolves along the signal (1-D): an Eve of another architecture.

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        classes: number of private labels.
        name: name of the model.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    features = layers.Reshape((math.prod(signal_shape), 1), name="sequence")(signal)
    for index, filters in enumerate((16, 32), start=1):
        features = layers.Conv1D(
            filters, 7, strides=2, padding="same", activation="relu", name=f"convolution_{index}"
        )(features)
    features = layers.Flatten(name="flatten")(features)
    features = layers.Dense(64, activation="relu", name="hidden")(features)
    return keras.Model(signal, layers.Dense(classes, name="logits")(features), name=name)


def build_substitute(
    signal_shape: tuple[int, ...], classes: int, hidden: tuple[int, ...] = (128,)
) -> keras.Model:
    """Alice's local stand-in for an Eve she does not know (black box): two layers by default.

    Args:
        signal_shape: shape of one source's signal.
        classes: number of private labels.
        hidden: neurons of each hidden layer.

    Returns:
        Model from y, [batch, *signal_shape], to logits, [batch, classes].
    """
    return build_eavesdropper(signal_shape, classes, hidden, name="substitute")
