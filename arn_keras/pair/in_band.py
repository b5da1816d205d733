"""A block of an ARN for a modem's samples: a perturbation inside the band that the modem has.

What a perturbation adds outside the band is filtered away by any listener, and forbidden to Alice.
So the residual goes through the pulse's band (`pulse.band_filter`) before it is added: circular
convolution with fixed taps, in built-in operations that a device runs. The residual itself comes
from convolutions over symbol times, `samples a symbol` I/Q pairs at each place.
"""

import keras
import numpy as np
from keras import layers

from arn_keras.errors import ConfigError
from arn_keras.pair.arn import parameters_of, refuse_larger
from arn_keras.pair.film import modulated
from arn_keras.pulse import SAMPLES_PER_SYMBOL, band_filter, symbols_of


def in_band_residual(
    signal, width=96, depth=2, kernel=3, samples_per_symbol=SAMPLES_PER_SYMBOL, told=None
):
    """F(y): `depth` convolutions with ReLU over symbol times, a linear one, and the band's filter.

    Args:
        signal: y or y_bob, symbolic, interleaved I/Q, [batch, 2 n].
        width: filters of a hidden convolution.
        depth: hidden convolutions.
        kernel: symbol times that a filter spans, odd.
        samples_per_symbol: of the modem; divides n.
        told: what scales and shifts each hidden layer, `film.embedded`; None for nothing.

    Returns:
        Residual, [batch, 2 n].

    Raises:
        ConfigError: for signals of another rank, of one number more than pairs, or of a length
            that `pulse.symbols_of` refuses; or a block that is too large.
    """
    if len(signal.shape) != 2 or signal.shape[1] % 2:
        raise ConfigError(f"expected interleaved I/Q signals [2 n], got {list(signal.shape[1:])}")
    count = signal.shape[1]
    symbols = symbols_of(count // 2, samples_per_symbol)
    each = 2 * samples_per_symbol
    parameters = parameters_of((each, *[width] * depth, each), kernel)
    refuse_larger("in_band", parameters, signal.shape[1:], "a smaller width or depth")
    residual = layers.Reshape((symbols, each), name="symbol_times")(signal)
    for index in range(1, depth + 1):
        name = f"hidden_{index}"
        residual = _circular(residual, width, kernel, name, activation="relu")
        residual = modulated(residual, told, name)
    residual = _circular(
        residual,
        each,
        kernel,
        "residual",
        # Of the signal's order from the start: against an Eve who is sure, and whose confidence so
        # has no gradient, a module near the identity is driven into it, and stays there.
        kernel_initializer=keras.initializers.VarianceScaling(10.0, "fan_avg", "uniform"),
    )
    residual = layers.Reshape((count // 2, 2), name="samples")(residual)
    residual = in_band(residual, samples_per_symbol)
    return layers.Reshape((count,), name="signal_shape")(residual)


def in_band(pairs, samples_per_symbol=SAMPLES_PER_SYMBOL):
    """What of a signal is in the modem's band: circular convolution with `pulse.band_filter`.

    Args:
        pairs: symbolic, I and Q in the last axis, [batch, n, 2].
        samples_per_symbol: of the modem.

    Returns:
        Tensor of the same shape; its layer has weights that are not trained.
    """
    taps = band_filter(samples_per_symbol)
    kernel = taps[:, None, None] * np.eye(2)
    return _circular(
        pairs,
        2,
        len(taps),
        "in_band",
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(kernel.tolist()),
        trainable=False,
    )


def _circular(features, filters, kernel, name, **options):
    """A convolution along a frame that is one period of its signal."""
    if kernel > 1:
        half, count = kernel // 2, features.shape[1]
        last = layers.Cropping1D((count - half, 0), name=f"{name}_last")(features)
        first = layers.Cropping1D((0, count - half), name=f"{name}_first")(features)
        features = layers.Concatenate(axis=1, name=f"{name}_period")([last, features, first])
    return layers.Conv1D(filters, kernel, name=name, **options)(features)
