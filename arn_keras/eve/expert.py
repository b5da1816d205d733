"""The eavesdropper who knows radio: matched filter, timing, cumulants, and the constellation.

Swami and Sadler, *Hierarchical Digital Modulation Classification Using Cumulants*, IEEE Trans.
Commun. 2000; Oerder and Meyr, *Digital Filter and Square Timing Recovery*, IEEE Trans. Commun.
1988; the points of the constellation go through a deep set (Zaheer et al., NeurIPS 2017), which
does not care in what order they come. She is told the pulse and the rate of the symbols, and finds
timing and carrier phase herself. All of it has gradients but the timing, which is one of a few, so
that a pair can be trained against her.
"""

import keras
import numpy as np
from keras import layers, ops

from arn_keras.pulse import (
    ROLL_OFF,
    SAMPLES_PER_SYMBOL,
    circulant,
    root_raised_cosine,
    symbols_of,
)


@keras.saving.register_keras_serializable("arn_keras")
class SymbolFeatures(layers.Layer):
    """What an expert looks at: features of each symbol, and of the frame.

    x_k: matched-filter output at the timing found, at mean power 1. Of each symbol: |x|, |x|^2, the
    phasors (x/|x|)^p of p = 2, 4, 8 seen from the direction of their mean, and x turned by the
    phase that its fourth power tells. Of the frame: |C20|, |C40|, |C41|, C42, |C60|-like and eighth
    moments, and the lengths of the mean phasors, at this timing.

    Args:
        samples: complex samples of a frame, n.
        samples_per_symbol: divides n.
        roll_off: of the pulse.
    """

    def __init__(self, samples, samples_per_symbol=SAMPLES_PER_SYMBOL, roll_off=ROLL_OFF, **kwargs):
        super().__init__(**{"dtype": keras.config.floatx(), **kwargs})
        self.samples, self.samples_per_symbol = samples, samples_per_symbol
        self.roll_off = roll_off
        self.symbols = symbols_of(samples, samples_per_symbol)
        pulse = root_raised_cosine(samples, samples_per_symbol, roll_off)
        self._matrix = circulant(pulse).astype("float32")
        self.input_spec = layers.InputSpec(shape=(None, 2 * samples))
        self._turn = 2 * np.pi / samples_per_symbol * np.arange(samples_per_symbol)

    def call(self, signal):
        """[batch, 2 n] to ([batch, symbols, 10], [batch, 9])."""
        pairs = ops.reshape(signal, (-1, self.samples, 2))
        filtered = ops.einsum("bmc,mn->bnc", pairs, self._matrix)
        grid = ops.reshape(filtered, (-1, self.symbols, self.samples_per_symbol, 2))
        at = ops.one_hot(self.timing(grid), self.samples_per_symbol, dtype=grid.dtype)
        i, q = ops.unstack(ops.sum(grid * at[:, None, :, None], axis=2), axis=-1)
        size = ops.sqrt(ops.mean(i * i + q * q, axis=1, keepdims=True) + 1e-9)
        i, q = i / size, q / size
        radius = ops.sqrt(i * i + q * q + 1e-6)
        turn, power = (i / radius, q / radius), (i, q)
        each, whole, moments = [radius, radius * radius], [], {}
        for order in range(1, 4):  # 2, 4, 8
            turn, power = _times(turn, turn), _times(power, power)
            middle = tuple(ops.mean(part, axis=1, keepdims=True) for part in turn)
            length = ops.sqrt(middle[0] ** 2 + middle[1] ** 2 + 1e-6)
            each += _times(turn, (middle[0] / length, -middle[1] / length))
            whole.append(length[:, 0])
            moments[2**order] = tuple(ops.mean(part, axis=1) for part in power)
            if order == 2:
                phase = ops.arctan2(-middle[1], -middle[0]) / 4
                each += _times((i, q), (ops.cos(phase), -ops.sin(phase)))
        return ops.stack(each, axis=-1), ops.stack(whole + self._cumulants(i, q, moments), axis=-1)

    def timing(self, grid):
        """The sample of each symbol time where the eye is open: Oerder and Meyr's square law.

        The energy |x|^2 has a line at the symbol rate; its phase is the timing.
        """
        energy = ops.mean(ops.sum(ops.square(grid), axis=-1), axis=1)
        cosine = ops.sum(energy * np.cos(self._turn).astype("float32"), axis=1)
        sine = ops.sum(energy * np.sin(self._turn).astype("float32"), axis=1)
        place = ops.arctan2(sine, cosine) * (self.samples_per_symbol / (2 * np.pi))
        return ops.cast(ops.mod(ops.round(place), self.samples_per_symbol), "int32")

    @staticmethod
    def _cumulants(i, q, moments):
        """Normalised by the power, which is 1 already."""
        power = i * i + q * q
        m20, m40, m80 = moments[2], moments[4], moments[8]
        square = _times(m20, m20)
        m41 = tuple(ops.mean(part * power, axis=1) for part in (i * i - q * q, 2 * i * q))
        c40 = m40[0] - 3 * square[0], m40[1] - 3 * square[1]
        c41 = m41[0] - 3 * m20[0], m41[1] - 3 * m20[1]
        c42 = ops.mean(power * power, axis=1) - m20[0] ** 2 - m20[1] ** 2 - 2.0
        lengths = [ops.sqrt(a * a + b * b + 1e-6) for a, b in (m20, c40, c41)]
        eighth = ops.log(1e-3 + ops.sqrt(m80[0] ** 2 + m80[1] ** 2 + 1e-6))
        return [*lengths, c42, ops.log(1e-3 + ops.mean(power**3, axis=1)), eighth]

    def get_config(self):
        """Configuration for saving."""
        names = ("samples", "samples_per_symbol", "roll_off")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _times(one, other):
    """Product of complex numbers, given as pairs of real tensors."""
    return one[0] * other[0] - one[1] * other[1], one[0] * other[1] + one[1] * other[0]


def build_expert_eavesdropper(
    signal_shape, classes, width=64, samples_per_symbol=SAMPLES_PER_SYMBOL, roll_off=ROLL_OFF
):
    """The expert's features, a deep set over the symbols, and two dense layers.

    Args:
        signal_shape: (2 n,), interleaved I/Q.
        classes: number of modulations.
        width: features of a symbol.
        samples_per_symbol: of the modem; divides n.
        roll_off: of the modem's pulse.

    Returns:
        Model from y_eve, [batch, 2 n], to logits, [batch, classes].

    Raises:
        ConfigError: for frames that `pulse.symbols_of` refuses.
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    each, whole = SymbolFeatures(
        signal_shape[0] // 2, samples_per_symbol, roll_off, name="features"
    )(signal)
    for index in (1, 2):
        each = layers.Dense(width, activation="relu", name=f"symbol_{index}")(each)
    features = layers.Concatenate(name="frame")(
        [
            layers.GlobalAveragePooling1D(name="mean")(each),
            layers.BatchNormalization(momentum=0.9, name="scale")(whole),
        ]
    )
    for index in (1, 2):
        features = layers.Dense(width, activation="relu", name=f"hidden_{index}")(features)
    return keras.Model(signal, layers.Dense(classes, name="logits")(features), name="expert")
