"""Counts that a caller gives."""

import numbers

from arn_keras.errors import ConfigError


def refuse_below(least, **counts):
    """Refuses counts that are no whole number from `least` on; None is not given.

    Raises:
        ConfigError: for the first, by its name.
    """
    for name, count in counts.items():
        whole = isinstance(count, numbers.Integral) and not isinstance(count, bool)
        if count is not None and not (whole and count >= least):
            raise ConfigError(f"expected {name} >= {least}, got {count!r}")
