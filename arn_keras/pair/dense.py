"""The letter's block of an ARN: fully connected, Eq. (15), (17), with neurons of our choice.

Every symbol sees every other, at a cost that grows with their number: signals of a million
symbols are for the other blocks.
"""

import math

from keras import layers

from arn_keras.errors import lengths
from arn_keras.pair.arn import nearly_zero, parameters_of, refuse_larger
from arn_keras.pair.film import modulated


def dense_residual(signal, width=256, depth=2, hidden=None, told=None):
    """F(y) = W_d relu(... relu(W_0 y + b_0) ...) + b_d.

    Args:
        signal: y or y_bob, symbolic, [batch, ...] with k symbols in all.
        width: neurons of a hidden layer.
        depth: hidden layers.
        hidden: neurons of each hidden layer, instead of width and depth.
        told: what scales and shifts each hidden layer, `film.embedded`; None for nothing.

    Returns:
        Residual, shaped like the signal.

    Raises:
        ConfigError: for lengths that are free, or a block that is too large.
    """
    shape = lengths("signal_shape", signal.shape[1:])
    symbols = math.prod(shape)
    hidden = lengths("hidden", (width,) * depth if hidden is None else hidden)
    parameters = parameters_of((symbols, *hidden, symbols))
    way_out = "the conv or the transformer block, or a smaller width"
    refuse_larger("dense", parameters, shape, way_out)
    residual = layers.Flatten(name="flatten")(signal) if len(shape) > 1 else signal
    for index, neurons in enumerate(hidden, start=1):
        name = f"hidden_{index}"
        residual = layers.Dense(neurons, activation="relu", name=name)(residual)
        residual = modulated(residual, told, name)
    residual = layers.Dense(symbols, kernel_initializer=nearly_zero(), name="residual")(residual)
    if len(shape) > 1:
        residual = layers.Reshape(shape, name="signal_shape")(residual)
    return residual
