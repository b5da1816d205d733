"""The plan of a sweep: which pairs are trained, what is measured on each, and what that costs.

A point is one trained pair, or the plain link of a data set and seed. Points that differ only in
what is measured are one point; all points of a data set and seed share one base link and one Eve.
"""

import dataclasses
import itertools

from arn_keras.errors import ConfigError
from arn_keras.measure.sweep_rows import key
from arn_keras.power import level_fault

CASES = ("original", "transmitter_only", "paired", "random_noise", "fgsm")
# The letter's axes; its Fig. 4 is at one SNR.
FIGURES = {
    3: {
        "snrs_db": tuple(range(-5, 26, 5)),
        "psrs_db": (-10,),
        "trainings": ("matched", "range"),
    },
    4: {"snrs_db": (10,), "psrs_db": tuple(range(-20, 1, 5)), "trainings": ("matched",)},
}


@dataclasses.dataclass(frozen=True)
class Point:
    """One trained pair, or (without knowledge) the plain link.

    Attributes:
        dataset: name of the data set.
        seed: of everything random.
        knowledge: "white" or "black".
        black_box: "single" or "ensemble"; None unless `knowledge` is "black".
        training_snr_db: (low, high), drawn uniformly for each source in training.
        psr_db: budget P of Eq. (20).
        snr_aware: whether the pair is told the SNR.
        eve_snr_offset_db: Eve's SNR over Bob's, in her training, the pair's and the measurement.
    """

    dataset: str
    seed: int
    knowledge: str | None = None
    black_box: str | None = None
    training_snr_db: tuple[float, float] | None = None
    psr_db: float | None = None
    snr_aware: bool = False
    eve_snr_offset_db: float = 0.0

    @property
    def base(self):
        """What it shares Eve with: (dataset, seed, eve_snr_offset_db)."""
        return self.dataset, self.seed, self.eve_snr_offset_db

    @property
    def name(self):
        """Name of the pair's folder; what the plain link is called in a line for the user."""
        if self.knowledge is None:
            return "no modules"
        low, high = self.training_snr_db
        snr = f"{low:g}" if low == high else f"{low:g}..{high:g}"
        box = f"{self.knowledge},{self.black_box}" if self.black_box else self.knowledge
        return f"{box},snr={snr},psr={self.psr_db:g}" + ",aware" * self.snr_aware

    def in_loss(self, scenario):
        """Stages of the classifiers in the loss of the pair, none for the plain link."""
        if self.knowledge is None:
            return ()
        return scenario.in_loss(self.knowledge, self.black_box or "single")


