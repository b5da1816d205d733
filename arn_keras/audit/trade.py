"""The points of the frontier: what each protection costs Bob, and what it leaves to Eve.

A point is one protection at one budget. Keyless pairs are trained for it here: the letter's against
the run's frozen Eve, the min-max one against rivals who learn too. The keyed pair and no protection
at all need no training. All are measured by the audit's own rungs and in its own noise.
"""

import dataclasses
import time

from arn_keras.audit.effort import FULL, QUICK
from arn_keras.audit.fresh import fresh
from arn_keras.audit.frozen import frozen
from arn_keras.audit.kerckhoffs import kerckhoffs
from arn_keras.audit.ladder import rung_rows
from arn_keras.audit.larger import larger
from arn_keras.audit.wiretap import Wiretap
from arn_keras.pair import PROTECTIONS
from arn_keras.pair.chain import Protection, protection
from arn_keras.rooms import answer
from arn_keras.training.min_max_link import MinMaxLink
from arn_keras.training.privacy import Privacy

RUNGS = {"Bob": None, "E0": frozen, "E3": fresh, "E4": larger, "E5": kerckhoffs}
_ONLY = {"larger": 1, "recordings": (), "restarts": 1}
EFFORTS = {each.name: dataclasses.replace(each, **_ONLY) for each in (QUICK, FULL)}
_W1, _W2 = 30.0, 10.0  # of the min-max loss; w1 grows with w3, or the budget is not kept


@dataclasses.dataclass(frozen=True)
class Point:
    """A protection at a budget.

    Attributes:
        protection: "none", "arn" (the letter's), "min-max", "keyed", or what the run has trained.
        psr_db: budget in dB of what is trained for one, else None.
        privacy_weight: w3 of the min-max loss, else None.
    """

    protection: str
    psr_db: float | None = None
    privacy_weight: float | None = None


def points(psrs_db, privacy_weights, own):
    """All points, those that need no training first.

    Args:
        psrs_db, privacy_weights: of pairs.
        own: the run's protection, which is there if it has trained modules that are no pair.
    """
    return [
        Point("none"),
        Point("keyed"),
        *([Point(own)] if answer(PROTECTIONS, own).trained else []),
        *(Point("arn", psr_db) for psr_db in psrs_db),
        *(Point("min-max", psr_db, w3) for w3 in privacy_weights for psr_db in psrs_db),
    ]


class Trade:
    """Trains and measures points on one base link.

    Args:
        problem: `run.problem.Problem`; its configuration says how every pair is trained, and the
            range of SNRs, at whose middle is measured.
        effort: a value of `EFFORTS`.
    """

    def __init__(self, problem, effort):
        self._problem, self._effort = problem, effort
        self._signals = problem.signals, problem.transmit(problem.dataset.test)
        # One of each for all points: another budget or weight costs no new trace.
        self._letter = problem.pair_link(Privacy("white"))
        self._min_max = build_min_max_link(problem)
        self._clean = {}
        self._rotation = problem.rotation

    def named(self, point):
        """What a journal calls a point: a keyed one together with its rotation."""
        return f"{point} {self._rotation.name}" if point.protection == "keyed" else str(point)

    def rows(self, point, seed):
        """Rows of the rungs of one point, as the audit's, with the point's own fields.

        Args:
            point: `Point`.
            seed: of the pair that is trained, of Eves, noise and keys.
        """
        start = time.monotonic()
        found = self.measure(point, seed, self.protect(point, seed))
        return [{**row, "seconds": time.monotonic() - start} for row in found]

    def measure(self, point, seed, protected, rungs=None, problem=None):
        """The same of a protection that is there.

        Args:
            point, seed: see `rows`.
            protected: of `protect`.
            rungs: names of `RUNGS`, all by default.
            problem: this problem with Eve elsewhere (`Problem.with_eve_at`).
        """
        problem = problem or self._problem
        place = seed, problem.config.eve_snr_offset_db
        tap = Wiretap(
            problem,
            self._signals,
            snr_db=sum(self._problem.config.snr_db) / 2,
            psr_db=point.psr_db,
            protection=protected,
            seed=seed,
            clean=self._clean.setdefault(place, {}),
        )
        return [
            {**row, **dataclasses.asdict(point)}
            for rung, attack in RUNGS.items()
            if rungs is None or rung in rungs
            for row in rung_rows(tap, rung, attack, self._effort)
        ]

    def protect(self, point, seed):
        """The protection of a point, trained where it is: the next one takes its modules over."""
        if point.psr_db is None:
            shape, means = self._problem.signal_shape, answer(PROTECTIONS, point.protection)
            public = self._problem.public(means.stage(None)) if means.trained else (None, None)
            return protection(point.protection, public, self._rotation, shape)
        link = self._letter if point.protection == "arn" else self._min_max
        if point.privacy_weight is not None:
            w3 = point.privacy_weight
            w2 = _W2 * self._problem.task.task_weight
            link.loss_weights.assign((_W1 * max(1.0, w3), w2, w3))
        self._problem.train_pair(
            link,
            f"frontier/{point.protection}",
            snr_db=self._problem.config.snr_db,
            psr_db=point.psr_db,
            seed=seed,
            checkpoint_dir=None,
        )
        return Protection(point.protection, link.transmitter_arn, link.receiver_arn)


