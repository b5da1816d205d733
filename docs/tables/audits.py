"""Audits: the ladder of eavesdroppers, frontiers and regions."""

from docs.tables.rows import groups, of, saved, table

#: Rungs of the ladder that tables show, in %.
RUNGS = {
    "E0": "frozen",
    "E1": "other architectures, frozen",
    "E2": "defended",
    "E3": "retrained",
    "E4": "larger, retrained",
    "E5": "with Bob's modules",
    "E6": "several looks",
    "E7": "power alone, neighbours",
    "E8": "attacks on keys",
}
HEADS = {"none": "no protection"}


def ladder(name, measure, protections, form=".2%"):
    """What a protection costs Bob and leaves Eve, rung by rung; each run's, joined by commas.

    Args:
        name: of the rows.
        measure: (field, heading) of Bob's.
        protections: those to show.
        form: of Bob's measure.
    """
    rows = groups(name, ("rung", "protection"))

    def cells(of):
        return [", ".join(of(protection)) for protection in protections]

    def bob(field, form):
        return cells(lambda each: [f"{row[field]:{form}}" for row in rows["Bob", each]])

    def best(rung):
        return lambda protection: [
            f"{100 * max(row['eve_accuracy'] for row in those):.1f}"
            for those in _by_run(rows.get((rung, protection), []))
        ]

    rungs = sorted(
        {rung for rung, protection in rows if rung[0] == "E" and protection != "planted"}
    )
    lines = [[measure[1], *bob(measure[0], form)], ["sent power", *bob("sent_power", ".3f")]]
    lines += [[f"{rung} {RUNGS[rung]}", *cells(best(rung))] for rung in rungs if rung in RUNGS]
    return table(["", *(HEADS.get(each, each) for each in protections)], lines)


def secrecy(names):
    """What a keyed pair is held to: {heading: rows}, a column each, and its target."""
    columns = [_secrecy(saved(name)) for name in names.values()]
    lines = [[claim, *(each[claim] for each in columns), TARGETS[claim]] for claim in TARGETS]
    return table(["keyed", *names, "target"], lines)


def reuse(names, eve="known plaintext, key reused"):
    """Accuracy in % after N messages under one key, which no transmitter does."""
    lines = []
    for head, name in names.items():
        those = groups(name, ("eve", "messages"))
        counts = sorted(messages for who, messages in those if who == eve)
        shares = [max(row["eve_accuracy"] for row in those[eve, count]) for count in counts]
        lines.append([head, *(f"{100 * share:.1f}" for share in shares)])
    return table(["messages under one key", *map(str, counts)], lines)


def frontier(name, measure, form):
    """Every point of a frontier: what it costs Bob, and the rungs of Eve's ladder in %.

    Args:
        name: of the rows.
        measure: (field, heading) of Bob's.
        form: of it.
    """
    lines = []
    for point in saved(name):
        budget, psr = (
            "-" if point[each] is None else f"{point[each]:.1f}"
            for each in ("psr_db", "measured_psr_db")
        )
        shares = [f"{100 * point[rung]:.1f}" for rung in ("E0", "E3", "E4", "E5")]
        worst = f"**{100 * point['worst']:.1f}**"
        value = f"{point[measure[0]]:{form}}"
        cells = [budget, psr, f"{point['sent_power']:.2f}", value, *shares, worst]
        lines.append([HEADS.get(point["protection"], point["protection"]), *cells])
    heads = ["", "budget dB", "measured PSR dB", "sent power", measure[1]]
    return table([*heads, "E0 frozen", "E3 retrained", "E4 larger", "E5", "worst"], lines)


def region(name):
    """Bob's MSE, and Eve frozen, retrained and with Bob's modules, where she stands; in %."""
    points = saved(name)
    offsets = sorted({point["eve_snr_offset_db"] for point in points})
    lines = []
    for protection in dict.fromkeys(point["protection"] for point in points):
        own = {p["eve_snr_offset_db"]: p for p in points if p["protection"] == protection}
        for rung, eve in (("E0", "frozen"), ("E3", "retrained"), ("E5", "with Bob's modules")):
            shares = [f"{100 * own[offset][rung]:.1f}" for offset in offsets]
            head = [HEADS.get(protection, protection), f"{own[offsets[0]]['mse']:.5f}"]
            lines.append([*(head if rung == "E0" else ["", ""]), eve, *shares])
    return table(["", "Bob's MSE", "Eve", *(f"{offset:+g} dB" for offset in offsets)], lines)


TARGETS = {
    "worst rung over the majority class, points": "1.0",
    "largest leakage of any rung, nats": "0.005",
    "Bob's MSE over the original link's": "0.3 %",
    "mean sent power": "within 0.1 % of 1",
    "MSE of a Bob with the wrong key, over the mean picture's": ">= 1",
    "remainder of the uniform rotation, nats a message": "",
}


def _secrecy(rows):
    keyed = [row for row in rows if row["protection"] == "keyed"]
    counted = [row for row in keyed if row["counts"]]
    bob = [row for row in keyed if row["rung"] == "Bob"]
    plain = [row for row in rows if row["rung"] == "Bob" and row["protection"] == "none"]
    worst = max(row["eve_accuracy"] - row["majority_rate"] for row in counted)
    wrong = [row for row in counted if row["eve"] == "wrong key"]
    figures = (
        f"{100 * worst:.2f}",
        f"{max(row['leakage_nats'] for row in counted):.5f}",
        f"{of(bob, 'mse') / of(plain, 'mse') - 1:+.2%}",
        f"{of(bob, 'sent_power'):.4f}",
        f"{min(row['mse'] / row['mse_mean_picture'] for row in wrong):.2f}",
        f"{max(row['remainder_nats'] for row in bob):.1e}",
    )
    return dict(zip(TARGETS, figures, strict=True))


def _by_run(rows):
    found = {}
    for row in rows:
        if row["counts"]:
            found.setdefault(row["run"], []).append(row)
    return found.values()
