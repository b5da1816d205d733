"""What a module is told beside the signal, by the names of its inputs: the SNR, in dB.

A pair that is told it serves a whole range of SNRs: Bob estimates his, and Alice has it from him,
as for any adaptive modulation. It is the average SNR of Bob's channel, no secret, and the same for
both. A module that names no such input is called as ever.
"""

from typing import Any

from keras import ops

from arn_keras.errors import ModelError
from arn_keras.pair import KEY_INPUTS, SIGNAL_INPUTS, TOLD_INPUTS


def inputs_of(module: Any) -> list:
    """The inputs of a Keras model in their order; none of what does not say them."""
    try:
        return list(module.inputs or ())
    except (AttributeError, ValueError):  # a function, or a model that is subclassed or not built
        return []


def signal_input(module):
    """The input that carries the signal: by its name, or the only one that is nothing else.

    Raises:
        ModelError: if several may, or none.
    """
    inputs = module.inputs
    others = (*TOLD_INPUTS, *KEY_INPUTS)
    found = [each for each in inputs if each.name in SIGNAL_INPUTS] or [
        each for each in inputs if each.name not in others
    ]
    if len(found) != 1:
        names = ", ".join(repr(each.name) for each in inputs)
        raise ModelError(f"expected a module of one input named as a signal, got {names}")
    return found[0]


def told_inputs(module: Any) -> list[str]:
    """Names of what a module is told, of `pair.TOLD_INPUTS`."""
    return [each.name for each in inputs_of(module) if each.name in TOLD_INPUTS]


def tell(module: Any, signal: Any, snr_db: Any, training: bool = False) -> Any:
    """A module of a signal, told what it names.

    Args:
        module: y -> z, or of a list of the inputs that it names; a Keras model or a function.
        signal: y or y_bob, real, [batch, ...].
        snr_db: SNR in dB; scalar, or [batch] for one a source.
        training: whether the module runs in training mode.

    Returns:
        What the module makes of it.

    Raises:
        ModelError: for an input that nobody knows what to give to.
    """
    inputs = inputs_of(module)
    if len(inputs) < 2:
        return module(signal, training=training)
    own, known, signal = signal_input(module), {"snr_db": snr_db}, ops.convert_to_tensor(signal)
    for each in inputs:
        if each is not own and (known.get(each.name) is None or tuple(each.shape[1:]) != (1,)):
            raise ModelError(
                f"expected a module of a signal and of {', '.join(TOLD_INPUTS)}, one value each, "
                f"got an input {each.name!r} shaped {list(each.shape[1:])}"
            )
    given = [signal if each is own else _column(known[each.name], signal) for each in inputs]
    return module(given, training=training)


def told(module: Any, snr_db: float) -> Any:
    """A module at one SNR: a function (signal, training), or the module itself if it is told none.

    Args:
        module: as of `tell`, or None.
        snr_db: SNR in dB.
    """
    if not told_inputs(module):
        return module

    def at_snr(signal, training=False):
        return tell(module, signal, snr_db, training)

    return at_snr


def _column(level, signal):
    """A level, or one a source, as an input of one value takes it: [batch, 1]."""
    column = ops.reshape(ops.cast(level, signal.dtype), (-1, 1))
    return ops.broadcast_to(column, (ops.shape(signal)[0], 1))