def build_min_max_link(problem):
    """A link compiled for training pairs against rivals who learn too, `MinMaxLink`.

    Args:
        problem: `run.problem.Problem`, whose scenario names the rivals.
    """
    scenario, schedule = problem.scenario, problem.schedule("arn")
    rivals = [
        scenario.build_classifier(name, problem.signal_shape, problem.dataset.classes)
        for name in scenario.rivals
    ]
    link = MinMaxLink(
        problem.transmitter,
        problem.receiver,
        rivals,
        *problem.modules(),
        preprocessing=problem.dataset.prepare,
        pauses=scenario.pauses,
        **problem.channels,
        name="min_max",
    )
    schedule.compile(
        link,
        len(problem.dataset.train),
        task_loss=problem.task.task_loss,
        shards=min(schedule.shards, schedule.batch_size),
    )
    return link


def summary(rows, field):
    """What each point comes to, over its seeds.

    Args:
        rows: of all points and seeds, as `Trade.rows`.
        field: of what Bob is judged by, for pictures "mse".

    Returns:
        One object a point: its fields; `mse`, `mse_over_original`, `sent_power` and
        `measured_psr_db`, means over the seeds; the highest accuracy of each rung over its Eves and
        seeds; `worst`, the highest of all, `by` whom, and the largest leakage.
    """
    original = {
        row["seed"]: row[field]
        for row in rows
        if row["rung"] == "Bob" and row["protection"] == "none"
    }
    return [_summed(point, each, original, field) for point, each in by_point(rows).items()]


def by_point(rows):
    """Rows of each `Point`, in the order of the rows."""
    names = [field.name for field in dataclasses.fields(Point)]
    found = {}
    for row in rows:
        found.setdefault(Point(*(row[name] for name in names)), []).append(row)
    return found


def _summed(point, rows, original, field):
    bob = [row for row in rows if row["rung"] == "Bob"]
    eves = [row for row in rows if row["rung"] != "Bob"]
    worst = max(eves, key=lambda row: row["eve_accuracy"])

    def mean(name):
        values = [row[name] for row in bob]
        return None if None in values else sum(values) / len(values)

    return {
        **dataclasses.asdict(point),
        field: mean(field),
        f"{field}_over_original": sum(row[field] / original[row["seed"]] for row in bob) / len(bob),
        "sent_power": mean("sent_power"),
        "measured_psr_db": mean("measured_psr_db"),
        **{
            rung: max(row["eve_accuracy"] for row in eves if row["rung"] == rung)
            for rung in RUNGS
            if rung != "Bob"
        },
        "worst": worst["eve_accuracy"],
        "by": f"{worst['rung']} {worst['eve']}",
        "leakage_nats": max(row["leakage_nats"] for row in eves),
        "seeds": len(bob),
    }
