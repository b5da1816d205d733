"""A base link for sentences, after DeepSC: Eq. (4), (5), (7), (8) with transformers.

Xie, Qin, Li, Juang, *Deep Learning Enabled Semantic Communication Systems*, IEEE TSP 2021, the
letter's reference [4]: embedding, transformer encoder, dense channel coding, and back. Left out:
its autoregressive decoder (all tokens are named at once), its mutual-information loss, dropout, and
a length told on the side: a sentence ends with `<end>`, which is sent as a token, and Bob reads up
to the first `<end>` that he makes out.

Power. A token is `SYMBOLS` reals. The tokens of a sentence and its `<end>` are sent, with mean
square 1 per real symbol over these; a token of padding is sent as zeros, that is, not at all. So
SNR and PSR refer to what is sent, and a short sentence costs less energy (`power.mean_power`). The
air has noise everywhere, and who listens hears it in the silence, too.
"""

import math

import keras
from keras import layers, ops

from arn_keras.data.tokens import PAD
from arn_keras.link.attention import attended, embedded

#: Real symbols a token: 8 complex ones, as DeepSC has it.
SYMBOLS = 16


def build_transmitter(length, vocabulary, width=64, depth=2, heads=4, symbols=SYMBOLS):
    """Semantic and channel encoder, Eq. (4), (5), from token ids to a signal of power 1.

        y = m sqrt(d sum(m)) f / ||m f||,   m = 1 for a token that is sent, 0 for padding

    Args:
        length: tokens of a source, padding included.
        vocabulary: number of token ids.
        width: features of a token.
        depth: layers of attention.
        heads: heads of each.
        symbols: d, real symbols a token.

    Returns:
        Model from ids, integers [batch, length], to y, [batch, length, d].
    """
    source = keras.Input((length,), dtype="int32", name="source")
    present = ops.not_equal(source, PAD)
    features = layers.Embedding(vocabulary, width, name="embedding")(source)
    features = embedded(features, width, name="position")
    mask = ops.expand_dims(present, axis=1)
    for index in range(1, depth + 1):
        features = attended(features, index, heads, mask)
    features = layers.LayerNormalization(name="norm")(features)
    features = layers.Dense(symbols, name="channel_encoder")(features)
    sent = ops.expand_dims(ops.cast(present, features.dtype), axis=-1)
    signal = layers.UnitNormalization(axis=(1, 2), name="unit_norm")(features * sent)
    signal = signal * ops.sqrt(symbols * ops.sum(sent, axis=1, keepdims=True))
    return keras.Model(source, signal, name="transmitter")


def build_receiver(length, vocabulary, width=64, depth=2, heads=4, symbols=SYMBOLS):
    """Channel and semantic decoder, Eq. (7), (8): logits of all tokens at once.

    The gain is controlled first (norm sqrt(length d)), so the amplitude that a module or a key
    leaves does not matter. No mask is given: what is silence is for Bob to hear.

    Args:
        length, vocabulary, width, depth, heads, symbols: as for `build_transmitter`.

    Returns:
        Model from a received signal, [batch, length, d], to logits, [batch, length, vocabulary].
    """
    signal = keras.Input((length, symbols), name="signal")
    features = layers.UnitNormalization(axis=(1, 2), name="unit_norm")(signal)
    features = layers.Rescaling(math.sqrt(length * symbols), name="gain")(features)
    features = layers.Dense(2 * width, activation="relu", name="channel_decoder")(features)
    features = embedded(features, width, name="position")
    for index in range(1, depth + 1):
        features = attended(features, index, heads)
    features = layers.LayerNormalization(name="norm")(features)
    logits = layers.Dense(vocabulary, name="tokens")(features)
    return keras.Model(signal, logits, name="receiver")
