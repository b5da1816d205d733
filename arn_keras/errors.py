"""The errors that are the user's to mend: each a single clear line, exit status 2.

And the check that every builder makes of the shapes and sizes that it is asked for.
"""

import numbers


class ArnError(Exception):
    """Any of them."""


class BackendError(ArnError, RuntimeError):
    """Keras is set to a backend other than TensorFlow."""


class ConfigError(ArnError, ValueError):
    """An option that cannot be used."""


class DataError(ArnError, ValueError):
    """A data set that cannot be had, or cannot be used."""


class RunDirError(ArnError):
    """A run directory that cannot be used."""


class ModelError(ArnError, ValueError):
    """A model of one's own that cannot be used."""


class TrainingDiverged(ArnError, ArithmeticError):  # noqa: N818  says what happened
    """A loss term became NaN or infinite; the weights are those of the last good epoch."""


class SweepError(ArnError):
    """Points of a sweep that failed."""


class EngineError(ArnError):
    """Workers of a sweep that cannot be had, or do not live."""


class DeviceError(ArnError, ValueError):
    """Devices that are not there, or that cannot train one model together."""


class ExportError(ArnError):
    """A module that cannot be exported, or an exported one that is not what it should be."""


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
