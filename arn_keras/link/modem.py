"""A modem as the base link of Eq. (4), (5), (7), (8): linear modulation, no weights to train.

Alice shapes Gray-labelled symbols with a root-raised cosine and sends them with power 1, a carrier
phase and a timing of their own; Bob's receiver is the matched filter, at every sample. Phase,
timing and gain are known to Bob, as from a preamble, and are applied by who judges him
(`SymbolError`, `DemapperCrossEntropy`, `link.constellation.symbol_errors`), so the receiver is a
function of the signal alone. Left out: fractional timing, frequency offset, error correction.

    SNR = 1 / noise variance per real sample;   Es/N0 = SNR + 10 log10(samples a symbol) in dB
"""

import keras
import numpy as np
from keras import layers, ops

from arn_keras.errors import DataError
from arn_keras.link import constellation
from arn_keras.power import db_to_ratio
from arn_keras.pulse import ROLL_OFF, SAMPLES_PER_SYMBOL, circulant, root_raised_cosine, symbols_of

#: Complex samples of a frame.
SAMPLES = 256


class _Sent:
    """What frames hold, as tensors: the same as `constellation.sent`, differentiable ends apart."""

    def __init__(self, names):
        self.names = constellation.known(names)
        self._weights = constellation.bit_weights(names).astype("float32")
        table = constellation.table(names)
        # Far away, yet finite: a gradient of an unused point is 0 and not NaN.
        table = np.where(np.isfinite(table), table, 1e3)
        self.table = np.stack([table.real, table.imag], axis=-1).astype("float32")

    def __call__(self, frames):
        """(modulation [b], label [b, s], points [b, s, 2], amplitude [b], phase [b], timing [b])"""
        frames = ops.cast(frames, "float32")
        modulation = ops.cast(frames[:, -1, 0], "int32")
        weights = ops.take(self._weights, modulation, axis=0)
        label = ops.sum(frames[:, :-1] * weights[:, None], axis=-1)
        label = ops.cast(label, "int32")
        row = modulation[:, None] * self.table.shape[1] + label
        found = ops.take(np.reshape(self.table, (-1, 2)), row, axis=0)
        energy = ops.mean(ops.sum(ops.square(found), axis=-1), axis=1)
        timing = ops.cast(frames[:, -1, 2], "int32")
        return modulation, label, found, ops.sqrt(2.0 / energy), frames[:, -1, 1], timing


def _turned(pairs, phase):
    """Complex numbers, pairs in the last axis, times e^(j phase), one phase a frame."""
    cosine, sine = (
        ops.reshape(each, (-1,) + (1,) * (len(pairs.shape) - 2))
        for each in (ops.cos(phase), ops.sin(phase))
    )
    i, q = pairs[..., 0], pairs[..., 1]
    return ops.stack([i * cosine - q * sine, i * sine + q * cosine], axis=-1)


class _Filter(layers.Layer):
    """Circular convolution with the pulse."""

    def __init__(self, samples, samples_per_symbol, roll_off, **kwargs):
        super().__init__(**{"dtype": keras.config.floatx(), **kwargs})
        self.samples, self.samples_per_symbol = samples, samples_per_symbol
        self.roll_off = roll_off
        self.symbols = symbols_of(samples, samples_per_symbol)
        self._matrix = circulant(root_raised_cosine(samples, samples_per_symbol, roll_off))

    def _filtered(self, pairs):
        """[batch, samples, 2] to the same shape; the pulse is even, so it is its matched filter."""
        return ops.einsum("bmc,mn->bnc", pairs, self._matrix.astype("float32"))

    def get_config(self):
        """Configuration for saving."""
        names = ("samples", "samples_per_symbol", "roll_off")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("arn_keras")
class Modulator(_Filter):
    """Frames of bits to their signals.

        y(t) = c e^(j phi) sum_k a_k g(t - k T - tau),   c so that the mean square is 1

    Args:
        samples: complex samples of a frame, n.
        samples_per_symbol: divides n.
        roll_off: of the pulse g.
        modulations: names, in the order of their numbers.
    """

    def __init__(self, samples, samples_per_symbol, roll_off, modulations, **kwargs):
        super().__init__(samples, samples_per_symbol, roll_off, **kwargs)
        self.modulations = list(modulations)
        self._sent = _Sent(modulations)
        self.input_spec = layers.InputSpec(shape=(None, self.symbols + 1, constellation.MOST_BITS))

    def call(self, frames):
        """[batch, symbols + 1, 6], see `data.modulation.frames`, to [batch, 2 n], I, Q, ..."""
        _, _, points, amplitude, phase, timing = self._sent(frames)
        amplitude = amplitude * np.sqrt(self.samples_per_symbol, dtype="float32")
        sent = _turned(points * amplitude[:, None, None], phase)
        place = ops.one_hot(timing, self.samples_per_symbol, dtype="float32")
        impulses = ops.expand_dims(sent, 2) * place[:, None, :, None]
        signal = self._filtered(ops.reshape(impulses, (-1, self.samples, 2)))
        return ops.reshape(signal, (-1, 2 * self.samples))

    def get_config(self):
        """Configuration for saving."""
        return {**super().get_config(), "modulations": self.modulations}


@keras.saving.register_keras_serializable("arn_keras")
class MatchedFilter(_Filter):
    """The matched filter at every sample: [batch, 2 n] to [batch, symbols, samples a symbol, 2].

    At timing tau the symbols are [:, :, tau], each c e^(j phi) a_k plus noise of the variance of a
    sample.
    """

    def __init__(self, samples, samples_per_symbol, roll_off, **kwargs):
        super().__init__(samples, samples_per_symbol, roll_off, **kwargs)
        self.input_spec = layers.InputSpec(shape=(None, 2 * samples))

    def call(self, signal):
        """Filters."""
        pairs = ops.reshape(signal, (-1, self.samples, 2))
        return ops.reshape(self._filtered(pairs), (-1, self.symbols, self.samples_per_symbol, 2))


