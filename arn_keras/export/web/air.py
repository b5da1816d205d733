"""The page's air: what Bob and Eve hear through, and what is drawn of it for each message.

White Gaussian noise, or flat fading with one gain a message, which its listener knows or does not;
and a clock that Eve has to find. Left out: a gain for each symbol, and gains known from pilots.
"""

from typing import Any, NamedTuple

import numpy as np

from arn_keras import iq
from arn_keras.channel.awgn import AWGN
from arn_keras.channel.fading import Fading
from arn_keras.channel.rayleigh import Rayleigh
from arn_keras.channel.rician import Rician
from arn_keras.channel.unsynchronised import Unsynchronised, moved
from arn_keras.errors import ExportError
from arn_keras.power import noise_variance


class Drawn(NamedTuple):
    """What is drawn for each message, of variance 1 or uniform.

    Attributes:
        bob_noise, eve_noise: shaped as the signals.
        bob_gain, eve_gain: w ~ CN(0, 1) of a fading channel, pairs [messages, 2].
        phase, delay: of Eve's clock, [messages]; None where she has Alice's.
    """

    bob_noise: np.ndarray
    eve_noise: np.ndarray
    bob_gain: np.ndarray
    eve_gain: np.ndarray
    phase: Any
    delay: Any

    def as_json(self):
        """JSON values, one row a message."""
        drawn = {
            name: getattr(self, name).reshape(len(self.bob_gain), -1).tolist()
            for name in self._fields[:4]
        }
        clock = ([], []) if self.phase is None else (self.phase.tolist(), self.delay.tolist())
        return {**drawn, "eve_clock": list(map(list, zip(*clock, strict=True)))}


class Air(NamedTuple):
    """What each hears through.

    Attributes:
        bob, eve: `channel.listener.Listener`s that `check` has let through.
    """

    bob: Any
    eve: Any

    def check(self, channel):
        """Refuses an air that the page has not.

        Args:
            channel: what the run calls it.

        Raises:
            ExportError: in one line.
        """
        if not all(map(_is_known, (self.bob, self.eve.synchronised()))):
            raise ExportError(
                "expected a run over white Gaussian noise, or over fading with one gain a source "
                f"and no pilots, which the page has, got one over {channel}"
            )

    @property
    def clock(self):
        """Samples a symbol where Eve hears each frame with a phase and a delay, else None."""
        return self.eve.samples_per_symbol if isinstance(self.eve, Unsynchronised) else None

    def facts(self, signal_shape):
        """Fields of `page.json`: `eve_snr_offset_db`, `clock`, and `airs` to choose from, the
        run's first; signals of an odd number of reals have no complex gain.
        """
        airs = [_described(self.bob, self.eve.synchronised())]
        if signal_shape[-1] % 2 == 0:
            others = (kind() for kind in (AWGN, Rayleigh) if kind is not type(self.bob))
            airs += [_described(other, other) for other in others]
        return {
            "eve_snr_offset_db": self.eve.snr_offset_db,
            "clock": self.clock,
            "airs": airs,
        }

    def draw(self, generator, signal_shape):
        """`Drawn` for messages, [messages, ...], by a NumPy generator."""
        messages = signal_shape[0]
        noises = generator.normal(size=(2, *signal_shape)).astype("float32")
        gains = generator.normal(0, np.sqrt(0.5), (2, messages, 2)).astype("float32")
        clock = None, None
        if self.clock:
            phase = generator.uniform(0, 2 * np.pi, messages).astype("float32")
            clock = phase, generator.integers(0, self.clock, messages, np.int32)
        return Drawn(*noises, *gains, *clock)

    def at_bob(self, sent, drawn, snr_db):
        """What Bob hears, [messages, ...]."""
        return _heard(self.bob, sent, drawn.bob_noise, drawn.bob_gain, snr_db)

    def at_eve(self, sent, drawn, snr_db):
        """What Eve hears."""
        if self.clock:
            sent = moved(sent, drawn.phase, drawn.delay)
        snr_db = snr_db + self.eve.snr_offset_db
        return _heard(self.eve.synchronised(), sent, drawn.eve_noise, drawn.eve_gain, snr_db)


def _is_known(ear):
    if type(ear) in (Rayleigh, Rician):
        return not ear.fast_fading and ear.csi != "pilots"
    return type(ear) is AWGN


def _described(bob, eve):
    if not isinstance(bob, Fading):
        return {"name": "awgn"}
    ears = {
        name: {"knows": ear.csi == "perfect", "equalizer": ear.equalizer}
        for name, ear in (("bob", bob), ("eve", eve))
    }
    return {
        "name": type(bob).__name__.lower(),
        "line_of_sight": bob.line_of_sight,
        **ears,
    }


def _heard(ear, sent, noise, scattered, snr_db):
    """What a listener hears of what is sent, as its `call` with these numbers drawn."""
    variance = noise_variance(snr_db)
    noise = np.float32(np.sqrt(variance)) * noise
    if not isinstance(ear, Fading):
        return sent + noise
    symbols = iq.pairs(sent)
    direct = np.array([np.sqrt(ear.line_of_sight), 0.0], np.float32)
    gain = direct + np.float32(np.sqrt(1 - ear.line_of_sight)) * scattered
    gain = gain.reshape(len(gain), *(1,) * (len(symbols.shape) - 2), 2)
    received = iq.times(gain, symbols) + iq.pairs(noise)
    if ear.csi != "none":
        received = ear.equalize(received, gain, 0.0, variance)
    return iq.interleaved(received)
