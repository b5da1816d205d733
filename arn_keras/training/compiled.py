"""The arguments of Keras's `compile` that a link has no place for, and those it cannot save."""

import contextlib
import copy
import re
import warnings

import keras
import tensorflow as tf

from arn_keras.errors import ArnError, ConfigError, DataError

_EXPECTED = re.compile(
    r"expected ((labels|targets) from 0 to \d+, got others|weights >= 0, got others"
    r"|batches of at least \d+|finite [a-z, ]+, got NaN or infinity)"
)
_DECORATED = re.compile(r"\x1b\[1m(.*)\x1b\[0m", re.DOTALL)


def refuse(options, reasons):
    """Refuses arguments by name.

    Args:
        options: {name: value} that were given; None is not given.
        reasons: {name: what to do instead} of those without a place.

    Raises:
        ConfigError: for the first that was given.
    """
    for name, reason in reasons.items():
        if options.get(name) is not None:
            raise ConfigError(f"expected no {name}=: {reason}")


@contextlib.contextmanager
def clear_errors():
    """Turns what a check in the graph found, or Keras set in a frame, into an error of one line.

    Raises:
        DataError: for what a check found.
        ArnError: without what Keras says around it.
    """
    try:
        yield
    except ArnError as error:
        framed = _DECORATED.search(str(error))
        if not framed:
            raise
        raise type(error)(framed[1]) from None
    except tf.errors.InvalidArgumentError as error:
        found = _EXPECTED.search(error.message)
        if not found:
            raise
        raise DataError(found[0]) from None


def loadable_config(arguments):
    """What a link was compiled with, or None, and a warning, where that cannot be loaded again.

    Args:
        arguments: () -> the serialised arguments of `compile`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own words about a lambda, which come too early
        config = arguments()
    if not _loads(config):
        names = [name for name, value in config.items() if not _loads(value)]
        warnings.warn(
            f"saved without {', '.join(names)}: the loaded link must be compiled again; expected "
            "functions registered with keras.saving.register_keras_serializable",
            stacklevel=3,
        )
        return None
    return config


def _loads(value):
    try:  # a copy, for an optimiser around another takes that one out of what it is made from
        keras.saving.deserialize_keras_object(copy.deepcopy(value), safe_mode=True)
    except (TypeError, ValueError):
        return False
    return True
