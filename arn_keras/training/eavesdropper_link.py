"""The Alice-Eve link as a Keras model: Eve, or a substitute for her, learns from what she hears."""

import keras

from arn_keras.channel.awgn import AWGN
from arn_keras.training.noisy_link import NoisyLink


@keras.saving.register_keras_serializable("arn_keras")
class EavesdropperLink(NoisyLink):
    """The Alice-Eve link: signal -> protection -> y_eve -> logits, Eq. (11), (14).

    `fit(signals, labels)` trains the classifier only.

    Args:
        classifier: Keras model from y_eve to logits.
        protection: frozen Keras model y -> z in front of the channel, or None for none.
        seed: integer seed of noise and order.
    """

    parts = ("classifier", "protection")

    def __init__(self, classifier, protection=None, seed=0, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.classifier = classifier
        self.protection = protection
        if protection is not None:
            protection.trainable = False
        self.channel = AWGN(seed, name="eve_channel")

    def call(self, signal, training=False):
        """Signal y to Eve's logits."""
        if self.protection is not None:
            signal = self.protection(signal, training=False)
        overheard = self.channel(signal, self.draw_snr_db(signal))
        return self.classifier(overheard, training=training)
