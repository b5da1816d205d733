"""The whole ladder: every rung under every protection and seed; a finished one is kept for good."""

import dataclasses
import time

from arn_keras.audit import RUNGS
from arn_keras.audit.bob import bob
from arn_keras.audit.simple import planted_norm
from arn_keras.audit.wiretap import Wiretap
from arn_keras.measure.journal import Journal
from arn_keras.measure.leakage import accuracy, leakage_nats, majority_rate
from arn_keras.pair.chain import Protection, protection, weakened
from arn_keras.power import ratio_to_db
from arn_keras.rooms import answer
from arn_keras.run import channels

PLANTED_PSR_DB = -60.0


def finished_rungs(path, say=print):
    """The journal of finished rungs, (settings, seed, protection, rung) -> rows.

    Args:
        path: its file, made if missing; one of before there were checksums is not used.
        say: called with each line for the user.

    Raises:
        RunDirError: as `Journal`.
    """
    earlier = path.with_suffix(".jsonl")
    if earlier.exists() and not path.exists():
        say(f"note: {earlier}: has no checksums and is not used; its rungs are run again")
    return Journal(path, say)


def climb(
    problem,
    pair,
    *,
    protections,
    seeds,
    effort,
    snr_db,
    psr_db,
    finished,
    others=None,
    made_from=None,
    say=print,
):
    """Every rung under every protection.

    Args:
        problem: `run.problem.Problem`.
        pair: trained (transmitter ARN, receiver ARN), or None for each.
        protections: names of `pair.PROTECTIONS`.
        seeds: integers; each is another Eve under other noise and keys.
        effort: `effort.Effort`.
        snr_db: SNR in dB of Bob's and of Eve's channel.
        psr_db: budget in dB.
        finished: `finished_rungs`: of rungs, or of their parts.
        others: pairs of public modules that are no ARNs, {protection: pair}.
        made_from: {protection: sums of the stages that it is measured on}: rungs on others are not
            these.
        say: called with each line for the user.

    Returns:
        List of rows (docs/audit.md).
    """
    others, made_from = others or {}, made_from or {}
    leaks = pair if pair[0] is not None else next(iter(others.values()), None) or problem.modules()
    signals = problem.signals, problem.transmit(problem.dataset.test)
    rotation = problem.rotation
    rows, settings = [], f"{effort} {snr_db} {psr_db}"  # rows under others are not these
    for seed in seeds:
        clean = {}
        for name in (*protections, "planted"):
            if name == "planted" and (seed != seeds[0] or leaks[0] is None):
                continue
            chosen, how = None, effort
            if name == "planted":
                leaking = Protection("planted", *leaks).at(snr_db)
                chosen = weakened(leaking, signals[1], PLANTED_PSR_DB)
                how = dataclasses.replace(
                    effort, restarts=1, recordings=(), looks=effort.looks[-1:]
                )
            else:
                chosen = protection(name, others.get(name, pair), rotation, problem.signal_shape)
            tap = Wiretap(
                problem,
                signals,
                snr_db=snr_db,
                psr_db=psr_db,
                protection=chosen,
                seed=seed,
                clean=clean,
            )
            for rung, part, attack in _rungs(name, chosen):
                by = f" {chosen.rotation.name}" if chosen.rotation else ""
                measured_on = made_from.get(name, "".join(made_from.values()))
                key = (f"{settings}{by} {measured_on}".rstrip(), seed, name, part)
                if finished.get(key) is None:
                    start = time.monotonic()
                    found = rung_rows(tap, rung, attack, how)
                    finished.add({key: found})
                    shown = [row["eve_accuracy"] for row in found if "eve_accuracy" in row]
                    best = f"{max(shown):.1%}" if shown else "measured"
                    say(
                        f"seed {seed}  {name:<10}{part:<16}{best:>9}"
                        f"{time.monotonic() - start:>7.1f} s"
                    )
                rows += finished.get(key)
    return rows


def _rungs(name, chosen):
    """What applies to a protection: [(rung, name of the part of it, attack), ...]."""
    planted = name == "planted"
    rungs = {} if planted else {"Bob": None}
    rungs |= {
        rung: each.attack
        for rung, each in ((rung, answer(RUNGS, rung)) for rung in RUNGS)
        if chosen.rotation or not each.keyed_only
    }
    rungs |= {"E7 planted norm": planted_norm} if planted else {}
    return [
        (rung, part, each)
        for rung, attack in rungs.items()
        for part, each in (
            [(f"{rung}, {number}", each) for number, each in enumerate(attack, start=1)]
            if isinstance(attack, tuple)
            else [(rung, attack)]
        )
    ]


def rung_rows(tap, rung, attack, effort):
    """Rows of one rung.

    Args:
        tap: `wiretap.Wiretap`.
        rung: its name.
        attack: (tap, effort) -> findings; None for what the protection costs Bob.
        effort: `effort.Effort`.
    """
    labels = tap.labels[1]
    common = {
        "rung": rung,
        "protection": tap.protection.name,
        "is_keyed": tap.protection.rotation is not None,
        "seed": tap.seed,
        "snr_db": float(tap.snr_db),
        "sources": len(labels),
        "majority_rate": majority_rate(labels),
        "effort": effort.name,
        **channels.fields(tap.problem.config),
    }
    if attack is None:
        more = bob(tap)
        added = more.pop("perturbation_power")
        psr_db = ratio_to_db(added) if added > 0 else None
        return [{**common, **more, "measured_psr_db": psr_db, "counts": False}]
    return [
        {
            **common,
            "eve": found.eve,
            "eve_accuracy": accuracy(found.logits, labels),
            "leakage_nats": leakage_nats(found.logits, labels),
            "counts": found.counts,
            "curve": found.curve,
            **found.more,
        }
        for found in attack(tap, effort)
    ]
