"""Eve's classifier of the private label, Eq. (14), and Alice's local substitute for it.

Both give logits: the softmax belongs to the loss (Eq. 22), and is applied once.
"""

import math

import keras
from keras import layers, ops


def build_eavesdropper(signal_shape, classes, hidden=(256, 128, 64), name="eavesdropper"):
    """Fully connected classifier of a received signal, Eq. (14).

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        classes: number of private labels.
        hidden: neurons of the hidden layers; four layers in all, as in the letter, by default.
        name: name of the model.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    features = layers.Flatten(name="flatten")(signal)
    for index, neurons in enumerate(hidden, start=1):
        features = layers.Dense(neurons, activation="relu", name=f"hidden_{index}")(features)
    logits = layers.Dense(classes, name="logits")(features)
    return keras.Model(signal, logits, name=name)


def build_convolutional_eavesdropper(signal_shape, classes, name="eavesdropper"):
    """Classifier that convolves along the signal (1-D): an Eve of another architecture.

    Args:
        signal_shape: shape of one source's signal, for example (128,).
        classes: number of private labels.
        name: name of the model.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    features = layers.Reshape((math.prod(signal_shape), 1), name="sequence")(signal)
    for index, filters in enumerate((16, 32), start=1):
        features = layers.Conv1D(
            filters, 7, strides=2, padding="same", activation="relu", name=f"convolution_{index}"
        )(features)
    features = layers.Flatten(name="flatten")(features)
    features = layers.Dense(64, activation="relu", name="hidden")(features)
    return keras.Model(signal, layers.Dense(classes, name="logits")(features), name=name)


def build_substitute(signal_shape, classes, hidden=(128,)):
    """Alice's local stand-in for an Eve she does not know (black box): two layers."""
    return build_eavesdropper(signal_shape, classes, hidden, name="substitute")


@keras.saving.register_keras_serializable("arn_keras")
class InputDiversity(layers.Layer):
    """Hides a random part of the signal and adds noise: no two looks at a signal are the same.

        y_eve -> m y_eve + n,   m ~ Bernoulli(1 - rate) / (1 - rate),   n ~ N(0, deviation^2)

    Always on. In front of a substitute it keeps a perturbation from being fitted to the ways of
    this one classifier. Xie et al., *Improving Transferability of Adversarial Examples with Input
    Diversity*, CVPR 2019.

    Args:
        rate: share of symbols hidden.
        deviation: standard deviation of the noise, signal power being 1.
        seed: integer seed.
    """

    def __init__(self, rate=0.1, deviation=0.2, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.deviation = deviation
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, overheard):
        """Another look at y_eve, shaped like it."""
        kept = keras.random.dropout(overheard, self.rate, seed=self.seed_generator)
        noise = keras.random.normal(
            ops.shape(overheard), dtype=overheard.dtype, seed=self.seed_generator
        )
        return kept + self.deviation * noise

    def get_config(self):
        """Configuration for saving: rate, deviation and seed."""
        own = {"rate": self.rate, "deviation": self.deviation, "seed": self.seed}
        return {**super().get_config(), **own}


def diversify(classifier, seed=0):
    """A classifier behind `InputDiversity`, to train against: [batch, ...] -> logits."""
    signal = keras.Input(classifier.input_shape[1:], name="overheard")
    look = InputDiversity(seed=seed, name="input_diversity")(signal)
    return keras.Model(signal, classifier(look, training=False), name=f"diverse_{classifier.name}")
