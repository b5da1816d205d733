"""How hard an audit tries, and what one of its eavesdroppers finds."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Effort:
    """How hard Eve tries.

    Attributes:
        name: what this effort is called in a row.
        epochs, larger_epochs: passes over the training sources.
        restarts: trainings of E3 from other weights.
        larger: how many of the scenario's larger architectures E1 and E4 have.
        recordings: numbers of labelled recordings for E4, besides all.
        looks: numbers of looks for E6.
        deviations: extra noise of randomised smoothing, in units of the signal's amplitude.
        adversarial: whether E2 has an adversarially trained Eve.
        neighbours: recordings that the k-nearest-neighbour Eve searches.
        known: numbers of known plaintexts, for E8.
        rounds: of keyed modules, for the curve of E8 over rounds.
    """

    name: str
    epochs: int
    larger_epochs: int
    restarts: int
    larger: int
    recordings: tuple[int, ...]
    looks: tuple[int, ...]
    deviations: tuple[float, ...]
    adversarial: bool
    neighbours: int
    known: tuple[int, ...]
    rounds: tuple[int, ...]


QUICK = Effort("quick", 2, 2, 1, 1, (1000,), (), (0.3,), False, 5000, (64, 128, 256), ())
FULL = Effort(
    "full",
    4,
    3,
    2,
    3,
    (100, 1000, 10000),
    (4, 16),
    (0.15, 0.3, 0.6),
    True,
    20000,
    (16, 32, 64, 96, 128, 192, 256, 1024),
    (1, 2, 3, 4, 5),
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one Eve says of the test sources.

    Attributes:
        eve: her name.
        logits: [sources, classes].
        curve: her training, as `attack.Attack.curve`.
        counts: whether this is part of the worst case; not so where a rule of use is broken.
        more: further fields of the row.
    """

    eve: str
    logits: np.ndarray
    curve: list = dataclasses.field(default_factory=list)
    counts: bool = True
    more: dict[str, Any] = dataclasses.field(default_factory=dict)
