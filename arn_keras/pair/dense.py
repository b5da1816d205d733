"""The pair of adversarial residual networks, Eq. (9), (12), (15)-(18).

One builder makes both; only the sign of the residual and the names differ. They are Functional
Keras models of built-in layers: saving, `summary()` and conversion need no custom object.
The idea of a residual network that perturbs a sent signal to evade a listener's classifier is
from Flowers, Buehrer and Headley, MILCOM 2019.
"""

import math

import keras
from keras import layers


def _build_arn(signal_shape, hidden, *, merge, name, input_name, output_name):
    signal = keras.Input(signal_shape, name=input_name)
    residual = layers.Flatten(name="flatten")(signal) if len(signal_shape) > 1 else signal
    for index, neurons in enumerate(hidden, start=1):
        residual = layers.Dense(neurons, activation="relu", name=f"hidden_{index}")(residual)
    # A tenth of Glorot's scale: a module starts near the identity, and the first epochs do not go
    # into undoing a random perturbation. Made here, for an initialiser draws its seed when made.
    nearly_zero = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")
    residual = layers.Dense(
        math.prod(signal_shape), kernel_initializer=nearly_zero, name="residual"
    )(residual)
    if len(signal_shape) > 1:
        residual = layers.Reshape(signal_shape, name="signal_shape")(residual)
    return keras.Model(signal, merge(name=output_name)([signal, residual]), name=name)


def build_transmitter_arn(signal_shape, hidden=(256, 256)):
    """Alice's module, Eq. (9), (15), (16): z = y + delta, delta = F_A(y).

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        hidden: neurons of the hidden layers of the block F_A.

    Returns:
        Model from y, [batch, *signal_shape], to z of the same shape.
    """
    return _build_arn(
        tuple(signal_shape),
        hidden,
        merge=layers.Add,
        name="transmitter_arn",
        input_name="signal",
        output_name="sent",
    )


def build_receiver_arn(signal_shape, hidden=(256, 256)):
    """Bob's module, Eq. (12), (17), (18): y_clean = y_bob - r, r = F_B(y_bob).

    The residual r estimates delta + n_bob: the attack and the channel's noise together.

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        hidden: neurons of the hidden layers of the block F_B.

    Returns:
        Model from y_bob, [batch, *signal_shape], to y_clean of the same shape.
    """
    return _build_arn(
        tuple(signal_shape),
        hidden,
        merge=layers.Subtract,
        name="receiver_arn",
        input_name="received",
        output_name="cleaned",
    )
