"""A residual convolutional eavesdropper, for signals with places and for pictures.

He, Zhang, Ren, Sun, *Identity Mappings in Deep Residual Networks*, ECCV 2016: normalised and
rectified before each convolution. What CIFAR's classifiers are, cut to the size of a signal: the
first convolution takes places as they are (pictures at every other), each stage after the first
halves height and width and doubles the filters, until at most 4 places a side are left.
"""

import keras
from keras import layers

from arn_keras.errors import ConfigError

#: Sides above which the first convolution has stride 2, and down to which stages go on.
LARGE, SMALL = 16, 4


def build_residual_eavesdropper(signal_shape, classes, width=48, depth=2, dropout=0.3):
    """Classifier of a received signal [h, w, c], or of a picture, Eq. (14); gives logits.

    Args:
        signal_shape: (h, w, c) of one source's signal, for example (8, 8, 16).
        classes: number of private labels.
        width: filters of the first stage.
        depth: residual pairs of convolutions a stage; 0 leaves the convolutions between stages.
        dropout: share of the last features that a step of training leaves out.

    Returns:
        Model from y_eve, [batch, h, w, c], to logits, [batch, classes].

    Raises:
        ConfigError: for signals of another rank.
    """
    shape = tuple(signal_shape)
    if len(shape) != 3:
        raise ConfigError(
            f"expected signals [h, w, c] for a residual eavesdropper, got {list(shape)}"
        )
    signal = keras.Input(shape, name="overheard")
    stride = 2 if min(shape[:2]) > LARGE else 1
    features = _convolution(width, "stem", stride)(signal)
    stage = 1
    while True:
        for index in range(1, depth + 1):
            features = _pair(features, width, f"stage_{stage}_{index}")
        if min(features.shape[1:3]) <= SMALL or stage == 3:
            break
        stage, width = stage + 1, 2 * width
        features = _convolution(width, f"narrow_{stage}", 2)(
            _rectified(features, f"narrow_{stage}")
        )
    features = layers.GlobalAveragePooling2D(name="pool")(_rectified(features, "last"))
    features = layers.Dropout(dropout, name="dropout")(features)
    return keras.Model(signal, layers.Dense(classes, name="logits")(features), name="residual")


def _convolution(filters, name, stride=1):
    return layers.Conv2D(
        filters, 3, stride, "same", kernel_initializer="he_normal", name=f"{name}_conv"
    )


def _rectified(features, name):
    features = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(features)
    return layers.ReLU(name=f"{name}_relu")(features)


def _pair(features, filters, name):
    """Two convolutions and what went into them."""
    change = _convolution(filters, f"{name}a")(_rectified(features, f"{name}a"))
    change = _convolution(filters, f"{name}b")(_rectified(change, f"{name}b"))
    return layers.Add(name=name)([features, change])
