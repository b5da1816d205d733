"""Algorithm 1 as four stages of training: base link, Eve, substitute, pair of ARNs.

Each derives its randomness from a seed, and each epoch's from the epoch, so that a stage which
was killed and resumed gives the models of an undisturbed one.
"""

import dataclasses
import zlib

import keras
import numpy as np

from arn_keras.checkpoint import EpochCheckpoint
from arn_keras.eavesdropper import build_eavesdropper, build_substitute
from arn_keras.eavesdropper_link import EavesdropperLink
from arn_keras.secure_link import SecureLink
from arn_keras.semantic import build_receiver, build_transmitter
from arn_keras.semantic_link import SemanticLink

BUILD_CLASSIFIER = {"eve": build_eavesdropper, "substitute": build_substitute}


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How a stage is trained: Adam, cosine decay to 0, over a number of epochs.

    Attributes:
        epochs: passes over the training sources.
        batch_size: sources a step.
        learning_rate: first learning rate.
        jit_compile: whether XLA compiles the step.
        verbose: as in `keras.Model.fit`.
    """

    epochs: int
    batch_size: int = 256
    learning_rate: float = 2e-3
    jit_compile: bool = True
    verbose: int = 0

    def compile(self, link, sources, **kwargs):
        """Compiles a link for this schedule and number of training sources."""
        whole, rest = divmod(sources, self.batch_size)
        steps = whole + (rest > 0 and not self.jit_compile)
        decay = keras.optimizers.schedules.CosineDecay(self.learning_rate, self.epochs * steps)
        link.compile(
            optimizer=keras.optimizers.Adam(decay),
            jit_compile=self.jit_compile,
            steps_per_execution=min(steps, 32),
            **kwargs,
        )

    def fit(self, link, x, y=None, *, checkpoint_dir, **kwargs):
        """Fits a compiled link, from where a killed process left it."""
        checkpoint = EpochCheckpoint(checkpoint_dir)
        link(keras.tree.map_structure(lambda array: array[:1], x))  # builds what is restored
        link.fit(
            x,
            y,
            batch_size=self.batch_size,
            epochs=self.epochs,
            drop_remainder=self.jit_compile,
            initial_epoch=checkpoint.restore(link),
            callbacks=[checkpoint],
            verbose=self.verbose,
            **kwargs,
        )


def stage_seed(seed, stage):
    """Seed of a stage, for example "arn/white": distinct stages share no randomness."""
    return int(np.random.SeedSequence((seed, zlib.crc32(stage.encode()))).generate_state(1)[0])


def train_link(sources, schedule, *, snr_db, seed, checkpoint_dir):
    """Trains the base link by MSE over the noisy channel, Eq. (4)-(8), (21).

    Args:
        sources: s, [sources, height, width, channels]; 8-bit, or in [0, 1].
        schedule: `Schedule`.
        snr_db: SNR in dB, or (low, high).
        seed: integer.
        checkpoint_dir: where the state after each epoch is kept.

    Returns:
        Trained `SemanticLink`.
    """
    seed = stage_seed(seed, "link")
    keras.utils.set_random_seed(seed)
    shape = sources.shape[1:]
    link = SemanticLink(build_transmitter(shape), build_receiver(shape), seed=seed, name="link")
    schedule.compile(link, len(sources), loss="mse")
    schedule.fit(link, sources, snr_db=snr_db, checkpoint_dir=checkpoint_dir)
    return link


def train_eavesdropper(stage, signals, labels, classes, schedule, *, snr_db, seed, checkpoint_dir):
    """Trains Eve, or Alice's substitute for her, on the unprotected noisy signal, Eq. (14).

    Args:
        stage: "eve" or "substitute".
        signals: y, [sources, ...].
        labels: private labels, integers, [sources].
        classes: number of private labels.
        schedule: `Schedule`.
        snr_db: SNR in dB, or (low, high).
        seed: integer.
        checkpoint_dir: where the state after each epoch is kept.

    Returns:
        Trained classifier, y_eve -> logits.
    """
    seed = stage_seed(seed, stage)
    keras.utils.set_random_seed(seed)
    link = EavesdropperLink(
        BUILD_CLASSIFIER[stage](signals.shape[1:], classes), seed=seed, name=stage
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    schedule.compile(link, len(signals), loss=loss, metrics=["accuracy"])
    schedule.fit(link, signals, labels, snr_db=snr_db, checkpoint_dir=checkpoint_dir)
    return link.classifier


def train_pair(
    transmitter,
    receiver,
    eavesdroppers,
    sources,
    signals,
    labels,
    schedule,
    *,
    snr_db,
    psr_db,
    seed,
    stage,
    checkpoint_dir,
):
    """Trains the two ARNs by the composite loss, Eq. (19), (24).

    Args:
        transmitter: trained, s -> y.
        receiver: trained, y -> s_hat.
        eavesdroppers: classifiers in the loss: Eve's own (white box) or substitutes (black box).
        sources: s, as for `train_link`.
        signals: y of these sources.
        labels: private labels, integers, [sources].
        schedule: `Schedule`.
        snr_db: SNR in dB, or (low, high).
        psr_db: P of Eq. (20), in dB relative to signal power 1.
        seed: integer.
        stage: name of the stage, for example "arn/white".
        checkpoint_dir: where the state after each epoch is kept.

    Returns:
        Trained `SecureLink`.
    """
    seed = stage_seed(seed, stage)
    keras.utils.set_random_seed(seed)
    link = SecureLink(transmitter, receiver, eavesdroppers, seed=seed, name=stage.replace("/", "_"))
    schedule.compile(link, len(sources))
    schedule.fit(
        link,
        {"source": sources, "signal": signals},
        labels,
        snr_db=snr_db,
        psr_db=psr_db,
        checkpoint_dir=checkpoint_dir,
    )
    return link
