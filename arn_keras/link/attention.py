"""One pre-norm layer of attention, for links of sentences, eavesdroppers and modules.

Vaswani et al., *Attention Is All You Need*, NeurIPS 2017; normalised before each part as in Xiong
et al., ICML 2020. ReLU stands where others have GELU, which microcontrollers lack. A mask is an
argument: none is inferred.
"""

import keras
from keras import layers


def embedded(tokens, width, name="embedded"):
    """Tokens through one shared matrix, with a bias of its own for each place: its position.

    Args:
        tokens: symbolic, [batch, length, values].
        width: features of a token.
        name: of the layer.
    """
    return layers.EinsumDense(
        "btd,de->bte",
        (tokens.shape[1], width),
        bias_axes="te",
        bias_initializer=keras.initializers.RandomNormal(stddev=0.02),
        name=name,
    )(tokens)


def attended(tokens, index, heads=2, mask=None, dropout=0.0):
    """x + attention(norm(x)), then x + two dense layers of norm(x).

    Args:
        tokens: symbolic, [batch, length, width].
        index: number of the layer, for its name.
        heads: attention heads, a divisor of the width.
        mask: boolean, [batch, 1, length]: the tokens that are looked at; None for all.
        dropout: share of features left out in training.

    Returns:
        Shaped like `tokens`.
    """
    width = tokens.shape[-1]
    seen = layers.LayerNormalization(name=f"norm_{index}a")(tokens)
    seen = layers.MultiHeadAttention(heads, width // heads, name=f"attention_{index}")(
        seen, seen, attention_mask=mask
    )
    if dropout:
        seen = layers.Dropout(dropout, name=f"dropout_{index}a")(seen)
    tokens = layers.Add(name=f"add_{index}a")([tokens, seen])
    seen = layers.LayerNormalization(name=f"norm_{index}b")(tokens)
    seen = layers.Dense(2 * width, activation="relu", name=f"hidden_{index}")(seen)
    seen = layers.Dense(width, name=f"back_{index}")(seen)
    if dropout:
        seen = layers.Dropout(dropout, name=f"dropout_{index}b")(seen)
    return layers.Add(name=f"add_{index}b")([tokens, seen])
