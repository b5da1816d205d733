"""A link that was not made here: convolutional, spatial complex symbols, BatchNormalization."""

import keras
import numpy as np
from keras import layers

from arn_keras import EavesdropperLink, SemanticLink
from arn_keras.data import images

SHAPE = (4, 4, 2)


def build_link(shape=(8, 8, 1)):
    """Transmitter and receiver, untrained."""
    source = keras.Input(shape)
    features = layers.Conv2D(8, 3, strides=2, padding="same")(source)
    features = layers.ReLU()(layers.BatchNormalization()(features))
    signal = layers.Flatten()(layers.Conv2D(2, 3, padding="same")(features))
    signal = layers.Rescaling(32**0.5)(layers.UnitNormalization()(signal))
    transmitter = keras.Model(source, layers.Reshape(SHAPE)(signal))
    received = keras.Input(SHAPE)
    features = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(received)
    features = layers.ReLU()(layers.BatchNormalization()(features))
    estimate = layers.Conv2D(shape[-1], 3, padding="same", activation="sigmoid")(features)
    return transmitter, keras.Model(received, estimate)


def build_eve(hidden):
    """An eavesdropper of such signals, untrained: a Sequential model."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Flatten(),
            layers.Dense(hidden, "relu"),
            layers.Dense(10),
        ]
    )


def data(training=600, test=120):
    """Digits as floats in [0, 1]: ((sources, labels), (sources, labels))."""
    digits = images.load("digits")
    splits = digits.train.part(slice(training)), digits.test.part(slice(test))
    return [
        (np.asarray(split.source, "float32") / 255, np.asarray(split.label)) for split in splits
    ]


def trained():
    """Transmitter, receiver, two Eves, and the data they were trained on."""
    keras.utils.set_random_seed(0)
    (sources, labels), test = data()
    how = {"batch_size": 32, "snr_db": 10.0, "verbose": 0}
    link = SemanticLink(*build_link())
    link.compile(keras.optimizers.Adam(4e-3), "mse")
    link.fit(sources, epochs=8, **how)
    signals, eves = link.transmitter.predict(sources, verbose=0), []
    for hidden in (32, 48):
        spy = EavesdropperLink(build_eve(hidden))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        spy.compile(keras.optimizers.Adam(4e-3), loss)
        spy.fit(signals, labels, epochs=12, **how)
        eves.append(spy.classifier)
    return link.transmitter, link.receiver, eves, ((sources, labels), test)
