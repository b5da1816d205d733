"""An attentive block of an ARN: the letter's outlook ("transformers"), small and pre-norm.

Vaswani et al., *Attention Is All You Need*, NeurIPS 2017; normalised before each part as in
Xiong et al., ICML 2020; patches as tokens as in Dosovitskiy et al. (ViT), ICLR 2021. ReLU stands
where those have GELU, which microcontrollers lack. Positions are learnt: a bias of its own for
each token where it is embedded. Left out: masks, dropout, a class token.
"""

import math

from keras import layers

from arn_keras.errors import ConfigError
from arn_keras.link.attention import attended, embedded
from arn_keras.pair.arn import nearly_zero, refuse_larger
from arn_keras.pair.film import modulated

#: Tokens that a signal is cut into, at most, where nothing is given: the work of attention grows
#: with the square of their number.
MOST_TOKENS = 64


def transformer_residual(
    signal, width=48, depth=2, heads=4, patch=None, tokens=None, last_norm=True, told=None
):
    """F(y): patches as tokens, `depth` layers of attention and of two dense layers each, and back.

    Args:
        signal: y or y_bob, symbolic, [batch, k], [batch, tokens, d] or [batch, h, w, c].
        width: features of a token.
        depth: layers.
        heads: attention heads of a layer; a divisor of the width.
        patch, tokens: see `cut`.
        last_norm: whether the last layer's features are normalised. Where they are, their size is
            free, and in deep blocks a few grow so large that 8 bits lose the others.
        told: what scales and shifts the features behind each layer, `film.embedded`; None for
            nothing.

    Returns:
        Residual, shaped like the signal.

    Raises:
        ConfigError: for signals of another rank, a patch or heads that do not divide, or a block
            that is too large.
    """
    tokens, patch = cut(signal, patch, tokens)
    count, values = tokens.shape[1:]
    layer = 8 * width**2 + 11 * width  # attention 4, 2 and 2 of the dense layers; biases, norms
    parameters = depth * layer + 2 * values * width + count * width + values + 2 * width * last_norm
    refuse_larger("transformer", parameters, signal.shape[1:], "a smaller width or depth")
    features = encode(tokens, width, depth, heads, told, last_norm)
    residual = layers.Dense(tokens.shape[-1], kernel_initializer=nearly_zero(), name="residual")(
        features
    )
    return joined(residual, signal.shape[1:], patch)


def cut(signal, patch=None, tokens=None):
    """A signal as tokens: its patches.

    Args:
        signal: symbolic, [batch, k], [batch, tokens, d] or [batch, h, w, c].
        patch: side of a square patch of [h, w]; of the others, how many neighbours share a token.
            By default the smallest that leaves at most `MOST_TOKENS` tokens.
        tokens: how many there are to be about: the patch whose number is nearest, as a ratio.

    Returns:
        (tokens, [batch, count, values each]; the patch).

    Raises:
        ConfigError: for signals of another rank, or a patch that does not divide them.
    """
    shape = tuple(signal.shape[1:])
    if not 1 <= len(shape) <= 3:
        raise ConfigError(
            "expected signals [k], [tokens, d] or [h, w, c] for the transformer block, "
            f"got {list(shape)}"
        )
    sides = shape[:-1] or shape
    if tokens is not None and tokens < 1:
        raise ConfigError(f"expected at least 1 token, got {tokens}")
    patch = _patch_of(sides, tokens) if patch is None else patch
    if patch < 1 or any(side % patch for side in sides):
        raise ConfigError(f"expected a patch that divides {list(sides)}, got {patch}")
    if len(shape) == 3 and patch > 1:
        height, width, channels = shape
        rows = layers.Reshape(
            (height // patch, patch, width // patch, patch * channels), name="rows"
        )(signal)
        signal = layers.Permute((1, 3, 2, 4), name="patches")(rows)
    count = math.prod(side // patch for side in sides)
    return layers.Reshape((count, math.prod(shape) // count), name="tokens")(signal), patch


def encode(tokens, width, depth, heads, told=None, last_norm=True):
    """Tokens embedded with learnt positions, through pre-norm layers.

    Args:
        tokens: symbolic, [batch, count, values each].
        width: features of a token.
        depth: layers of attention and of two dense layers.
        heads: attention heads of a layer.
        told, last_norm: as of `transformer_residual`.

    Returns:
        [batch, count, width].

    Raises:
        ConfigError: if the heads do not divide the width.
    """
    if width % heads:
        raise ConfigError(f"expected a width that is a multiple of its {heads} heads, got {width}")
    return pre_norm_layers(embedded(tokens, width), depth, heads, told, last_norm)


def pre_norm_layers(features, depth, heads, told=None, last_norm=True):
    """Layers of attention and of two dense layers each, normalised before each part.

    Args:
        features: of tokens, symbolic, [batch, count, width].
        depth: layers.
        heads: attention heads of a layer.
        told, last_norm: as of `transformer_residual`.

    Returns:
        [batch, count, width].
    """
    for index in range(1, depth + 1):
        features = modulated(attended(features, index, heads), told, f"layer_{index}")
    return layers.LayerNormalization(name="norm")(features) if last_norm else features


def _patch_of(sides, tokens):
    """A divisor of all sides: of about so many patches, or the smallest of few enough."""
    common = math.gcd(*sides)
    counts = {
        patch: math.prod(side // patch for side in sides)
        for patch in range(1, common + 1)
        if common % patch == 0
    }
    if tokens is not None:
        return min(counts, key=lambda patch: abs(math.log(counts[patch] / tokens)))
    few = [patch for patch, count in counts.items() if count <= MOST_TOKENS]
    return (few or list(counts)[-1:])[0]


def joined(tokens, shape, patch):
    """`cut` undone: tokens to a signal of this shape."""
    if len(shape) == 3 and patch > 1:
        height, width, channels = shape
        patches = layers.Reshape(
            (height // patch, width // patch, patch, patch * channels), name="joined_patches"
        )(tokens)
        tokens = layers.Permute((1, 3, 2, 4), name="joined_rows")(patches)
    return layers.Reshape(shape, name="signal_shape")(tokens)
