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

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from arn_keras.counts import refuse_below
from arn_keras.errors import ConfigError, DeviceError
from arn_keras.loss.composite import eve_entropy_gap
from arn_keras.system import full_precision
from arn_keras.training.guards import as_list
from arn_keras.training.optimizer import FusedAdam, forget, state_of
from arn_keras.training.parts import fresh_weights
from arn_keras.training.secure_link import SecureLink
from arn_keras.training.seeded import seeded


@keras.saving.register_keras_serializable("arn_keras")
class MinMaxLink(SecureLink):
    """The protected link, and rivals of the pair who learn while it does.

    Arguments are those of `SecureLink`; its `eavesdroppers` are the rivals. Transmitter and
    receiver are frozen as ever. Rivals are Functional or Sequential models, or others that
    `from_config` makes anew.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len({id(rival) for rival in self.eavesdroppers}) < len(self.eavesdroppers):
            raise ConfigError("expected rivals who differ, got one of them twice")
        for rival in self.eavesdroppers:
            if rival.built and not rival.trainable_variables:
                raise ConfigError(
                    f"expected rivals that can learn, got {rival.name!r} without trainable weights"
                )

    def learners(self) -> list[keras.Model]:
        """The pair, and every rival."""
        return [*self.trained(), *self.eavesdroppers]

    def moving_variables(self) -> list[keras.Variable]:
        """Those of the pair, and of every rival with her optimiser."""
        rivals = [v for rival in self.eavesdroppers for v in rival.variables]
        return [
            *super().moving_variables(),
            *rivals,
            *(v for optimizer in self.rival_optimizers for v in state_of(optimizer)),
        ]

    def compile(  # type: ignore[override]  # L2 and L1 are the letter's
        self,
        optimizer: str | keras.Optimizer = "adam",
        *,
        privacy_loss: Callable = eve_entropy_gap,
        rival_learning_rate: float = 2e-3,
        **kwargs: Any,
    ) -> None:
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

    def _compile_arguments(self):
        return {**super()._compile_arguments(), "rival_learning_rate": self.rival_learning_rate}

    def restart(self, seed: int) -> None:
        """As `SecureLink.restart`, with new rivals."""
        super().restart(seed)
        for index in range(len(self.eavesdroppers)):
            self.renew(index, epoch=0)

    def renew(self, index: int, epoch: int) -> None:
        """Makes a rival a new one: weights and optimiser as at the beginning.

        Args:
            index: which rival.
            epoch: her weights follow from the link's seed, this number and hers.
        """
        word = np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0]
        rival = self.eavesdroppers[index]
        with seeded(int(word)):
            rival.set_weights(fresh_weights(rival, self._shape))
        forget(self.rival_optimizers[index], rival.trainable_variables)

    def fit(
        self,
        *args: Any,
        renew_every: int = 4,
        callbacks: keras.callbacks.Callback | Sequence[keras.callbacks.Callback] | None = None,
        devices: int = 1,
        **kwargs: Any,
    ) -> keras.callbacks.History:
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
        refuse_below(1, renew_every=renew_every)
        callbacks = [_RenewRivals(renew_every), *as_list(callbacks)]
        return super().fit(*args, callbacks=callbacks, **kwargs)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of the pair against the rivals as they are, then one of each rival."""
        logs = super().train_step(data)
        x, y = data
        labels = y["label"] if isinstance(y, dict) else y
        overheard = self.signals(x, training=True).overheard
        for rival, optimizer in self._rivals():
            weights = rival.trainable_variables
            with tf.GradientTape() as tape:
                logits = full_precision(rival(overheard, training=True))
                loss = tf.reduce_mean(
                    keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
                )
                loss = optimizer.scale_loss(sum(map(full_precision, rival.losses), loss))
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return logs

    def _rivals(self):
        return zip(self.eavesdroppers, self.rival_optimizers, strict=True)


class _RenewRivals(keras.callbacks.Callback):
    def __init__(self, every):
        super().__init__()
        self._every = every

    def on_epoch_begin(self, epoch, logs=None):
        epoch = self.model.epoch
        turn, rest = divmod(epoch, self._every)
        if turn and not rest:
            self.model.renew((turn - 1) % len(self.model.eavesdroppers), epoch)
