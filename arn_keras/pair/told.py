"""What a module is told beside the signal, by the names of its inputs; both in dB.

`snr_db`: the average SNR of Bob's channel. A pair that is told it serves a whole range: Bob
estimates it, and Alice has it from him, as for any adaptive modulation. It is no secret, and the
same for both.

`csi`: the SNR at which a listener heard this one source, as far as it knows its gain,
`Listener.hear`. Bob's alone: Alice knows no gain before she sends.

A module that names no such input is called as ever.
"""

from collections.abc import Callable, Sequence
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


def tell(module: Any, signal: Any, training: bool = False, **known: Any) -> Any:
    """A module of a signal, told what it names.

    Args:
        module: y -> z, or of a list of the inputs that it names; a Keras model or a function.
        signal: y or y_bob, real, [batch, ...].
        training: whether the module runs in training mode.
        **known: what it may be told, by name: scalars, or [batch] for one a source; None for what
            is not known.

    Returns:
        What the module makes of it.

    Raises:
        ModelError: for an input that nobody knows what to give to.
    """
    inputs = inputs_of(module)
    if len(inputs) < 2:
        return module(signal, training=training)
    own, signal = signal_input(module), ops.convert_to_tensor(signal)
    refuse_untold(module, [name for name, level in known.items() if level is not None])
    given = [signal if each is own else _column(known[each.name], signal) for each in inputs]
    return module(given, training=training)


def refuse_untold(module: Any, known: Sequence[str]) -> None:
    """Refuses a module that asks for what nobody tells it.

    Args:
        module: as of `tell`.
        known: names of what it may be told.

    Raises:
        ModelError: for an input beside the signal that is none of these, of one value.
    """
    own = signal_input(module)
    for each in inputs_of(module):
        if each is not own and (each.name not in known or tuple(each.shape[1:]) != (1,)):
            raise ModelError(
                f"expected a module of a signal and of {', '.join(known) or 'nothing'}, one value "
                f"each, got an input {each.name!r} shaped {list(each.shape[1:])}"
            )


class Given:
    """A module with some of its inputs put in; its `inputs` are the others.

    Args:
        module: of a list of the inputs that it names.
        **values: what is put in, by name: functions of the signal.
    """

    def __init__(self, module: Any, **values: Callable) -> None:
        self._module, self._values = module, values
        self.inputs = [each for each in module.inputs if each.name not in values]
        self._signal = self.inputs.index(signal_input(module))

    def __call__(self, given: Any, training: bool = False) -> Any:
        """The module of its other inputs, in their order: one, or a list."""
        given = [*map(ops.convert_to_tensor, given if isinstance(given, list) else [given])]
        signal, others = given[self._signal], iter(given)
        names = (each.name for each in self._module.inputs)
        values = [
            self._values[name](signal) if name in self._values else next(others) for name in names
        ]
        return self._module(values, training=training)


def told(module: Any, snr_db: float) -> Any:
    """A module at one SNR, which asks for what else it names; one that is told none as it is.

    Args:
        module: as of `tell`, or None.
        snr_db: SNR in dB.
    """
    if "snr_db" not in told_inputs(module):
        return module
    return Given(module, snr_db=lambda signal: _column(snr_db, signal))


def _column(level, signal):
    """A level, or one a source, as an input of one value takes it: [batch, 1]."""
    column = ops.reshape(ops.cast(level, signal.dtype), (-1, 1))
    return ops.broadcast_to(column, (ops.shape(signal)[0], 1))
