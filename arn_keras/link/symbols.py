"""The rate of the base link: how many real channel symbols a source gets."""

import math

#: Real channel symbols a source value: 128 symbols for the 784 pixels of an MNIST image.
RATE = 128 / 784


def default_symbols(source_shape):
    """Number k of real channel symbols for a source of this shape, at rate 128/784, at least 32."""
    return max(32, round(math.prod(source_shape) * RATE))