@dataclasses.dataclass(frozen=True)
class Grid:
    """The product of what is asked for.

    Attributes:
        datasets, seeds: as in `Point`.
        knowledges: each "white" or "black".
        black_box: "single" or "ensemble".
        snrs_db: SNRs in dB to measure at.
        psrs_db: budgets in dB.
        trainings: the SNR in training: "matched" (each SNR has its own pair), "range" (one pair
            for all, over the span of `snrs_db`), "aware" (likewise, and the pair is told the SNR)
            or a number (one pair for all, at that SNR).
        cases: of `CASES`.
        eves: of `eve.EVES`, or names that the scenario has for them.
        eve_snr_offsets_db: Eve's SNR over Bob's, in dB.

    Raises:
        ConfigError: if a list is empty or a value cannot be used.
    """

    datasets: tuple[str, ...] = ("auto",)
    seeds: tuple[int, ...] = (0,)
    knowledges: tuple[str, ...] = ("white", "black")
    black_box: str = "single"
    snrs_db: tuple[float, ...] = (10.0,)
    psrs_db: tuple[float, ...] = (-10.0,)
    trainings: tuple = ("matched",)
    cases: tuple[str, ...] = CASES
    eves: tuple[str, ...] = ("frozen",)
    eve_snr_offsets_db: tuple[float, ...] = (0.0,)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if getattr(self, field.name) == ():
                raise ConfigError(f"expected at least one of {field.name}, got an empty list")
        if "aware" in self.trainings and len(set(self.snrs_db)) < 2:
            raise ConfigError("--training-snr-db aware: expected two SNRs or more to measure at")
        numbers = [training for training in self.trainings if not isinstance(training, str)]
        for name, values in (
            ("--snr-db", self.snrs_db),
            ("--psr-db", self.psrs_db),
            ("--training-snr-db", numbers),
            ("--eve-snr-offset-db", self.eve_snr_offsets_db),
        ):
            for value in values:
                if fault := level_fault(value):
                    raise ConfigError(f"{name}: expected {fault}, got {value}")

    def plan(self):
        """What to do: {point: [(case, eve, snr_db), ...]}, in a fixed order, nothing twice."""
        found, of_pairs = {}, [case for case in self.cases if case != "original"]
        for of in itertools.product(self.datasets, self.seeds, map(float, self.eve_snr_offsets_db)):
            plain = [case for case in self.cases if case == "original"]
            dataset, seed, offset = of
            self._add(found, Point(dataset, seed, eve_snr_offset_db=offset), plain, self.snrs_db)
            for point, snrs_db in self._pairs(*of):
                self._add(found, point, of_pairs, snrs_db)
        return {point: list(measured) for point, measured in found.items() if measured}

    def _add(self, found, point, cases, snrs_db):
        measured = found.setdefault(point, {})  # a dict for its order
        for snr_db in snrs_db:
            for case in cases:
                for eve in self.eves:
                    measured[case, eve, float(snr_db)] = None

    def _pairs(self, dataset, seed, offset):
        for knowledge in self.knowledges:
            box = self.black_box if knowledge == "black" else None
            for psr_db in self.psrs_db:
                for training in self.trainings:
                    for low, high, measured in self._training(training):
                        how = (float(low), float(high)), float(psr_db), training == "aware"
                        yield Point(dataset, seed, knowledge, box, *how, offset), measured

    def _training(self, training):
        if training == "matched":
            return [(snr_db, snr_db, (snr_db,)) for snr_db in self.snrs_db]
        if training in ("range", "aware"):
            return [(min(self.snrs_db), max(self.snrs_db), self.snrs_db)]
        return [(training, training, self.snrs_db)]


def named(dataset, seed, eve_snr_offset_db):
    """A base for the user's eyes."""
    placed = f", Eve at {eve_snr_offset_db:+g} dB" if eve_snr_offset_db else ""
    return f"{dataset}, seed {seed}{placed}"


def merge(plans):
    """Several plans as one, nothing twice."""
    merged = {}
    for plan in plans:
        for point, measured in plan.items():
            merged.setdefault(point, {}).update(dict.fromkeys(measured))
    return {point: list(measured) for point, measured in merged.items()}


def remaining(plan, keys, home=0.0):
    """The part of a plan whose rows are not there yet.

    Args:
        plan: as `Grid.plan` gives it.
        keys: of the rows that are there, as `sweep_rows.key` gives them: anything that has `in`.
        home: as of `sweep_rows.key`.
    """
    left = {
        point: [m for m in measured if row_key(point, *m, home) not in keys]
        for point, measured in plan.items()
    }
    return {point: measured for point, measured in left.items() if measured}


def identity(point, case, eve, snr_db):
    """The fields of a row that say what was measured."""
    return {
        "dataset": point.dataset,
        "seed": point.seed,
        "case": case,
        "knowledge": point.knowledge,
        "black_box": point.black_box,
        "training_snr_db": point.training_snr_db and list(point.training_snr_db),
        "psr_db": point.psr_db,
        "snr_aware": point.snr_aware,
        "snr_db": snr_db,
        "eve": eve,
        "eve_snr_offset_db": point.eve_snr_offset_db,
    }


def row_key(point, case, eve, snr_db, home=0.0):
    """The key of a row that is not measured yet, as `sweep_rows.key` gives it of one that is."""
    return key(identity(point, case, eve, snr_db), home=home)
