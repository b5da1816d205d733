"""A listener's ear: what every channel has in common, whatever it does to a signal.

Each listener of a link has one of its own, with its own random numbers and its own SNR. A channel
is a subclass that says what is received.
"""

import math
import numbers
from typing import Any

import keras
from keras import ops

from arn_keras.errors import ConfigError, DataError
from arn_keras.power import level_fault


class Listener(keras.layers.Layer):
    """What one listener makes of a sent signal: a call (signal, snr_db) -> received, same shape.

    The generator belongs to the layer: two layers draw two independent noises (Bob's and Eve's),
    and `reseed` makes a draw repeatable.

    Computes in full precision, whatever Keras's policy for layers is: it is no layer of a network.

    Args:
        seed: integer seed of all that this listener's air draws.
        snr_offset_db: what is added to the SNR of each call, in dB: how much better than the link's
            this listener hears.

    Raises:
        ConfigError: for an offset that is no finite number.
    """

    def __init__(self, seed: int = 0, snr_offset_db: float = 0.0, **kwargs: Any) -> None:
        refuse_not_finite(snr_offset_db=snr_offset_db)
        super().__init__(**{"dtype": keras.config.floatx(), **kwargs})
        self.seed = seed
        self.snr_offset_db = snr_offset_db
        self.seed_generator = keras.random.SeedGenerator(seed)

    def heard_snr_db(self, signal: Any, snr_db: Any) -> Any:
        """The SNR in dB at which this listener hears a signal, as it multiplies with the signal.

        Args:
            signal: real, [batch, ...].
            snr_db: SNR of the link in dB; scalar, or [batch] for one a source.

        Returns:
            Scalar, or [batch, 1, ...].

        Raises:
            DataError: for SNRs that are neither one nor one a source.
        """
        if "float" not in keras.backend.standardize_dtype(signal.dtype):
            raise DataError(f"expected a signal of floats, got {signal.dtype}")
        snr_db = ops.cast(snr_db, signal.dtype) + self.snr_offset_db
        if not len(snr_db.shape):
            return snr_db
        if any(length != 1 for length in snr_db.shape[1:]):
            raise DataError(f"expected snr_db of shape [batch], got {tuple(snr_db.shape)}")
        sources = signal.shape[0], snr_db.shape[0]
        if None not in sources and len({*sources, 1}) > 2:
            raise DataError(f"expected snr_db of {sources[0]} signals, got {sources[1]}")
        return ops.reshape(snr_db, (-1,) + (1,) * (len(signal.shape) - 1))

    def hear(self, signal: Any, snr_db: Any) -> tuple[Any, Any]:
        """What the listener receives, and what it knows of the SNR at which it did.

        Args:
            signal: sent signal z, as of a call.
            snr_db: SNR of the link in dB; scalar, or [batch].

        Returns:
            (received, csi): a call's answer, and the SNR in dB of each source as this listener
            knows it, scalar or [batch]; the average one where it knows no better.
        """
        return self(signal, snr_db=snr_db), self.average_snr_db(snr_db)

    def average_snr_db(self, snr_db: Any) -> Any:
        """The average SNR in dB at which this listener hears, scalar or [batch]; float32."""
        level = ops.cast(snr_db, "float32") + self.snr_offset_db
        return ops.reshape(level, ops.shape(level)[:1])

    def reseed(self, seed: int) -> None:
        """Restarts what is drawn at `seed`, a pair of unsigned 32-bit integers."""
        self.seed_generator.state.assign(seed)

    def synchronised(self) -> "Listener":
        """The ear of who knows phase and timing of what is sent, for she knows what it is."""
        return self

    def get_config(self) -> dict[str, Any]:
        """Configuration for saving."""
        own = {"seed": self.seed, "snr_offset_db": self.snr_offset_db}
        return {**super().get_config(), **own}


def refuse_not_finite(**levels):
    """Refuses levels in dB that are no finite number.

    Raises:
        ConfigError: for the first, by its name.
    """
    for name, level in levels.items():
        fault = level_fault(level if isinstance(level, numbers.Real) else math.nan, name)
        if fault:
            raise ConfigError(f"expected {fault}, got {level!r}")


def ear(channel, seed, name):
    """A listener's own ear of a kind: nothing of the given one is used but its options.

    Args:
        channel: `Listener`.
        seed: integer.
        name: of the layer.

    Raises:
        ConfigError: for what is no channel.
    """
    if not isinstance(channel, Listener):
        got = getattr(channel, "__name__", type(channel).__name__)
        raise ConfigError(f"expected a channel, an arn_keras.Listener, got {got}")
    return type(channel).from_config({**channel.get_config(), "seed": seed, "name": name})
