"""The base link of Eq. (4), (5), (7), (8): semantic and channel coding, fully connected.

The letter's numbers of neurons are lost; these are ours (docs/differences.md). Any Keras model
whose output is a real tensor [batch, ...] may stand in for the transmitter, and any model that
takes it back for the receiver.
"""

import math

import keras
from keras import layers

from arn_keras.errors import lengths, whole

#: Real channel symbols a source value: 128 symbols for the 784 pixels of an MNIST image.
RATE = 128 / 784


def default_symbols(source_shape: tuple[int, ...]) -> int:
    """Number k of real channel symbols for a source of this shape, at rate 128/784, at least 32."""
    return max(32, round(math.prod(source_shape) * RATE))


def build_transmitter(
    source_shape: tuple[int, ...], symbols: int | None = None, hidden: int = 256
) -> keras.Model:
    """Semantic and channel encoder, Eq. (4), (5), with the power normalised to 1.

        u = f_se(s),   y = sqrt(k) f_ce(u) / ||f_ce(u)||

    Args:
        source_shape: shape of one source s, for example (28, 28, 1).
        symbols: k, real channel symbols a source; by default at rate 128/784.
        hidden: neurons of each layer of the semantic encoder.

    Returns:
        Model from s, [batch, *source_shape] in [0, 1], to y, [batch, k], of mean square 1 for each
        source (0 only if the encoder puts out exactly 0).

    Raises:
        ConfigError: for shapes and sizes that are none.
    """
    source_shape = lengths("source_shape", source_shape)
    symbols = default_symbols(source_shape) if symbols is None else whole("symbols", symbols)
    hidden = whole("hidden", hidden)
    source = keras.Input(source_shape, name="source")
    features = layers.Flatten(name="flatten")(source)
    features = layers.Dense(hidden, activation="relu", name="semantic_encoder_1")(features)
    features = layers.Dense(hidden, activation="relu", name="semantic_encoder_2")(features)
    signal = layers.Dense(symbols, name="channel_encoder")(features)
    # In mixed precision, too: a half has no room for a square, nor for the layer's epsilon.
    full = keras.config.floatx()
    signal = layers.UnitNormalization(dtype=full, name="unit_norm")(signal)
    signal = layers.Rescaling(math.sqrt(symbols), dtype=full, name="unit_power")(signal)
    return keras.Model(source, signal, name="transmitter")


def build_receiver(
    source_shape: tuple[int, ...], symbols: int | None = None, hidden: int = 256
) -> keras.Model:
    """Channel and semantic decoder, Eq. (7), (8): s_hat = f_sd(f_cd(y)).

    Args:
        source_shape: shape of one source s.
        symbols: k, real channel symbols a source; by default at rate 128/784.
        hidden: neurons of the channel decoder and of the semantic decoder's first layer.

    Returns:
        Model from a received signal, [batch, k], to s_hat, [batch, *source_shape] in (0, 1).

    Raises:
        ConfigError: as `build_transmitter`.
    """
    source_shape = lengths("source_shape", source_shape)
    symbols = default_symbols(source_shape) if symbols is None else whole("symbols", symbols)
    hidden = whole("hidden", hidden)
    signal = keras.Input((symbols,), name="signal")
    features = layers.Dense(hidden, activation="relu", name="channel_decoder")(signal)
    features = layers.Dense(hidden, activation="relu", name="semantic_decoder_1")(features)
    source = layers.Dense(math.prod(source_shape), activation="sigmoid", name="semantic_decoder_2")(
        features
    )
    source = layers.Reshape(source_shape, name="source")(source)
    return keras.Model(signal, source, name="receiver")
