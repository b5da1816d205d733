"""An attentive eavesdropper whose tokens are the places of a signal, or patches of them.

Dosovitskiy et al. (ViT), ICLR 2021, without a class token: the tokens' mean is classified. Its
layers are those of the attentive block of an ARN.
"""

import keras
from keras import layers

from arn_keras.pair.transformer import cut, encode


def build_patch_eavesdropper(signal_shape, classes, width=64, depth=2, heads=4, patch=None):
    """Classifier of a received signal, Eq. (14); gives logits.

    Args:
        signal_shape: shape of one source's signal, for example (8, 8, 16).
        classes: number of private labels.
        width: features of a token.
        depth: layers of attention and of two dense layers.
        heads: attention heads of a layer.
        patch: see `pair.transformer.cut`.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].

    Raises:
        ConfigError: for signals or a patch that `pair.transformer.cut` cannot take.
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    tokens, _ = cut(signal, patch)
    features = layers.GlobalAveragePooling1D(name="pool")(encode(tokens, width, depth, heads))
    return keras.Model(signal, layers.Dense(classes, name="logits")(features), name="patches")
