"""DeepJSCC for pictures: source and channel coding in one, by convolutions.

Bourtsoulatze, Kurka, Gunduz, *Deep Joint Source-Channel Coding for Wireless Image Transmission*,
arXiv:1809.01733: convolutions with PReLU, the first two of the transmitter with stride 2, the last
giving the channel symbols, and their mirror image at the receiver; power 1 for each source. Ours
are the numbers of layers and filters, and a linear path beside the convolutions (one of stride 4
at each end), with which training takes minutes and not days. Left out: networks that are told the
SNR, feedback, and layers of refinement.

A signal is [h/4, w/4, c]: at each of h/4 x w/4 places c/2 complex symbols, as interleaved reals
(I, Q, I, Q, ...) in the last axis.
"""

import fractions
import math

import keras
from keras import layers

from arn_keras.errors import ConfigError
from arn_keras.link.compression import COMPRESSION, as_fraction

#: Filters of the transmitter's convolutions before the last; the receiver's run the other way.
FILTERS = (32, 48, 48)
#: By how much the two strided convolutions shrink height and width.
STRIDE = 4


def signal_shape(source_shape, compression=COMPRESSION):
    """Shape of the signal of one source, [h/4, w/4, 2 k / (h/4 w/4)].

    Args:
        source_shape: (h, w, channels) of one source, n = h w channels values.
        compression: k/n, complex symbols a source value: a fraction, a number, or text like "1/6".

    Raises:
        ConfigError: if the strides do not divide the picture, or k/n gives no whole number of
            complex symbols at a place.
    """
    source_shape = tuple(source_shape)
    if len(source_shape) != 3 or any(side % STRIDE for side in source_shape[:2]):
        raise ConfigError(
            f"expected pictures (height, width, channels) whose sides {STRIDE} divides, "
            f"got {source_shape}"
        )
    height, width, channels = source_shape
    each = as_fraction(compression) * channels * STRIDE**2  # complex symbols at one place
    if each < 1 or each.denominator != 1:
        least = channels * STRIDE**2
        below = max(1, math.floor(each))
        near = " or ".join(str(fractions.Fraction(count, least)) for count in (below, below + 1))
        raise ConfigError(
            f"--compression: expected a k/n that is a multiple of 1/{least} for pictures of "
            f"{channels} channel(s), for example {near}, got {compression}"
        )
    return height // STRIDE, width // STRIDE, 2 * int(each)


def build_transmitter(source_shape, compression=COMPRESSION, filters=FILTERS):
    """Joint source and channel encoder, Eq. (4), (5), with the power normalised to 1.

        y = sqrt(2 k) f(s) / ||f(s)||,   f(s) = convolutions of s + one linear convolution of s

    Args:
        source_shape: (h, w, channels) of one source; 4 divides h and w.
        compression: k/n, complex symbols a source value.
        filters: of the convolutions before the last: two with stride 2, then as many as follow.

    Returns:
        Model from s, [batch, h, w, channels] in [0, 1], to y, [batch, h/4, w/4, c], of mean
        square 1 for each source.

    Raises:
        ConfigError: see `signal_shape`.
    """
    shape = signal_shape(source_shape, compression)
    source = keras.Input(tuple(source_shape), name="source")
    centred = layers.Rescaling(2.0, -1.0, name="centred")(source)
    features = centred
    for index, count in enumerate(filters, start=1):
        kernel, stride = (5, 2) if index <= 2 else (3, 1)
        features = layers.Conv2D(count, kernel, stride, padding="same", name=f"encoder_{index}")(
            features
        )
        features = _prelu(f"encoder_prelu_{index}")(features)
    symbols = layers.Conv2D(shape[-1], 3, padding="same", name="channel_encoder")(features)
    linear = layers.Conv2D(
        shape[-1], 2 * STRIDE, STRIDE, padding="same", use_bias=False, name="linear_encoder"
    )(centred)
    signal = layers.Add(name="symbols")([symbols, linear])
    signal = layers.UnitNormalization(axis=(1, 2, 3), name="unit_norm")(signal)
    signal = layers.Rescaling(math.sqrt(math.prod(shape)), name="unit_power")(signal)
    return keras.Model(source, signal, name="transmitter")


def build_receiver(source_shape, compression=COMPRESSION, filters=FILTERS):
    """Joint channel and source decoder, Eq. (7), (8), the transmitter's mirror image.

    Args:
        source_shape: (h, w, channels) of one source.
        compression: k/n, complex symbols a source value.
        filters: those of the transmitter.

    Returns:
        Model from a received signal, [batch, h/4, w/4, c], to s_hat, [batch, h, w, channels] in
        (0, 1).

    Raises:
        ConfigError: see `signal_shape`.
    """
    channels = source_shape[-1]
    signal = keras.Input(signal_shape(source_shape, compression), name="signal")
    features = signal
    for index, count in reversed(list(enumerate(filters, start=1))):
        if index > 1:
            layer = layers.Conv2D(count, 3, padding="same", name=f"decoder_{index}")
        else:
            layer = layers.Conv2DTranspose(count, 5, 2, padding="same", name=f"decoder_{index}")
        features = _prelu(f"decoder_prelu_{index}")(layer(features))
    picture = layers.Conv2DTranspose(channels, 5, 2, padding="same", name="source_decoder")(
        features
    )
    linear = layers.Conv2DTranspose(
        channels, 2 * STRIDE, STRIDE, padding="same", use_bias=False, name="linear_decoder"
    )(signal)
    picture = layers.Add(name="picture")([picture, linear])
    return keras.Model(
        signal, layers.Activation("sigmoid", name="source")(picture), name="receiver"
    )


def _prelu(name):
    """One slope a filter, from a quarter: from 0, as Keras has it, half of a signal is lost."""
    return layers.PReLU(
        alpha_initializer=keras.initializers.Constant(0.25), shared_axes=(1, 2), name=name
    )
