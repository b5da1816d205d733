"""A convolutional block of an ARN: the letter's outlook, for signals that have places.

The same few weights at each place, so that a block does not grow with the signal. Convolutions
run over height and width of a signal [h, w, c], over the tokens of one [tokens, d], and over the
complex symbols (I and Q as two channels) of a flat one [k]. Borders are padded with zeros, which
tells a place near one where it is; otherwise all places are treated alike.
"""

from keras import layers

from arn_keras.errors import ConfigError
from arn_keras.pair.arn import nearly_zero, parameters_of, refuse_larger
from arn_keras.pair.film import modulated


def conv_residual(signal, width=48, depth=3, kernel=3, told=None):
    """F(y): `depth` convolutions with ReLU, and a linear one back to the signal's channels.

    Args:
        signal: y or y_bob, symbolic, [batch, k], [batch, tokens, d] or [batch, h, w, c].
        width: filters of a hidden convolution.
        depth: hidden convolutions.
        kernel: places that a filter spans, odd; in both directions if there are two.
        told: what scales and shifts each hidden layer, `film.embedded`; None for nothing.

    Returns:
        Residual, shaped like the signal.

    Raises:
        ConfigError: for signals of another rank, or a block that is too large.
    """
    shape = signal.shape[1:]
    if not 1 <= len(shape) <= 3:
        raise ConfigError(
            f"expected signals [k], [tokens, d] or [h, w, c] for the conv block, got {list(shape)}"
        )
    convolution = layers.Conv2D if len(shape) == 3 else layers.Conv1D
    residual = signal
    if len(shape) == 1:
        each = 2 - shape[0] % 2  # I and Q of a symbol, if there are so many
        residual = layers.Reshape((shape[0] // each, each), name="symbols")(signal)
    channels, places = residual.shape[-1], kernel ** (2 if len(shape) == 3 else 1)
    parameters = parameters_of((channels, *[width] * depth, channels), places)
    refuse_larger("conv", parameters, shape, "a smaller width or depth")
    for index in range(1, depth + 1):
        name = f"hidden_{index}"
        residual = convolution(width, kernel, padding="same", activation="relu", name=name)(
            residual
        )
        residual = modulated(residual, told, name)
    residual = convolution(
        channels, kernel, padding="same", kernel_initializer=nearly_zero(), name="residual"
    )(residual)
    if len(shape) == 1:
        residual = layers.Reshape(shape, name="signal_shape")(residual)
    return residual
