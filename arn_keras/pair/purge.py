"""A keyless transmitter module that sends what Bob's task needs, and nothing else of the source.

    p = softmax(F_A(y)),   z = sum_k p_k c_k,   delta = z - y

F_A has two hidden layers; the centers c_k, one for each label of Bob's task, are weights. Where the
choice p is sure, z depends on y through the chosen label alone: whatever else y tells is not sent,
to any listener, trained or not. It is the conditional-entropy bottleneck in its simplest form
(Fischer, *The Conditional Entropy Bottleneck*, Entropy 2020): no noise, no variational bound.

The letter's module adds its residual to y, Eq. (9). Here z is put out as it is computed: the sum
y + (z - y) would bring the rounding of y back into what is sent, in int8 most of all.
"""

import math

import keras
from keras import layers


def build_purge(signal_shape, choices, hidden=(256, 256)):
    """Alice's module, y -> z.

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        choices: number of centers: of labels that Bob tells apart.
        hidden: neurons of the hidden layers.

    Returns:
        Model from y, [batch, *signal_shape], to z of the same shape.
    """
    signal = keras.Input(tuple(signal_shape), name="signal")
    features = layers.Flatten(name="flatten")(signal) if len(signal_shape) > 1 else signal
    for index, neurons in enumerate(hidden, start=1):
        features = layers.Dense(neurons, activation="relu", name=f"hidden_{index}")(features)
    choice = layers.Dense(choices, activation="softmax", name="choice")(features)
    sent = layers.Dense(
        math.prod(signal_shape),
        use_bias=False,
        name="centers",
    )(choice)
    if len(signal_shape) > 1:
        sent = layers.Reshape(tuple(signal_shape), name="sent")(sent)
    return keras.Model(signal, sent, name="transmitter_purge")


def build_identity(signal_shape):
    """Bob's module, y_bob -> y_bob: his receiver reads the centers as they come.

    It stands so that both ends of every pair are deployed, measured and proven in one way.
    """
    received = keras.Input(tuple(signal_shape), name="received")
    return keras.Model(received, layers.Rescaling(1.0, name="cleaned")(received), name="identity")
