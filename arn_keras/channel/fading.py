"""Flat fading: y = h z + n on complex symbols, and what a listener makes of it.

    h = mu + sqrt(s) w,   w ~ CN(0, 1),   mu^2 + s = E|h|^2 = 1

So the SNR of a call is the average one. The gain is one for a whole source (block fading) or one
for each symbol. What the listener knows of it is the gain itself, an estimate of it from N known
symbols, or nothing; with an estimate h^, whose error has the variance c, the signal is equalised:

    MMSE           z^ = conj(h^) y / (|h^|^2 + c + sigma^2)
    zero forcing   z^ = conj(h^) y / |h^|^2

and z^ is what module and receiver are given. Tse and Viswanath, *Fundamentals of Wireless
Communication*, 2005, chapters 2, 3; Hassibi and Hochwald, *How Much Training is Needed in
Multiple-Antenna Wireless Links?*, 2003, for c. Left out: delay and Doppler spectra, shadowing, and
that pilots cost time and power.
"""

import math
from typing import Any

from keras import ops

from arn_keras import iq
from arn_keras.channel.awgn import draw_normal, refuse_complex
from arn_keras.channel.listener import Listener
from arn_keras.errors import ConfigError, whole
from arn_keras.power import noise_variance, ratios_to_db

CSI = ("perfect", "pilots", "none")
EQUALIZERS = ("mmse", "zero-forcing")


class Fading(Listener):
    """A listener behind a flat fading channel.

    Signals have an even number of reals in the last axis, I, Q, I, Q, ... (`iq`).

    Args:
        seed, snr_offset_db: see `Listener`.
        fast_fading: whether each symbol has a gain of its own, instead of each source.
        csi: what the listener knows of the gain: "perfect", "pilots" or "none", and then nothing is
            equalised.
        pilots: N, known symbols of the power of the signal's by which a gain is estimated; 8 by
            default.
        equalizer: "mmse" or "zero-forcing".

    Raises:
        ConfigError: for values that cannot be, pilots without `csi="pilots"`, or pilots for gains
            that are gone when they are known.
    """

    def __init__(
        self,
        seed: int = 0,
        snr_offset_db: float = 0.0,
        *,
        fast_fading: bool = False,
        csi: str = "perfect",
        pilots: int | None = None,
        equalizer: str = "mmse",
        **kwargs: Any,
    ) -> None:
        for name, value, known in (("csi", csi, CSI), ("equalizer", equalizer, EQUALIZERS)):
            if value not in known:
                raise ConfigError(f"expected {name} of {', '.join(known)}, got {value!r}")
        if pilots is not None and csi != "pilots":
            raise ConfigError(f"expected csi='pilots' beside pilots, got {csi!r}")
        if pilots is not None:
            whole("pilots", pilots)
        if csi == "pilots" and fast_fading:
            raise ConfigError("expected block fading for csi='pilots', got a gain for each symbol")
        super().__init__(seed, snr_offset_db, **kwargs)
        self.fast_fading, self.csi, self.equalizer = fast_fading, csi, equalizer
        self.pilots = pilots or (8 if csi == "pilots" else None)

    @property
    def line_of_sight(self):
        """mu^2, the share of the power that comes without fading, with phase 0."""
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """What a subclass receives by a call of its own, it says by a `hear` of its own, too."""
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls) and "hear" not in vars(cls):
            cls.hear = Listener.hear  # type: ignore[method-assign]

    def call(self, signal: Any, snr_db: Any, with_gain: bool = False) -> Any:
        """What the listener's module or receiver is given.

        Args:
            signal: sent signal z, real, [batch, ..., 2 symbols].
            snr_db: average SNR in dB referred to signal power 1; scalar, or [batch].
            with_gain: whether to say h^ too, as pairs; None without channel knowledge.

        Returns:
            z^, or without channel knowledge y; shaped like `signal`.

        Raises:
            DataError: for a complex signal, an odd number of reals, or SNRs that are neither one
                nor one a source.
        """
        refuse_complex(signal)
        symbols, estimate = iq.pairs(signal), None
        variance = noise_variance(self.heard_snr_db(symbols, snr_db))
        gain = self.draw_gain(symbols)
        received = self.transmit(symbols, gain, variance)
        if self.csi != "none":
            estimate, error = self.estimate(gain, variance)
            received = self.equalize(received, estimate, error, variance)
        received = iq.interleaved(received)
        return (received, estimate) if with_gain else received

    def hear(self, signal: Any, snr_db: Any) -> tuple[Any, Any]:
        """A call's answer, and csi = SNR + 10 log10 |h^|^2 of each source, its mean over symbols.

        Zero where h^ is, it says 60 dB below the average; without channel knowledge the average.
        """
        received, estimate = self(signal, snr_db=snr_db, with_gain=True)
        average = self.average_snr_db(snr_db)
        if estimate is None:
            return received, average
        power = iq.square(estimate)
        power = ops.mean(power, axis=tuple(range(1, len(power.shape))))
        return received, average + ops.cast(ratios_to_db(ops.maximum(power, 1e-6)), average.dtype)

    def draw_gain(self, symbols: Any) -> Any:
        """h, as pairs: [batch, ..., symbols, 2], or ones in the place of all but the batch."""
        shape = ops.shape(symbols)
        if not self.fast_fading:
            shape = (shape[0], *(1 for _ in shape[1:-1]), 2)
        direct = ops.cast([math.sqrt(self.line_of_sight), 0.0], symbols.dtype)
        return direct + self._normal(shape, 1.0 - self.line_of_sight, symbols.dtype)

    def transmit(self, symbols: Any, gain: Any, variance: Any) -> Any:
        """y = h z + n; the noise has `variance` in each real."""
        return iq.times(gain, symbols) + self._normal(ops.shape(symbols), 2 * variance)

    def estimate(self, gain: Any, variance: Any) -> Any:
        """What the listener takes for the gain, and the mean square of its error.

            g = h + e,  e ~ CN(0, v),  v = sigma^2 / N      mean of N known symbols' y / z
            h^ = mu + (g - mu) s / (s + v),   c = E|h - h^|^2 = s v / (s + v)

        Args:
            gain: h.
            variance: sigma^2, of noise in each real.

        Returns:
            (h^, c).
        """
        if self.csi == "perfect":
            return gain, 0.0
        scattered = 1.0 - self.line_of_sight
        error = variance / self.pilots
        seen = gain + self._normal(ops.shape(gain), error)
        direct = ops.cast([math.sqrt(self.line_of_sight), 0.0], gain.dtype)
        share = scattered / (scattered + error)
        return direct + (seen - direct) * share, error * share

    def equalize(self, received: Any, estimate: Any, error: Any, variance: Any) -> Any:
        """z^ of the received symbols, see above."""
        power = iq.square(estimate)
        if self.equalizer == "mmse":
            power = power + error + variance
        return iq.times(iq.conjugate(estimate), received) / ops.maximum(power, 1e-12)

    def _normal(self, shape, variance, dtype=None):
        """Circular complex normal numbers of mean square `variance`, as pairs."""
        like = ops.zeros(shape, dtype or self.compute_dtype)
        return ops.sqrt(ops.cast(variance, like.dtype) / 2) * draw_normal(like, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """Configuration for saving."""
        own = {name: getattr(self, name) for name in ("fast_fading", "csi", "pilots", "equalizer")}
        return {**super().get_config(), **own}
