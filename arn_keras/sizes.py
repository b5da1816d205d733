"""Shapes and sizes that a builder is asked for: whole numbers, told by name where they are none."""

import numbers

from arn_keras.errors import ConfigError


def whole(name, value, least=1):
    """A size.

    Raises:
        ConfigError: for what is no whole number from `least` on.
    """
    if not isinstance(value, numbers.Integral) or value < least:
        raise ConfigError(f"expected {name} >= {least}, got {value!r}")
    return int(value)


def lengths(name, shape):
    """A shape of known lengths, as a tuple.

    Raises:
        ConfigError: for one number, or lengths that are free or below 1.
    """
    if not isinstance(shape, list | tuple):
        raise ConfigError(f"expected {name} as a tuple of lengths, got {shape!r}")
    return tuple(whole(f"lengths of {name}", each) for each in shape)
