"""A transmitter module that keeps the power: what is deployed of a pair trained with `keep_power`.

A perturbation along the signal sends more than the plain link does, and Bob looks better for that
alone. Of built-in operations only, so that it is saved and converted as any other module.
"""

import keras

from arn_keras.errors import ConfigError
from arn_keras.pair.told import inputs_of, signal_input
from arn_keras.power import with_power_of


def keep_power(module: keras.Model) -> keras.Model:
    """The module with its output scaled to the power of its signal, source by source.

        z sqrt(mean(y^2) / mean(z^2))

    Args:
        module: Alice's, a Functional or Sequential model y -> z, or of several inputs of
            which one is named as a signal. It is shared, not copied.

    Returns:
        Functional model of the same inputs and shape.

    Raises:
        ConfigError: for another model.
    """
    inputs = inputs_of(module)
    signal = signal_input(module) if inputs else None
    if signal is None or module.output_shape[1:] != signal.shape[1:]:
        raise ConfigError(
            f"expected Alice's module, a Functional or Sequential model y -> z, got "
            f"{getattr(module, 'name', module)!r}"
        )
    taken = [keras.Input(each.shape[1:], name=each.name) for each in inputs]
    (own,) = (copy for copy, each in zip(taken, inputs, strict=True) if each is signal)
    given = taken[0] if len(taken) == 1 else taken
    return keras.Model(given, with_power_of(own, module(given)), name=module.name)
