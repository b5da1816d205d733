"""The audit's doubts about itself: each says when it is raised, why, and what to do.

After AutoAttack's checks (Croce and Hein, ICML 2020): an eavesdropper who is broken by construction
proves nothing, so a ladder that contradicts itself is reported with its result.
"""

from arn_keras.audit import RUNGS
from arn_keras.measure.guessing import accuracy_limit, difference_limit
from arn_keras.pair import PROTECTIONS
from arn_keras.pair.protection import ARN
from arn_keras.rooms import answer

#: Accuracy by which a rung may fall short of the one it contains: training is not exact. On a small
#: test set luck may do more, and what it does is allowed (`guessing.difference_limit`).
SLACK = 0.03
WEAK_SLACK = 0.05

#: Accuracy above the majority class that finding a planted norm takes, and breaking a reused key.
FOUND, BROKEN = 0.05, 0.2

#: By which the mean power of a test set may differ from that of the training set.
POWER_SLACK = 0.01

CHECKS = {
    "clean Eve too weak": (
        "the letter's Eve names fewer unprotected labels than the best Eve does, by over 5 points "
        "and by more than luck would",
        "a protection looks good against an Eve who was never any good",
        "train her longer (--eve-epochs) and run again",
    ),
    "weaker than what it contains": (
        f"a rung's best Eve is over {SLACK:.0%} below that of a rung whose means she has too, and "
        "by more than luck would",
        "she was trained too little, and the ladder understates what is possible",
        "run without --quick, or read the stronger rung's number for both",
    ),
    "over budget": (
        "the measured perturbation power is over the PSR budget by more than 0.1 dB",
        "a protection that takes more power than it was given is not the one that was asked for",
        "raise w1 or train the pair longer, then run again",
    ),
    "over power": (
        f"a module that was trained without a budget sends over 1 by more than {POWER_SLACK:.0%}",
        "what Bob reads well is then bought with power that the link was not given",
        "train it longer, then run again",
    ),
    "planted leak not found": (
        f"a perturbation of -60 dB leaves a rung over {SLACK:.0%} (and more than luck would) "
        "below its accuracy without any, or the norm-only Eve misses a norm that tells the label, "
        "or known plaintext under one key does not break it",
        "an attack that misses a planted leak says nothing by failing elsewhere",
        "report it as a defect of this audit; do not trust that rung",
    ),
    "norm not constant": (
        "the power of a keyed message varies by more than 0.1 % between messages",
        "a rotation keeps the norm, so a norm that depends on the source tells Eve of it",
        "normalise each message in front of the keyed module",
    ),
}


def best(rows, rung, protection, **fields):
    """Highest accuracy of a rung under a protection, or None where there is no such row."""
    found = [
        row["eve_accuracy"]
        for row in rows
        if row["rung"] == rung
        and row["protection"] == protection
        and all(row.get(name) == value for name, value in fields.items())
    ]
    return max(found, default=None)


def warnings(rows, psr_db):
    """Checks a ladder's rows.

    Args:
        rows: as in `audit.json`.
        psr_db: the run's budget in dB.

    Returns:
        List of {"check", "detail", "raised_if", "why", "do"}, empty if nothing is in doubt.
    """
    found = [*_weak(rows), *_contained(rows), *_budgets(rows, psr_db), *_planted(rows)]
    return [
        {"check": check, "detail": detail}
        | dict(zip(("raised_if", "why", "do"), CHECKS[check], strict=True))
        for check, detail in found
    ]


def _short(rows, accuracy, expected, slack):
    """Whether an accuracy is short of another by more than is allowed, and by more than by luck."""
    pairs = len(RUNGS) * len({row["protection"] for row in rows})
    luck = difference_limit(accuracy, expected, rows[0]["sources"], pairs)
    return accuracy < expected - max(slack, luck)


def _above_guessing(row, margin):
    """The accuracy that neither the majority class by a margin nor a lucky guess explains."""
    chance, sources = row["majority_rate"], row["sources"]
    return max(chance + margin, accuracy_limit(chance, sources, len(RUNGS)))


def _weak(rows):
    clean = [best(rows, rung, "none") for rung in ("E0", "E1", "E3", "E4")]
    others = [value for value in clean[1:] if value is not None]
    if clean[0] is not None and others and _short(rows, clean[0], max(others), WEAK_SLACK):
        yield "clean Eve too weak", f"{clean[0]:.3f}, the best {max(others):.3f}"


def _contained(rows):
    for protection in sorted({row["protection"] for row in rows} - {"planted"}):
        for rung in RUNGS:
            inner = answer(RUNGS, rung).contains
            outer, contained = best(rows, rung, protection), best(rows, inner, protection)
            if None not in (outer, contained) and _short(rows, outer, contained, SLACK):
                yield (
                    "weaker than what it contains",
                    f"{protection}: {rung} {outer:.3f}, {inner} {contained:.3f}",
                )


def _budgets(rows, psr_db):
    for row in rows:
        if row["rung"] != "Bob":
            continue
        name, measured = row["protection"], row["measured_psr_db"]
        means = answer(PROTECTIONS, name) if name in PROTECTIONS else ARN
        budgeted = means.arns and not means.keyed and measured is not None
        if budgeted and measured > psr_db + 0.1:
            yield (
                "over budget",
                f"{name}: {measured:.2f} dB, budget {psr_db:g} dB, seed {row['seed']}",
            )
        if means.trained and row["sent_power"] > 1 + POWER_SLACK:
            yield "over power", f"{name}: {row['sent_power']:.4f}, seed {row['seed']}"
        if means.keyed and row["norm_spread"] > 1e-3:
            yield "norm not constant", f"{name}: {row['norm_spread']:.2%}, seed {row['seed']}"


def _planted(rows):
    for rung in sorted({row["rung"] for row in rows if row["protection"] == "planted"}):
        seeds = {row["seed"] for row in rows if row["protection"] == "planted"}
        for seed in sorted(seeds):
            found = best(rows, rung, "planted", seed=seed)
            clean = best(rows, rung, "none", seed=seed)
            if rung == "E7 planted norm":
                (row,) = (r for r in rows if r["rung"] == rung and r["seed"] == seed)
                clean = _above_guessing(row, FOUND)
                short = found < clean
            else:
                short = clean is not None and _short(rows, found, clean, SLACK)
            if short:
                yield "planted leak not found", f"{rung}: {found:.3f}, expected {clean:.3f}"
    for protection in sorted({row["protection"] for row in rows if row["is_keyed"]}):
        reused = best(rows, "E8", protection, eve="known plaintext, key reused")
        if reused is not None and reused < _above_guessing(rows[0], BROKEN):
            yield (
                "planted leak not found",
                f"{protection}: known plaintext, key reused {reused:.3f}",
            )