def build_transmitter(
    modulations=tuple(constellation.MODULATIONS),
    samples=SAMPLES,
    samples_per_symbol=SAMPLES_PER_SYMBOL,
    roll_off=ROLL_OFF,
):
    """The modulator as a Keras model, Eq. (4), (5); it has no weights.

    Args:
        modulations: names of `constellation.MODULATIONS`; a frame has the number of its place here.
        samples: complex samples of a frame, n.
        samples_per_symbol: divides n.
        roll_off: of the root-raised cosine.

    Returns:
        Model from frames, [batch, symbols + 1, 6] of `data.modulation.frames`, to y, [batch, 2 n],
        of mean square 1 for each frame.

    Raises:
        ConfigError: for an unknown modulation, or a frame or roll-off that `pulse` refuses.
    """
    modulations = constellation.known(modulations)
    shape = (symbols_of(samples, samples_per_symbol) + 1, constellation.MOST_BITS)
    frames = keras.Input(shape, name="frames")
    layer = Modulator(samples, samples_per_symbol, roll_off, modulations, name="modulator")
    return keras.Model(frames, layer(frames), name="transmitter")


def build_receiver(samples=SAMPLES, samples_per_symbol=SAMPLES_PER_SYMBOL, roll_off=ROLL_OFF):
    """The matched filter as a Keras model, Eq. (7), (8); arguments as of `build_transmitter`.

    Returns:
        Model from a received signal, [batch, 2 n], to [batch, symbols, samples a symbol, 2], of
        which `symbol_error` and the demapper take the instants that Bob knows.
    """
    signal = keras.Input((2 * samples,), name="signal")
    layer = MatchedFilter(samples, samples_per_symbol, roll_off, name="matched_filter")
    return keras.Model(signal, layer(signal), name="receiver")


class _SymbolLoss:
    """What both losses do first: Bob's symbols, as constellation points plus noise."""

    def __init__(self, modulations=tuple(constellation.MODULATIONS)):
        self.modulations = list(modulations)
        self._sent = _Sent(modulations)

    def _symbols(self, frames, estimate):
        symbols = estimate.shape[1]
        if len(estimate.shape) != 4 or frames.shape[1:] != (symbols + 1, constellation.MOST_BITS):
            raise DataError(
                f"expected frames of {symbols} symbols, {[symbols + 1, constellation.MOST_BITS]}, "
                f"got {[*frames.shape[1:]]}"
            )
        modulation, label, points, amplitude, phase, timing = self._sent(frames)
        estimate = ops.cast(estimate, "float32")  # as the table of points
        each = estimate.shape[2]
        at = ops.one_hot(timing, each, dtype=estimate.dtype)
        found = ops.sum(estimate * at[:, None, :, None], axis=2)
        found = _turned(found, -phase) / (amplitude * float(np.sqrt(each)))[:, None, None]
        return modulation, label, points, found

    def get_config(self):
        """Configuration for saving."""
        return {"modulations": self.modulations}

    @classmethod
    def from_config(cls, config):
        """Made again."""
        return cls(**config)


@keras.saving.register_keras_serializable("arn_keras")
class SymbolError(_SymbolLoss):
    """L2 for a modem: mean squared error of a symbol over the squared half distance of its points.

        mean |a_hat - a|^2 / (d/2)^2,   d the least distance of the modulation

    A squared error alone would treat 64QAM's symbols, which a tenth of BPSK's noise moves across a
    border, as BPSK's.

    Args:
        modulations: names, in the order of their numbers.
    """

    def __init__(self, modulations=tuple(constellation.MODULATIONS)):
        super().__init__(modulations)
        half = []
        for name in self.modulations:
            found = constellation.points(name)
            distance = np.abs(found[:, None] - found) + np.where(np.eye(len(found)), np.inf, 0)
            half.append(distance.min() / 2)
        self._scale = (1 / np.square(half)).astype("float32")

    def __call__(self, frames, estimate):
        """(frames, the receiver's estimate) to one loss a frame, [batch]."""
        modulation, _, points, found = self._symbols(frames, estimate)
        error = ops.mean(ops.sum(ops.square(found - points), axis=-1), axis=1)
        return error * ops.take(self._scale, modulation)


@keras.saving.register_keras_serializable("arn_keras")
class DemapperCrossEntropy(_SymbolLoss):
    """L2 for a modem: cross-entropy in nats of a soft demapper that knows the modulation.

        -log softmax_m(-|a_hat - a_m|^2 / (2 s^2)) at the sent point

    Args:
        modulations: names, in the order of their numbers.
        es_n0_db: that the demapper reckons with; s^2 = 1 / (2 Es/N0).
    """

    def __init__(self, modulations=tuple(constellation.MODULATIONS), es_n0_db=19.0):
        super().__init__(modulations)
        self.es_n0_db = es_n0_db

    def __call__(self, frames, estimate):
        """(frames, the receiver's estimate) to one loss a frame, [batch]."""
        modulation, label, _, found = self._symbols(frames, estimate)
        candidates = ops.take(self._sent.table, modulation, axis=0)
        distance = ops.sum(ops.square(found[:, :, None] - candidates[:, None]), axis=-1)
        logits = -distance * db_to_ratio(self.es_n0_db)
        truth = ops.one_hot(label, logits.shape[-1], dtype=logits.dtype)
        return -ops.mean(ops.sum(truth * ops.log_softmax(logits), axis=-1), axis=1)

    def get_config(self):
        """Configuration for saving."""
        return {**super().get_config(), "es_n0_db": self.es_n0_db}
