"""The compression of a link, k/n: complex symbols sent for each value of a source."""

import fractions

from arn_keras.errors import ConfigError

#: Of a link that is asked for nothing.
COMPRESSION = fractions.Fraction(1, 6)
#: The largest denominator, and the most symbols that a source value may take.
FINEST, MOST = 10_000, 4


def as_fraction(compression):
    """k/n as an exact fraction: of a number, the nearest of a denominator up to `FINEST`.

    Args:
        compression: a fraction, a number, or text like "1/6".

    Raises:
        ConfigError: for anything else, or out of range.
    """
    try:
        # Exactly, a number like 1e99999999 takes for ever.
        in_range = "/" in str(compression) or 0 < float(compression) <= MOST
        fraction = fractions.Fraction(compression).limit_denominator(FINEST) if in_range else 0
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        fraction = 0
    if not 0 < fraction <= MOST:
        raise ConfigError(
            f"--compression: expected k/n from 1/{FINEST} to {MOST}, for example 1/6, "
            f"got {compression}"
        )
    return fraction
