"""What stands between the semantic transmitter and the air: nothing, the ARN, keys, or both.

An audit's protection is the pair of ends; the public part of it (the ARN) is a function that Eve
has too, the keyed part draws fresh signs for each message and Eve has none of them.
"""

import dataclasses
import functools
import math
from typing import Any

import keras
from keras import ops

from arn_keras.pair import PROTECTIONS
from arn_keras.pair.rotation import (
    ROUNDS,
    build_receiver_keyed,
    build_transmitter_keyed,
    random_signs,
)
from arn_keras.power import db_to_ratio
from arn_keras.rooms import answer

_receiver = functools.cache(build_receiver_keyed)


def is_keyed(module):
    """Whether a module takes signs beside the signal."""
    return len(getattr(module, "inputs", ())) == 2


def compose(*modules):
    """Modules one behind the other as one Keras model; the keyed one of them gets the signs.

    Alice's ARN comes before her keyed module, Bob's behind his.
    """
    (keyed,) = filter(is_keyed, modules)
    signal, signs = (keras.Input(each.shape[1:], name=each.name) for each in keyed.inputs)
    value = signal
    for module in modules:
        value = module([value, signs] if module is keyed else value)
    return keras.Model([signal, signs], value, name=keyed.name)


def with_fresh_keys(modules, messages, seed):
    """The modules with the signs put in, one draw for both ends, another for each message.

    Args:
        modules: of y, or keyed ones of [y, signs], or None; those without signs stay as they are.
        messages: sources a batch.
        seed: integer seed of the keys, which nobody has.

    Returns:
        A list of functions of (signal, training), as `system.forward` takes them.
    """
    keyed = [module for module in modules if is_keyed(module)]
    if not keyed:
        return list(modules)
    signs = random_signs(messages, *keyed[0].inputs[1].shape[1:], seed)

    def under_signs(module):
        return lambda signal, training=False: module([signal, signs], training=training)

    return [under_signs(module) if module in keyed else module for module in modules]


class RandomKeys(keras.layers.Layer):
    """Alice's keyed module under keys that nobody has, y -> z: fresh for each message.

    Args:
        signal_shape: shape of one source's signal.
        rounds: R.
        reused: one key for all messages, which no transmitter may do: the audit shows why.
        copies: times a message is sent, each under its own key; the copies are joined end to end.
        seed: integer seed of the keys.
    """

    def __init__(self, signal_shape, rounds=ROUNDS, reused=False, copies=1, seed=0):
        super().__init__(name="random_keys")
        self.module = build_transmitter_keyed(tuple(signal_shape), rounds)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.rounds, self.copies = rounds, copies
        self.symbols = self.module.inputs[1].shape[-1]
        self.reused = random_signs(1, rounds, self.symbols, seed) if reused else None

    def signs(self, messages):
        """Signs of a number of messages, [messages, rounds, n]; [1, rounds, n] if reused."""
        if self.reused is not None:
            return self.reused
        return random_signs(messages, self.rounds, self.symbols, self.seed_generator)

    def call(self, signal, training=False):
        """Signal y to what is sent, z."""
        sent = [
            self.module([signal, self.signs(ops.shape(signal)[0])], training=False)
            for _ in range(self.copies)
        ]
        return sent[0] if self.copies == 1 else ops.concatenate(sent, axis=-1)


@dataclasses.dataclass(frozen=True)
class Protection:
    """Both ends of one protection.

    Attributes:
        name: one of `pair.PROTECTIONS`, or what it is called in a report.
        transmitter_arn: public module y -> z, or None.
        receiver_arn: public module y_bob -> y_clean, or None.
        rounds: R of the keyed modules, 0 for none.
    """

    name: str
    transmitter_arn: Any = None
    receiver_arn: Any = None
    rounds: int = 0

    def keys(self, signal_shape, **how):
        """A `RandomKeys` for signals of this shape, or None."""
        return RandomKeys(signal_shape, self.rounds, **how) if self.rounds else None

    def clean(self, received, signs=None):
        """Bob's end, y_bob -> y_clean: unkeyed by these signs, then the receiver ARN."""
        if self.rounds:
            module = _receiver(tuple(received.shape[1:]), self.rounds)
            received = module([received, signs], training=False)
        if self.receiver_arn is not None:
            received = self.receiver_arn(received, training=False)
        return received


def protection(name, public=(None, None), rounds=ROUNDS):
    """The protection of this name.

    Args:
        name: one of `pair.PROTECTIONS`.
        public: the pair of public modules (transmitter ARN, receiver ARN), or others.
        rounds: R of keyed modules.

    Raises:
        ValueError: for another name, or if the public modules are asked for and missing.
    """
    if name not in PROTECTIONS:
        raise ValueError(f"expected a protection of {', '.join(PROTECTIONS)}, got {name!r}")
    means = answer(PROTECTIONS, name)
    if not means.has_public:
        public = (None, None)
    elif None in public:
        raise ValueError(f"expected a pair of modules for {name}, got none")
    return Protection(name, *public, rounds if means.keyed else 0)


def weakened(protected, signals, psr_db, name="planted"):
    """The transmitter ARN at a fraction of its amplitude: a leak planted to be found.

    Args:
        protected: `Protection` with a transmitter ARN.
        signals: y, to measure the perturbation's power on.
        psr_db: power in dB that is left of it.
        name: name of the weakened protection.
    """
    arn = protected.transmitter_arn
    perturbation = arn(signals, training=False) - signals
    gain = math.sqrt(db_to_ratio(psr_db) / max(float(ops.mean(perturbation**2)), 1e-30))

    def module(signal, training=False):
        return signal + gain * (arn(signal, training=training) - signal)

    return Protection(name, module)
