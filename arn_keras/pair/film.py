"""Feature modulation: how a block is told the SNR, or that of the source at hand (`csi`).

    c = clip((SNR - middle) / half of the range, -1, 1),   e = relu(W c + b)
    h' = h (1 + G e + g) + (B e + b)                       each feature h of a hidden layer
    r = (1 + s e + s0) F(y) + (a e + a0) y                 Bob's residual; Alice's without y

The scales and shifts are of a small network of the SNR alone, one for all layers but for its last
(G, B, s, a), which starts at zero: so a module begins as the block that is told nothing. The share
of y in Bob's residual is what a linear receiver of least squared error takes out of white noise,
sigma^2 / (1 + sigma^2) of it: three quarters at -5 dB, a hundredth at 20 dB. Perez et al., *FiLM:
Visual Reasoning with a General Conditioning Layer*, AAAI 2018; for the SNR of a link Xu et al.,
*Wireless Image Transmission Using Deep Source Channel Coding With Attention Modules*, ADJSCC, 2021,
whose scales depend on the features too, which is left out. Beyond the range that a module was made
for it does what it does at the range's end.
"""

import keras
from keras import layers, ops

from arn_keras.errors import ConfigError

WIDTH = 32
#: What is added to the ends of a range of SNRs, in dB, for that of a source behind a fading gain:
#: of Rayleigh's |h|^2 3 % are below and 2 % above.
GAIN_DB = -15.0, 6.0


def embedded(level, low_db, high_db, width=WIDTH):
    """What a block is told, e: features of the SNR.

    Args:
        level: symbolic, an SNR in dB, [batch, 1].
        low_db, high_db: the range that the module is made for.
        width: features.

    Returns:
        [batch, width].

    Raises:
        ConfigError: for a range that is none.
    """
    if not low_db < high_db:
        raise ConfigError(f"expected snr_db=(low, high), a range, got {low_db:g} {high_db:g}")
    middle, half = (low_db + high_db) / 2, (high_db - low_db) / 2
    place = layers.Rescaling(1 / half, -middle / half, name="snr_place")(level)
    return layers.Dense(
        width,
        activation="relu",
        bias_initializer=keras.initializers.RandomUniform(-1.0, 1.0),  # kinks all over the range
        name="snr_features",
    )(ops.clip(place, -1.0, 1.0))


def csi_range(low_db, high_db):
    """The range of `csi` in dB, of a range of average SNRs."""
    return low_db + GAIN_DB[0], high_db + GAIN_DB[1]


def modulated(features, told, name):
    """Features h of a hidden layer as h', channel by channel; h where the block is told nothing.

    Args:
        features: symbolic, [batch, ..., channels].
        told: e of `embedded`, or None.
        name: of the hidden layer.
    """
    if told is None:
        return features
    scale, shift = (_of(told, features, f"{name}_{part}") for part in ("scale", "shift"))
    return features * (1.0 + scale) + shift


def scaled(residual, told):
    """F(y) times 1 + s e + s0, one number a source."""
    return residual * (1.0 + _of(told, residual, "residual_scale", channels=1))


def share(signal, told):
    """(a e + a0) y, one number a source."""
    return signal * _of(told, signal, "signal_share", channels=1)


def _of(told, features, name, channels=None):
    channels = channels or features.shape[-1]
    values = layers.Dense(channels, kernel_initializer="zeros", name=name)(told)
    if len(features.shape) > 2:
        values = layers.Reshape((*(1 for _ in features.shape[1:-1]), channels))(values)
    return values
