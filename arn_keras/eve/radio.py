"""Eavesdroppers who name a modulation from I/Q samples: convolutional, and residual over symbols.

O'Shea, Corgan, Clancy, *Convolutional Radio Modulation Recognition Networks*, 2016, and the
residual network of O'Shea, Roy, Clancy, IEEE JSTSP 2018, cut to frames of one or two hundred
samples. Both can listen through the modem's band first: what an attack puts outside is gone then.
"""

import keras
from keras import layers

from arn_keras.errors import ConfigError
from arn_keras.pair.in_band import in_band
from arn_keras.pulse import SAMPLES_PER_SYMBOL, symbols_of


def build_iq_eavesdropper(
    signal_shape, classes, filters=(48, 64, 96), low_pass=False, samples_per_symbol=8
):
    """1-D convolutions over I/Q samples, each halving the frame, and the mean over what is left.

    Args:
        signal_shape: (2 n,), interleaved I/Q.
        classes: number of modulations.
        filters: of the convolutions.
        low_pass: whether what is outside the band is filtered away first.
        samples_per_symbol: of the modem, for its band.

    Returns:
        Model from y_eve, [batch, 2 n], to logits, [batch, classes].

    Raises:
        ConfigError: for signals of another rank, or of one number more than pairs.
    """
    signal, features = _listen(signal_shape, low_pass, samples_per_symbol)
    for index, count in enumerate(filters, start=1):
        features = layers.Conv1D(
            count, 8, strides=2, padding="same", use_bias=False, name=f"convolution_{index}"
        )(features)
        features = _rectified(features, f"{index}")
    return _named(signal, _pooled(features), classes, "iq")


def build_symbol_eavesdropper(
    signal_shape, classes, width=96, depth=3, low_pass=False, samples_per_symbol=SAMPLES_PER_SYMBOL
):
    """Residual convolutions over symbol times, whose samples are the channels of a place.

    Args:
        signal_shape: (2 n,), interleaved I/Q.
        classes: number of modulations.
        width: filters.
        depth: residual pairs of convolutions.
        low_pass: whether what is outside the band is filtered away first.
        samples_per_symbol: of the modem; divides n.

    Returns:
        Model from y_eve, [batch, 2 n], to logits, [batch, classes].

    Raises:
        ConfigError: for frames that `pulse.symbols_of` refuses.
    """
    signal, features = _listen(signal_shape, low_pass, samples_per_symbol)
    symbols = symbols_of(signal_shape[0] // 2, samples_per_symbol)
    features = layers.Reshape((symbols, 2 * samples_per_symbol), name="symbol_times")(features)
    features = layers.Conv1D(width, 3, padding="same", name="stem")(features)
    for index in range(1, depth + 1):
        change = features
        for step in "ab":
            change = _rectified(change, f"{index}{step}")
            change = layers.Conv1D(width, 3, padding="same", name=f"convolution_{index}{step}")(
                change
            )
        features = layers.Add(name=f"add_{index}")([features, change])
    return _named(signal, _pooled(_rectified(features, "last")), classes, "symbol_times")


def _listen(signal_shape, low_pass, samples_per_symbol):
    if len(signal_shape) != 1 or signal_shape[0] % 2:
        raise ConfigError(f"expected interleaved I/Q signals [2 n], got {list(signal_shape)}")
    signal = keras.Input(tuple(signal_shape), name="overheard")
    pairs = layers.Reshape((signal_shape[0] // 2, 2), name="pairs")(signal)
    return signal, in_band(pairs, samples_per_symbol) if low_pass else pairs


def _rectified(features, name):
    features = layers.BatchNormalization(momentum=0.9, name=f"norm_{name}")(features)
    return layers.ReLU(name=f"relu_{name}")(features)


def _pooled(features):
    """Mean and maximum over the frame: a modulation is the same wherever the frame begins."""
    both = [
        layers.GlobalAveragePooling1D(name="mean")(features),
        layers.GlobalMaxPooling1D(name="most")(features),
    ]
    return layers.Concatenate(name="pool")(both)


def _named(signal, features, classes, name):
    features = layers.Dense(64, activation="relu", name="hidden")(features)
    return keras.Model(signal, layers.Dense(classes, name="logits")(features), name=name)
