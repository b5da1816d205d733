"""Eavesdroppers of signals [tokens, d], and the reader of sentences. All give logits.

They hear the whole frame, its silence included, and no mask tells them which is which.
Convolutions over neighbouring tokens with their maximum over the sentence are Kim's (*Convolutional
Neural Networks for Sentence Classification*, EMNLP 2014); the attentive ones take the tokens' mean.
"""

import keras
from keras import layers, ops

from arn_keras.errors import ConfigError
from arn_keras.link.attention import attended, embedded

DROPOUT = 0.4


def build_token_convolutional(signal_shape, classes, filters=128, kernels=(1, 2, 3), width=128):
    """Kim's classifier: filters of several widths, each filter's maximum over the sentence.

    Args:
        signal_shape: [tokens, d].
        classes: number of private labels.
        filters: of each width.
        kernels: tokens that a filter spans.
        width: features of a token before them.

    Returns:
        Model from y_eve, [batch, tokens, d], to logits, [batch, classes].

    Raises:
        ConfigError: for signals of another rank.
    """
    signal = _overheard(signal_shape)
    features = layers.Dense(width, activation="relu", name="tokens")(signal)
    logits = layers.Dense(classes, name="logits")(_strongest(features, filters, kernels))
    return keras.Model(signal, logits, name="eavesdropper")


def build_token_transformer(signal_shape, classes, width=64, depth=2, heads=4):
    """Pre-norm attention over the tokens; their mean is classified.

    Args:
        signal_shape: [tokens, d].
        classes: number of private labels.
        width: features of a token.
        depth: layers of attention.
        heads: heads of each.

    Returns:
        Model from y_eve, [batch, tokens, d], to logits, [batch, classes].

    Raises:
        ConfigError: for signals of another rank.
    """
    signal = _overheard(signal_shape)
    features = embedded(signal, width)
    for index in range(1, depth + 1):
        features = attended(features, index, heads, dropout=DROPOUT)
    features = layers.LayerNormalization(name="norm")(features)
    features = layers.GlobalAveragePooling1D(name="pool")(features)
    logits = layers.Dense(classes, name="logits")(features)
    return keras.Model(signal, logits, name="eavesdropper")


def build_token_dense(signal_shape, classes, hidden=(256, 128)):
    """Fully connected over the whole frame, as the letter's, with dropout.

    Args:
        signal_shape: [tokens, d].
        classes: number of private labels.
        hidden: neurons of the hidden layers.

    Returns:
        Model from y_eve, [batch, tokens, d], to logits, [batch, classes].
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    features = layers.Flatten(name="flatten")(signal)
    for index, neurons in enumerate(hidden, start=1):
        features = layers.Dense(neurons, activation="relu", name=f"hidden_{index}")(features)
        features = layers.Dropout(DROPOUT, name=f"dropout_{index}")(features)
    logits = layers.Dense(classes, name="logits")(features)
    return keras.Model(signal, logits, name="eavesdropper")


def build_sentence_reader(length, classes, vocabulary, width=64, filters=96, kernels=(1, 2, 3)):
    """Who classifies sentences that Bob reads (the audit's E5): Kim's, on words.

    Args:
        length: tokens of a sentence.
        classes: number of private labels.
        vocabulary: number of token ids.
        width: of a word's vector.
        filters, kernels: as for `build_token_convolutional`.

    Returns:
        Model from token ids as floats (rounded, if need be), [batch, length], to logits.
    """
    sentence = keras.Input((length,), name="sentence")
    ids = ops.cast(ops.clip(ops.round(sentence), 0, vocabulary - 1), "int32")
    features = layers.Embedding(vocabulary, width, name="words")(ids)
    features = layers.Dropout(DROPOUT, name="dropout_words")(features)
    logits = layers.Dense(classes, name="logits")(_strongest(features, filters, kernels))
    return keras.Model(sentence, logits, name="reader")


def _overheard(signal_shape):
    shape = tuple(signal_shape)
    if len(shape) != 2:
        raise ConfigError(
            f"expected signals [tokens, d] for an eavesdropper of tokens, got {list(shape)}"
        )
    return keras.Input(shape, name="overheard")


def _strongest(features, filters, kernels):
    """Each filter's maximum over the sentence, of all widths, [batch, filters * widths]."""
    found = [
        layers.GlobalMaxPooling1D(name=f"strongest_{kernel}")(
            layers.Conv1D(
                filters, kernel, padding="same", activation="relu", name=f"convolution_{kernel}"
            )(features)
        )
        for kernel in kernels
    ]
    found = layers.Concatenate(name="found")(found) if len(found) > 1 else found[0]
    return layers.Dropout(DROPOUT, name="dropout")(found)
