"""The audit's report in Markdown, written from its rows only; a reader has two minutes."""

from arn_keras.audit import RUNGS
from arn_keras.measure.guessing import RISK, accuracy_limit, leakage_limit
from arn_keras.rooms import answer


def headline(rows):
    """The worst case of each protection: the row of the Eve who named most labels.

    Args:
        rows: as in `audit.json`.

    Returns:
        {protection: row}, in the order of the rows; added are `worst_leakage_nats`, the largest
        leakage of any row that counts, and what Eves who guess exceed with probability
        `guessing_risk` only, at `looks` looks at the test sources (each measured epoch of each
        Eve and restart): `guessing_accuracy` and `guessing_leakage_nats`.
    """
    found = {}
    for row in rows:
        if row["counts"] and row["protection"] != "planted":
            found.setdefault(row["protection"], []).append(row)
    return {
        protection: max(each, key=lambda row: row["eve_accuracy"])
        | {"worst_leakage_nats": max(row["leakage_nats"] for row in each)}
        | _guessing(each)
        for protection, each in found.items()
    }


def _guessing(rows):
    looks = sum(max(1, len(row["curve"])) * row.get("restarts", 1) for row in rows)
    sources = rows[0]["sources"]
    return {
        "looks": looks,
        "guessing_risk": RISK,
        "guessing_accuracy": accuracy_limit(rows[0]["majority_rate"], sources, looks),
        "guessing_leakage_nats": leakage_limit(sources, looks),
    }


def report(audit):
    """The whole report.

    Args:
        audit: contents of `audit.json`.

    Returns:
        Markdown.
    """
    rows, worst, measure = audit["rows"], audit["headline"], audit["measure"]
    majority = rows[0]["majority_rate"]
    field, title, form = measure["field"], measure["title"], measure["form"]
    lines = [
        f"# Audit of {audit['dataset']}, SNR {audit['snr_db']:g} dB, "
        f"PSR budget {audit['psr_db']:g} dB",
        "",
        f"Who hears nothing is right {majority:.1%} of the time (the majority class), and the "
        f"label holds {audit['entropy_nats']:.3f} nats. The worst case counts: the best Eve of all "
        "rungs and seeds, at her best epoch.",
        "",
        f"| protection | {title} | sent power | Eve of the letter (E0) | **worst case** | by "
        "| leakage, nats |",
        "|---|---|---|---|---|---|---|",
    ]
    for protection, row in worst.items():
        bob = [r for r in rows if r["rung"] == "Bob" and r["protection"] == protection]
        zero = _of(rows, "E0", protection)
        lines.append(
            f"| {protection} | {_mean(bob, field):{form}} | {_mean(bob, 'sent_power'):.4f} "
            f"| {_top(zero):.1%} | **{row['eve_accuracy']:.1%}** | {row['rung']} {row['eve']} "
            f"| {row['worst_leakage_nats']:.3f} |"
        )
    lines += [
        "",
        *_sentences(worst, majority),
        *_answers(rows),
        *_remainders(rows),
        "",
        "## Doubts",
        "",
    ]
    for each in audit["warnings"]:
        lines += [
            f"- **{each['check']}**: {each['detail']}. Raised if {each['raised_if']}. "
            f"Why: {each['why']}. Do: {each['do']}."
        ]
    if not audit["warnings"]:
        lines += ["None: every self-check passed (docs/audit.md lists them)."]
    lines += ["", "![Ladder, convergence, recordings](audit.png)", "", "## The ladder", ""]
    lines += _table(rows, list(worst))
    lines += _rounds(rows)
    lines += _reuse(rows)
    lines += [
        "",
        "## How it was made",
        "",
        f"`{audit['command']}`, effort {audit['effort']}, seeds "
        f"{', '.join(map(str, audit['seeds']))}, {rows[0]['sources']} test sources, "
        f"{audit['seconds']:.0f} s. What each rung is and how to read this: docs/audit.md.",
        "",
    ]
    return "\n".join(lines)


def _of(rows, rung, protection):
    return [r for r in rows if r["rung"] == rung and r["protection"] == protection]


def _top(rows):
    return max((row["eve_accuracy"] for row in rows), default=float("nan"))


def _mean(rows, field):
    return sum(row[field] for row in rows) / len(rows) if rows else float("nan")


