"""What a keyed rotation consists of, whichever it is, and which one a run gets by default.

A keyed module takes two inputs: the signal (`signal`, or at Bob's end `received`) and what the
client draws from the keystream for this message (`signs`, or `rotation`). A module is told by those
names, never by how many inputs it has.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from arn_keras.errors import ConfigError
from arn_keras.pair import KEY_INPUTS, ROTATIONS
from arn_keras.rooms import answer

#: Real symbols up to which the default is the exactly uniform rotation. Its cost is the client's,
#: of order n^3: 0.9 ms a message at n = 128, 2.8 ms at 256 (docs/deploy.md).
HAAR_SYMBOLS = 128


@dataclasses.dataclass(frozen=True)
class Rotation:
    """One way to rotate a signal by a key.

    Attributes:
        name: the key of `pair.ROTATIONS`.
        key_input: name of the modules' second input, one of `pair.KEY_INPUTS`.
        key_shape: n -> shape of one message's second input.
        build_transmitter: signal shape -> Alice's module of [y, keys].
        build_receiver: signal shape -> Bob's module of [y_bob, keys].
        random_keys: (messages, shape of one's, seed) -> second inputs that nobody has, for training
            and audit.
        rounds: R of the fast rotation, 0 for others.
        for_many: where a `Rotation` is whose every message has the same law, at a cost that allows
            an audit's number of them; None for this one itself.
    """

    name: str
    key_input: str
    key_shape: Callable[[int], tuple[int, ...]]
    build_transmitter: Callable[[tuple[int, ...]], Any]
    build_receiver: Callable[[tuple[int, ...]], Any]
    random_keys: Callable[[Any, tuple[int, ...], Any], Any]
    rounds: int = 0
    for_many: str | None = None

    @property
    def audited(self):
        """The rotation of the same law that an audit draws its many messages from."""
        return answer({self.name: self.for_many}, self.name) if self.for_many else self


def chosen_rotation(asked, signal_shape):
    """The rotation of a run.

    Args:
        asked: a key of `pair.ROTATIONS`, or "auto": haar up to `HAAR_SYMBOLS` symbols, else fast.
        signal_shape: shape of one source's signal.

    Raises:
        ConfigError: there is none of this name.
    """
    if asked == "auto":
        asked = "haar" if symbols_of(signal_shape) <= HAAR_SYMBOLS else "fast"
    return answer(ROTATIONS, asked)


def symbols_of(signal_shape):
    """n, the real symbols of a signal of this shape; ConfigError if the shape is not fixed."""
    if not all(signal_shape):
        raise ConfigError(f"expected a signal of fixed, non-empty shape, got {tuple(signal_shape)}")
    return math.prod(signal_shape)


def keyed_inputs(signal_shape, name, rotation):
    """The two inputs of a keyed module: the signal of this name, and the rotation's keys."""
    keys = rotation.key_shape(symbols_of(signal_shape))
    return keras.Input(signal_shape, name=name), keras.Input(keys, name=rotation.key_input)


def scaled_to_unit_power(signal):
    """y' = sqrt(n) y / ||y||: the norm survives a rotation, so one that varies would tell Eve.

    For the base link's signal that changes nothing but rounding; behind another module (an ARN) it
    does, and Bob gets the scaled signal back. A signal of norm below 1e-6 cannot be scaled and
    stays visibly weak: a client refuses it.
    """
    shape = tuple(signal.shape[1:])
    scaled = layers.Flatten(name="flatten")(signal) if len(shape) > 1 else signal
    scaled = layers.UnitNormalization(name="unit_norm")(scaled)
    scaled = layers.Rescaling(math.sqrt(math.prod(shape)), name="unit_power")(scaled)
    return layers.Reshape(shape, name="signal_shape")(scaled) if len(shape) > 1 else scaled


def key_input(module):
    """The input of a module that is drawn from a keystream, told by its name; None without."""
    for each in getattr(module, "inputs", None) or ():
        if each.name in KEY_INPUTS:
            return each
    return None


def is_keyed(module):
    """Whether a module takes signs or a rotation beside the signal."""
    return key_input(module) is not None


def rotation_of(module):
    """The rotation, by the name of its input, whose keys a keyed module takes."""
    name = key_input(module).name
    (found,) = (
        each for each in (answer(ROTATIONS, key) for key in ROTATIONS) if each.key_input == name
    )
    return found
