"""The whole ladder: every rung under every protection and seed; a finished one is kept for good."""

import dataclasses
import json
import os
import time

from arn_keras.audit.fresh_rungs import averaged, fresh, larger, planted_norm, simple
from arn_keras.audit.frozen_rungs import defended, frozen, kerckhoffs, unseen
from arn_keras.audit.keyed_rungs import bob, key_attacks
from arn_keras.audit.wiretap import Wiretap
from arn_keras.data.preprocessing import unit_interval
from arn_keras.measure.leakage import accuracy, leakage_nats, majority_rate
from arn_keras.pair.chain import protection, weakened
from arn_keras.power import ratio_to_db
from arn_keras.training.transmit import transmit

LADDER = {
    "E0": frozen,
    "E1": unseen,
    "E2": defended,
    "E3": fresh,
    "E4": larger,
    "E5": kerckhoffs,
    "E6": averaged,
    "E7": simple,
}
PLANTED_PSR_DB = -60.0


class FinishedRungs:
    """Rows on disk, one line a rung: appended when it is done, and never worked out again.

    A line that was cut by a kill is dropped.

    Args:
        path: the file; made if missing.
    """

    def __init__(self, path):
        self._path = path
        self._done = {}
        whole = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break
                try:
                    entry = json.loads(line)
                    self._done[tuple(entry["key"])] = entry["rows"]
                except (ValueError, KeyError, TypeError):
                    break
                whole += len(line)
            os.truncate(path, whole)

    def get(self, key):
        """Rows of a rung, or None if it was not finished."""
        return self._done.get(key)

    def add(self, key, rows):
        """Keeps the rows of a finished rung, durably."""
        with open(self._path, "a") as stream:
            stream.write(json.dumps({"key": key, "rows": rows}, allow_nan=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._done[key] = rows


def climb(
    link,
    eavesdropper,
    pair,
    splits,
    *,
    protections,
    seeds,
    effort,
    snr_db,
    psr_db,
    finished,
    say=print,
):
    """Every rung under every protection.

    Args:
        link: trained (transmitter, receiver).
        eavesdropper: the letter's Eve, trained on unprotected signals.
        pair: trained (transmitter ARN, receiver ARN).
        splits: training and test `data.images.Split`.
        protections: names of `pair.PROTECTIONS`.
        seeds: integers; each is another Eve under other noise and keys.
        effort: `effort.Effort`.
        snr_db: SNR in dB of Bob's and of Eve's channel.
        psr_db: budget in dB.
        finished: `FinishedRungs`.
        say: called with each line for the user.

    Returns:
        List of rows (docs/audit.md).
    """
    for part in (*link, eavesdropper, *pair):
        part.trainable = False
    signals = tuple(transmit(link[0], split.images, unit_interval) for split in splits)
    rows, settings = [], f"{effort} {snr_db} {psr_db}"  # rows under others are not these
    for seed in seeds:
        clean = {}
        for name in (*protections, "planted"):
            if name == "planted" and seed != seeds[0]:
                continue
            chosen, how = None, effort
            if name == "planted":
                chosen = weakened(protection("arn", pair), signals[1], PLANTED_PSR_DB)
                how = dataclasses.replace(
                    effort, restarts=1, recordings=(), looks=effort.looks[-1:]
                )
            else:
                chosen = protection(name, pair)
            tap = Wiretap(
                link[1],
                eavesdropper,
                signals,
                splits,
                snr_db=snr_db,
                psr_db=psr_db,
                protection=chosen,
                seed=seed,
                clean=clean,
            )
            for rung, attack in _rungs(name, chosen).items():
                key = (settings, seed, name, rung)
                if finished.get(key) is None:
                    start = time.monotonic()
                    found = rung_rows(tap, rung, attack, how)
                    finished.add(key, found)
                    shown = [row["eve_accuracy"] for row in found if "eve_accuracy" in row]
                    best = f"{max(shown):.1%}" if shown else "measured"
                    say(
                        f"seed {seed}  {name:<10}{rung:<16}{best:>9}"
                        f"{time.monotonic() - start:>7.1f} s"
                    )
                rows += finished.get(key)
    return rows


def _rungs(name, chosen):
    """The rungs that apply to a protection."""
    if name == "planted":
        return {**LADDER, "E7 planted norm": planted_norm}
    found = {"Bob": None, **LADDER}
    return {**found, "E8": key_attacks} if chosen.rounds else found


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
        "seed": tap.seed,
        "snr_db": float(tap.snr_db),
        "sources": len(labels),
        "majority_rate": majority_rate(labels),
        "effort": effort.name,
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