def _sentences(worst, majority):
    for protection, row in worst.items():
        if protection == "none":
            continue
        accuracy, nats = row["guessing_accuracy"], row["guessing_leakage_nats"]
        if row["eve_accuracy"] > accuracy:
            above = row["eve_accuracy"] - majority
            verdict = f"Eve is {100 * above:.1f} points above guessing: not secrecy"
        elif row["worst_leakage_nats"] > nats:
            verdict = f"Eve can use {row['worst_leakage_nats']:.4f} nats of the label: not secrecy"
        else:
            verdict = "no Eve of this ladder does better than guessing"
        yield (
            f"- `{protection}`: {verdict}. Luck stays below {accuracy:.1%} and {nats:.4f} nats in "
            f"{1 - row['guessing_risk']:.0%} of ladders of {row['looks']} looks at "
            f"{row['sources']} sources."
        )


def _answers(rows):
    known = [row for row in rows if "answer_accuracy" in row][:1]
    for row in known:
        yield (
            f"- Bob's true answer alone names {row['answer_accuracy']:.1%} of the labels "
            f"({row['answer_leakage_nats']:.4f} nats): no scheme goes below that."
        )


def _remainders(rows):
    keyed = [row for row in rows if row["rung"] == "Bob" and "rotation" in row]
    for protection in dict.fromkeys(row["protection"] for row in keyed):
        each = [row for row in keyed if row["protection"] == protection]
        if each[0]["rotation"] != "haar":
            yield (
                f"- `{protection}`: the {each[0]['rotation']} rotation, of which attacks tried are "
                "all that is claimed."
            )
            continue
        shift, nats = (max(row[name] for row in each) for name in ("shift", "remainder_nats"))
        yield (
            f"- `{protection}`: the exactly uniform rotation. What any Eve learns is bounded by "
            f"what she can do against ChaCha20, plus d^2 / (2 v) = {nats:.1e} nats a message, "
            f"d = {shift:.1e} (docs/threat-model.md)."
        )


def _label(row):
    for field in ("recordings", "looks", "messages"):
        if field in row:
            return f"{row['eve']}, {row[field]} {field}"
    return row["eve"]


def _table(rows, protections):
    lines = [f"| rung | Eve | {' | '.join(protections)} |", "|---" * (2 + len(protections)) + "|"]
    for rung in RUNGS:
        name = answer(RUNGS, rung).about
        chosen = [row for row in rows if row["rung"] == rung and row["counts"]]
        for label in dict.fromkeys(_label(row) for row in chosen):
            cells = []
            for protection in protections:
                each = [r for r in chosen if r["protection"] == protection and _label(r) == label]
                leak = max((row["leakage_nats"] for row in each), default=0.0)
                cells.append(f"{_top(each):.1%} ({leak:.2f})" if each else "-")
            lines.append(f"| {rung} {name} | {label} | {' | '.join(cells)} |")
    return [*lines, "", "Accuracy of the best seed, and her leakage in nats in brackets."]


def _of_keys(rows):
    return [row for row in rows if row["rung"] == "E8" and not row["counts"]]


def _rounds(rows):
    chosen = [row for row in _of_keys(rows) if "rounds" in row]
    if not chosen:
        return []
    lines = [
        "",
        "## How many rounds it takes",
        "",
        "An Eve without noise who undoes the last mixing, against keyed modules of R rounds:",
        "",
        "| protection | rounds | accuracy | leakage, nats |",
        "|---|---|---|---|",
    ]
    for key in dict.fromkeys((r["protection"], r["rounds"]) for r in chosen):
        each = [r for r in chosen if (r["protection"], r["rounds"]) == key]
        leak = max(row["leakage_nats"] for row in each)
        lines.append(f"| {key[0]} | {key[1]} | {_top(each):.1%} | {leak:.3f} |")
    return lines


def _reuse(rows):
    chosen = [row for row in _of_keys(rows) if "messages" in row]
    if not chosen:
        return []
    lines = [
        "",
        "## What reuse of a key costs",
        "",
        "A transmitter never uses a key twice. If it did, this is what Eve would have after N "
        "messages under one key:",
        "",
    ]
    lines += ["| protection | Eve | messages | accuracy |", "|---|---|---|---|"]
    for key in dict.fromkeys((r["protection"], r["eve"], r["messages"]) for r in chosen):
        each = [r for r in chosen if (r["protection"], r["eve"], r["messages"]) == key]
        lines.append(f"| {key[0]} | {key[1]} | {key[2]} | {_top(each):.1%} |")
    return lines
