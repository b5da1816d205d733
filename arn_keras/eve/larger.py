"""Eavesdroppers that the letter does not test: wide, convolutional, attentive. All give logits.

They take the same received signal as Eve's classifier of Eq. (14) and are used by the audit, both
frozen (trained on unprotected signals) and fresh (trained on protected ones).
"""

import math

import keras
from keras import layers

from arn_keras.eve.dense import build_eavesdropper
from arn_keras.pair.transformer import pre_norm_layers

TOKENS = 16


def build_wide_eavesdropper(signal_shape, classes):
    """Two hidden layers of 512, four times the multiplications of Eq. (14)'s classifier."""
    return build_eavesdropper(signal_shape, classes, hidden=(512, 512), name="wide")


def build_convolutional_eavesdropper(signal_shape, classes):
    """1-D convolutions over the symbols in the order they are sent.

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        classes: number of private labels.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    features = layers.Reshape((math.prod(signal_shape), 1), name="sequence")(signal)
    for index, (filters, kernel, stride) in enumerate(((32, 8, 4), (64, 4, 2)), start=1):
        features = layers.Conv1D(
            filters, kernel, stride, padding="same", activation="relu", name=f"convolution_{index}"
        )(features)
    features = layers.Flatten(name="flatten")(features)
    features = layers.Dense(128, activation="relu", name="hidden")(features)
    logits = layers.Dense(classes, name="logits")(features)
    return keras.Model(signal, logits, name="convolutional")


def build_transformer_eavesdropper(signal_shape, classes, width=32, blocks=2, heads=2):
    """A small pre-norm transformer over 16 tokens of consecutive symbols.

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        classes: number of private labels.
        width: features of a token.
        blocks: attention blocks.
        heads: attention heads of a block.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].
    """
    symbols = math.prod(signal_shape)
    each = math.ceil(symbols / TOKENS)
    signal = keras.Input(tuple(signal_shape), name="overheard")
    tokens = layers.Reshape((symbols, 1), name="sequence")(signal)
    tokens = layers.ZeroPadding1D((0, TOKENS * each - symbols), name="padded")(tokens)
    tokens = layers.Reshape((TOKENS, each), name="tokens")(tokens)
    # A token's place is what a matrix of its own tells: no position would be lost in a sum.
    tokens = layers.EinsumDense("btd,tde->bte", (TOKENS, width), bias_axes="te")(tokens)
    features = layers.Flatten(name="flatten")(pre_norm_layers(tokens, blocks, heads))
    return keras.Model(signal, layers.Dense(classes, name="logits")(features), name="transformer")
