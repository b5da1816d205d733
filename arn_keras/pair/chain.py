"""What stands between the semantic transmitter and the air: nothing, the ARN, keys, or both.

An audit's protection is the pair of ends; the public part of it (the ARN) is a function that Eve
has too, the keyed part draws a fresh key for each message and Eve has none of them.
"""

import dataclasses
import functools
import math
from typing import Any

import keras
from keras import ops

from arn_keras.pair import PROTECTIONS
from arn_keras.pair.keyed import is_keyed, key_input, rotation_of
from arn_keras.pair.rotation import FAST
from arn_keras.pair.told import Given, signal_input, tell, told
from arn_keras.power import db_to_ratio
from arn_keras.rooms import answer

#: Bytes of the keys that are drawn at a time.
KEY_MEMORY = 1 << 28


@functools.cache
def _receiver(rotation, signal_shape):
    return rotation.build_receiver(signal_shape)


def compose(*modules):
    """Modules one behind the other as one Keras model; each gets its further inputs by their names.

    Alice's ARN comes before her keyed module, Bob's behind his. Two modules that name one input
    (`csi`) get the same.
    """
    further, (first, *_) = {}, modules
    for module in modules:
        for each in module.inputs:
            if each is not signal_input(module) and each.name not in further:
                further[each.name] = keras.Input(each.shape[1:], name=each.name)
    start = signal_input(next(filter(is_keyed, modules), first))
    value = signal = keras.Input(signal_input(first).shape[1:], name=start.name)
    for module in modules:
        own = signal_input(module)
        given = [value if each is own else further[each.name] for each in module.inputs]
        value = module(given if len(given) > 1 else given[0])
    name = next(filter(is_keyed, modules), first).name
    return keras.Model([signal, *further.values()], value, name=name)


def most_messages(modules, most):
    """Messages whose keys are drawn at a time: at most so many, and at most `KEY_MEMORY` bytes.

    A Haar rotation of 1,024 symbols has 4 MB.
    """
    keyed = next(filter(is_keyed, modules), None)
    if keyed is None:
        return most
    return max(1, min(most, KEY_MEMORY // (4 * math.prod(key_input(keyed).shape[1:]))))


def with_fresh_keys(modules, messages, seed):
    """The modules with the keys put in, one draw for both ends, another for each message.

    Args:
        modules: of y, or keyed ones of [y, signs] or [y, rotation], or None; those without keys
            stay as they are.
        messages: sources a batch.
        seed: integer seed of the keys, which nobody has.

    Returns:
        A list of functions of (signal, training), or of a list of the other inputs that a module
        names, as `system.forward` takes them.
    """
    keyed = [module for module in modules if is_keyed(module)]
    if not keyed:
        return list(modules)
    keys = rotation_of(keyed[0]).random_keys(messages, key_input(keyed[0]).shape[1:], seed)

    def under_keys(module):
        return Given(module, **{key_input(module).name: lambda _: keys})

    return [under_keys(module) if is_keyed(module) else module for module in modules]


class RandomKeys(keras.layers.Layer):
    """Alice's keyed module under keys that nobody has, y -> z: fresh for each message.

    Args:
        signal_shape: shape of one source's signal.
        rotation: `keyed.Rotation`.
        reused: one key for all messages, which no transmitter may do: the audit shows why.
        copies: times a message is sent, each under its own key; the copies are joined end to end.
        seed: integer seed of the keys.
    """

    def __init__(self, signal_shape, rotation=FAST, reused=False, copies=1, seed=0):
        super().__init__(name="random_keys")
        self.module = rotation.build_transmitter(tuple(signal_shape))
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.rotation, self.copies = rotation, copies
        self.key_shape = tuple(key_input(self.module).shape[1:])
        self.reused = rotation.random_keys(1, self.key_shape, seed) if reused else None

    def draw(self, messages):
        """Keys of a number of messages, [messages, *key_shape]; [1, *key_shape] if reused."""
        if self.reused is not None:
            return self.reused
        return self.rotation.random_keys(messages, self.key_shape, self.seed_generator)

    def call(self, signal, training=False):
        """Signal y to what is sent, z."""
        sent = [
            self.module([signal, self.draw(ops.shape(signal)[0])], training=False)
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
        rotation: `keyed.Rotation` of the keyed modules, or None for none.
    """

    name: str
    transmitter_arn: Any = None
    receiver_arn: Any = None
    rotation: Any = None

    @property
    def rounds(self):
        """R of a fast rotation, else 0."""
        return self.rotation.rounds if self.rotation else 0

    def at(self, snr_db):
        """The same with modules that are told this SNR in dB, as far as they name one."""
        alice, bob = (told(each, snr_db) for each in (self.transmitter_arn, self.receiver_arn))
        return dataclasses.replace(self, transmitter_arn=alice, receiver_arn=bob)

    def keys(self, signal_shape, **how):
        """A `RandomKeys` for signals of this shape, or None."""
        return RandomKeys(signal_shape, self.rotation, **how) if self.rotation else None

    def clean(self, received, csi, keys=None):
        """Bob's end, y_bob -> y_clean: unkeyed by these keys, then the receiver ARN.

        Args:
            received: y_bob.
            csi: what who received it knows of its SNR, `Listener.hear`.
            keys: of the rotation, if there is one.
        """
        if self.rotation:
            module = _receiver(self.rotation, tuple(received.shape[1:]))
            received = module([received, keys], training=False)
        if self.receiver_arn is not None:
            received = tell(self.receiver_arn, received, csi=csi)
        return received


def protection(name, public=(None, None), rotation=FAST, signal_shape=None):
    """The protection of this name.

    Args:
        name: one of `pair.PROTECTIONS`.
        public: the pair of public modules (transmitter ARN, receiver ARN), or others.
        rotation: `keyed.Rotation` of keyed modules.
        signal_shape: shape of one source's signal, for modules that nothing trains.

    Raises:
        ConfigError: for another name.
        ValueError: if the public modules are asked for and missing.
    """
    means = answer(PROTECTIONS, name)
    if means.build:
        public = means.build(signal_shape)
    elif not means.has_public:
        public = (None, None)
    elif None in public:
        raise ValueError(f"expected a pair of modules for {name}, got none")
    return Protection(name, *public, rotation.audited if means.keyed else None)


def weakened(protected, signals, psr_db, name="planted"):
    """The transmitter ARN at a fraction of its amplitude: a leak planted to be found.

    Args:
        protected: `Protection` with a transmitter ARN.
        signals: y, to measure the perturbation's power on.
        psr_db: power in dB that is left of it.
        name: name of the weakened protection.
    """
    arn = protected.transmitter_arn

    def full(signal, training=False):  # of a module that computes in halves, too
        return ops.cast(arn(signal, training=training), signal.dtype)

    perturbation = full(signals) - signals
    gain = math.sqrt(db_to_ratio(psr_db) / max(float(ops.mean(perturbation**2)), 1e-30))

    def module(signal, training=False):
        return signal + gain * (full(signal, training) - signal)

    return Protection(name, module)
