"""Algorithm 1 as four stages of training: base link, Eve, substitute, pair of ARNs.

Each derives its randomness from a seed, and each epoch's from the epoch, so that a stage which
was killed and resumed gives the models of an undisturbed one.
"""

import dataclasses
import zlib
from collections.abc import Callable

import keras
import numpy as np

from arn_keras.loss.composite import PRIVACY_LOSSES, attack_power_loss, mean_attack_power_loss
from arn_keras.training import reach
from arn_keras.training.checkpoint import EpochCheckpoint
from arn_keras.training.eavesdropper_link import EavesdropperLink
from arn_keras.training.optimizer import FusedAdam
from arn_keras.training.secure_link import SecureLink
from arn_keras.training.semantic_link import SemanticLink

# (w1, w2, w3) of Eq. (19): the margin is in logits and unbounded, so the budget weighs more.
_LOSS_WEIGHTS = {
    "confidence": (10.0, 10.0, 1.0),
    "margin": (100.0, 10.0, 0.1),
    "odds": (30.0, 30.0, 0.4),
    "entropy": (10.0, 10.0, 1.0),
}
# The same of the stronger black box, whose L1 is in units of the budget.
_ENSEMBLE_WEIGHTS = {
    "confidence": (1.5, 20.0, 1.0),
    "margin": (10.0, 10.0, 0.1),
    "odds": (1.5, 10.0, 0.4),
    "entropy": (1.5, 20.0, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How a stage is trained: Adam, cosine decay to 0, over a number of epochs.

    Attributes:
        epochs: passes over the training sources.
        batch_size: sources a step.
        learning_rate: first learning rate.
        jit_compile: whether XLA compiles the step.
        shards: of a step of `SecureLink`.
        devices: of this machine that share each batch.
        verbose: as in `keras.Model.fit`.
        say: called with a line for the user.
        watch: function without arguments to Keras callbacks, which watch and change nothing.
    """

    epochs: int
    batch_size: int = 256
    learning_rate: float = 2e-3
    jit_compile: bool = False
    shards: int = 1
    devices: int = 1
    verbose: int = 0
    say: Callable = dataclasses.field(default=print, compare=False, repr=False)
    watch: Callable = dataclasses.field(default=tuple, repr=False, compare=False)

    def compile(self, link, sources, **kwargs):
        """Compiles a link for this schedule and number of training sources."""
        steps = sources // self.batch_size
        decay = keras.optimizers.schedules.CosineDecay(self.learning_rate, self.epochs * steps)
        link.compile(
            optimizer=FusedAdam(decay),
            jit_compile=self.jit_compile,
            steps_per_execution=min(steps, 32),
            **kwargs,
        )

    def fit(self, link, x, y=None, *, checkpoint_dir, **kwargs):
        """Fits a compiled link, from where a killed process left it; None keeps no state."""
        link(keras.tree.map_structure(lambda array: array[:1], x))  # builds what is restored
        checkpoints = [EpochCheckpoint(checkpoint_dir, say=self.say)] if checkpoint_dir else []
        link.fit(
            x,
            y,
            batch_size=self.batch_size,
            epochs=self.epochs,
            drop_remainder=True,
            devices=self.devices,
            initial_epoch=sum(checkpoint.restore(link) for checkpoint in checkpoints),
            callbacks=[*checkpoints, *self.watch()],
            verbose=self.verbose,
            **kwargs,
        )


def stage_seed(seed, stage):
    """Seed of a stage, for example "arn/white": distinct stages share no randomness."""
    return int(np.random.SeedSequence((seed, zlib.crc32(stage.encode()))).generate_state(1)[0])


def train_link(build, dataset, schedule, *, loss, snr_db, seed, checkpoint_dir, channel=None):
    """Trains the base link over the noisy channel, Eq. (4)-(8); by MSE, Eq. (21), in the letter.

    Args:
        build: function without arguments that makes (transmitter, receiver).
        dataset: `data.dataset.Dataset`.
        schedule: `Schedule`.
        loss: of estimates and targets, as `keras.Model.compile` takes it.
        snr_db: SNR in dB, or (low, high).
        seed: integer.
        checkpoint_dir: where the state after each epoch is kept.
        channel: what Bob hears through, `channel.listener.Listener`; AWGN by default.

    Returns:
        Trained `SemanticLink`.
    """
    seed = stage_seed(seed, "link")
    keras.utils.set_random_seed(seed)
    link = SemanticLink(
        *build(), seed=seed, preprocessing=dataset.prepare, channel=channel, name="link"
    )
    train = dataset.train
    schedule.compile(link, len(train), loss=loss)
    schedule.fit(link, train.source, train.target, snr_db=snr_db, checkpoint_dir=checkpoint_dir)
    return link


def train_eavesdropper(
    stage, build, signals, labels, classes, schedule, *, snr_db, seed, checkpoint_dir, channel=None
):
    """Trains Eve, or Alice's substitute for her, on the unprotected noisy signal, Eq. (14).

    Args:
        stage: its name, from which its randomness follows.
        build: (signal shape, classes) -> classifier, y_eve -> logits.
        signals: y, [sources, ...].
        labels: private labels, integers, [sources].
        classes: number of private labels.
        schedule: `Schedule`.
        snr_db: SNR in dB, or (low, high).
        seed: integer.
        checkpoint_dir: where the state after each epoch is kept.
        channel: what she hears through, `channel.listener.Listener`; AWGN by default.

    Returns:
        Trained classifier, y_eve -> logits.
    """
    seed = stage_seed(seed, stage)
    keras.utils.set_random_seed(seed)
    classifier = build(signals.shape[1:], classes)
    link = EavesdropperLink(classifier, seed=seed, channel=channel, name=stage)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    schedule.compile(link, len(signals), loss=loss, metrics=["accuracy"])
    schedule.fit(link, signals, labels, snr_db=snr_db, checkpoint_dir=checkpoint_dir)
    return link.classifier


def build_pair_link(
    privacy,
    transmitter,
    receiver,
    classifiers,
    modules,
    schedule,
    dataset,
    stage,
    *,
    task_loss,
    task_weight=1.0,
    weights=None,
    ensemble_weights=None,
    shares_budget=True,
    **how,
):
    """A link compiled for training pairs, any number of them, by `train_pair`.

    Args:
        privacy: `training.privacy.Privacy`.
        transmitter: trained, s -> y.
        receiver: trained, y -> s_hat.
        classifiers: trained, y_eve -> logits: those in the loss.
        modules: (transmitter ARN, receiver ARN), which are trained.
        schedule: `Schedule`.
        dataset: `data.dataset.Dataset` that pairs are trained on.
        stage: name of the stage, for example "arn/white".
        task_loss: L2, (target, estimate) -> scalar or a loss a source.
        task_weight: times w2, for other units of L2.
        weights, ensemble_weights: {name of L3: (w1, w2, w3) of Eq. (19)} of one classifier and of
            several, in the place of those that are as here.
        shares_budget: whether an ensemble's sources share the budget, which is L1's unit then.
        **how: `bob_channel`, `eve_channel`, `pauses` and `reach` of `SecureLink`.

    Returns:
        `SecureLink`.
    """
    link = SecureLink(
        transmitter,
        receiver,
        classifiers,
        *modules,
        preprocessing=dataset.prepare,
        **how,
        name=stage.replace("/", "_"),
    )
    shares = privacy.ensemble and shares_budget
    of_terms = _ENSEMBLE_WEIGHTS if shares else _LOSS_WEIGHTS
    schedule.compile(
        link,
        len(dataset.train),
        power_loss=mean_attack_power_loss if shares else attack_power_loss,
        task_loss=task_loss,
        privacy_loss=PRIVACY_LOSSES[privacy.loss],
        shards=min(schedule.shards, schedule.batch_size),
    )
    own = (ensemble_weights if privacy.ensemble else weights) or {}
    w1, w2, w3 = {**of_terms, **own}[privacy.loss]
    link.loss_weights.assign((w1, task_weight * w2, w3))
    return link


def train_pair(
    link,
    split,
    signals,
    schedule,
    *,
    snr_db,
    psr_db,
    seed,
    stage,
    checkpoint_dir,
    keep_power=False,
):
    """Trains the two ARNs by the composite loss, Eq. (19), (24), from their beginning.

    Nothing that the link was trained for before is left in it, and its step is not traced again.

    Args:
        link: `build_pair_link`, or another that is compiled for `schedule`.
        split: training sources, `data.dataset.Split`.
        signals: y of these sources.
        schedule: `Schedule`, the one that the link was compiled for.
        snr_db: SNR in dB, or (low, high).
        psr_db: P of Eq. (20), in dB relative to signal power 1.
        seed: integer.
        stage: name of the stage, for example "arn/white".
        checkpoint_dir: where the state after each epoch is kept.
        keep_power: whether what is sent is scaled to the power of y.
    """
    link.restart(stage_seed(seed, stage))
    labels = split.label if split.target is None else {"label": split.label, "target": split.target}
    x = {"source": split.source, "signal": signals}
    if link.reach is not None:
        link.reach.assign(reach.measured(link, x, labels, snr_db))
    schedule.fit(
        link,
        x,
        labels,
        snr_db=snr_db,
        psr_db=psr_db,
        keep_power=keep_power,
        checkpoint_dir=checkpoint_dir,
    )
