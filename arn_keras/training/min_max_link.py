"""The keyless pair trained against eavesdroppers who train too: a min-max game.

The letter's Eve is frozen, so the pair learns her mistakes and no more. Here every rival hears what
the pair sends and learns from it, and the pair is to leave them all undecided:

    min over F_A, F_B of  w1 L1 + w2 L2 + w3 mean(log C - H(softmax(o)))        (Eq. 19, another L3)
    min over each rival of  CE(softmax(o), label)

The target is Eve's uniform answer, not her wrong one: a wrong answer tells the label to whoever
learns the mistake. A rival whom the pair has outrun is no measure of what a fresh Eve would find,
so one after the other is made new. Without a key Bob's chain is a function that Eve has too, so
this can only trade his picture for her ignorance; `audit/frontier.py` measures the trade.

Censoring by an adversary: Edwards and Storkey, *Censoring Representations with an Adversary*, ICLR
2016; the entropy target: Roy and Boddeti, *Mitigating Information Leakage in Image Representations:
A Maximum Entropy Approach*, CVPR 2019; over a wiretap channel, without a key: Marchioro, Laurenti
and Gunduz, *Adversarial Networks for Secure Wireless Communications*, ICASSP 2020; with one: Abadi
and Andersen, *Learning to Protect Communications with Adversarial Neural Cryptography*, 2016, and
Tung and Gunduz (docs/threat-model.md).
"""

import keras
import numpy as np
import tensorflow as tf

from arn_keras.errors import DeviceError
from arn_keras.loss.composite import eve_entropy_gap
from arn_keras.system import full_precision
from arn_keras.training.optimizer import FusedAdam, forget
from arn_keras.training.secure_link import SecureLink


@keras.saving.register_keras_serializable("arn_keras")
class MinMaxLink(SecureLink):
    """The protected link, and rivals of the pair who learn while it does.

    Arguments are those of `SecureLink`; its `eavesdroppers` are the rivals. Transmitter and
    receiver are frozen as ever. Rivals are Functional or Sequential models, or others that
    `from_config` makes anew.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for rival in self.eavesdroppers:
            rival.trainable = True

    @property
    def trainable_variables(self):
        """What the composite loss moves: the two modules. Each rival's are her own."""
        return [
            *self.transmitter_arn.trainable_variables,
            *self.receiver_arn.trainable_variables,
        ]

    def compile(
        self,
        optimizer="adam",
        *,
        privacy_loss=eve_entropy_gap,
        rival_learning_rate=2e-3,
        **kwargs,
    ):
        """As `SecureLink.compile`; the rivals have an Adam each.

        Args:
            optimizer: of the modules.
            privacy_loss: L3, (logits, labels) -> scalar; the entropy gap.
            rival_learning_rate: of each rival, constant.
            **kwargs: see `SecureLink.compile`.
        """
        super().compile(optimizer, privacy_loss=privacy_loss, **kwargs)
        self.rival_learning_rate = rival_learning_rate
        self.rival_optimizers = [FusedAdam(rival_learning_rate) for _ in self.eavesdroppers]
        for rival, rivals_optimizer in self._rivals():
            rivals_optimizer.build(rival.trainable_variables)

    def get_compile_config(self):
        """What `compile` was given, for saving."""
        return {**super().get_compile_config(), "rival_learning_rate": self.rival_learning_rate}

    def restart(self, seed):
        """As `SecureLink.restart`, with new rivals."""
        super().restart(seed)
        for index in range(len(self.eavesdroppers)):
            self.renew(index, epoch=0)

    def renew(self, index, epoch):
        """Makes a rival a new one: weights and optimiser as at the beginning.

        Args:
            index: which rival.
            epoch: her weights follow from the link's seed, this number and hers.
        """
        word = np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0]
        keras.utils.set_random_seed(int(word))
        rival = self.eavesdroppers[index]
        rival.set_weights(type(rival).from_config(rival.get_config()).get_weights())
        forget(self.rival_optimizers[index])

    def fit(self, *args, renew_every=4, callbacks=None, devices=1, **kwargs):
        """As `SecureLink.fit`; at the end of every so many epochs the next rival is made new.

        Args:
            *args: see `keras.Model.fit`.
            renew_every: epochs from one renewal to the next, of rivals in turn.
            callbacks: see `keras.Model.fit`.
            devices: 1.
            **kwargs: see `SecureLink.fit`.

        Raises:
            DeviceError: for several devices.
        """
        if devices != 1:
            raise DeviceError(f"expected one device for rivals who learn too, got {devices}")
        if renew_every < 1:
            raise ValueError(f"expected renew_every >= 1, got {renew_every}")
        callbacks = [_RenewRivals(renew_every), *(callbacks or [])]
        return super().fit(*args, callbacks=callbacks, **kwargs)

    def train_step(self, data):
        """One step of the pair against the rivals as they are, then one of each rival."""
        logs = super().train_step(data)
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        labels = y["label"] if isinstance(y, dict) else y
        with self.tracing():
            overheard = self.signals(x, training=True).overheard
        for rival, optimizer in self._rivals():
            weights = rival.trainable_variables
            with tf.GradientTape() as tape:
                logits = full_precision(rival(overheard, training=True))
                loss = tf.reduce_mean(
                    keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
                )
                loss = optimizer.scale_loss(loss)
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return logs

    def _rivals(self):
        return zip(self.eavesdroppers, self.rival_optimizers, strict=True)


class _RenewRivals(keras.callbacks.Callback):
    def __init__(self, every):
        super().__init__()
        self._every = every

    def on_epoch_begin(self, epoch, logs=None):
        turn, rest = divmod(epoch, self._every)
        if turn and not rest:
            self.model.renew((turn - 1) % len(self.model.eavesdroppers), epoch)
