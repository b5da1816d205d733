"""The tables of README.md and of docs/results.md that are written from saved rows, not by hand.

    python docs/tables.py                                  # writes every table anew
    python docs/tables.py --take letter-mnist RUN_DIR ...  # takes the rows of finished runs first
    python docs/tables.py --take writers RUN_DIR/audit ... # or of audits, frontiers, regions

A page says where a table stands, `<!-- table: NAME -->` to `<!-- end -->`; what is between is this
file's. Rows are in `docs/rows`, one file a set of seeds, of runs, of a sweep or of audits. Left
out: the large sweeps' tables, whose rows are too many to keep here.
"""

import argparse
import json
import pathlib
import re
import sys
from statistics import mean, stdev

DOCS = pathlib.Path(__file__).parent
ROWS = DOCS / "rows"
PAGES = [DOCS.parent / "README.md", DOCS / "results.md"]
CASES = {
    "original": "original link, no modules",
    "transmitter_only": "transmitter module only",
    "paired": "both modules",
}


#: {SNR in dB: (MSE in 1e-4, Eve in %)} of Fig. 3's white box, three seeds (docs/results.md).
A_PAIR_EACH = {
    **{-5: (290.9, 18.5), 0: (157.3, 19.9), 5: (90.0, 24.3), 10: (62.5, 20.4)},
    **{15: (51.9, 17.6), 20: (47.8, 16.9), 25: (46.3, 16.9)},
}
#: Rungs of the ladder that tables show, in %.
RUNGS = {
    "E0": "frozen",
    "E1": "other architectures, frozen",
    "E2": "defended",
    "E3": "retrained",
    "E4": "larger, retrained",
    "E5": "with Bob's modules",
    "E7": "power alone, neighbours",
    "E8": "attacks on keys",
}
HEADS = {"none": "no protection"}
EVES = ("frozen", "frozen_transformer", "frozen_dense")  # of sentences: the white box's, unseen


def groups(name, fields=("case", "knowledge")):
    """Rows of `docs/rows/NAME.json`, {what these fields say: its rows, one a seed}."""
    found = {}
    for row in json.loads((ROWS / f"{name}.json").read_text()):
        found.setdefault(tuple(row[field] for field in fields), []).append(row)
    return found


def table(heads, lines):
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *lines))


def short(name):
    """Means alone, for the README: the letter's white box, and both modules in the black box."""
    lines, rows = [], groups(name)
    for (case, knowledge), those in rows.items():
        if (case, knowledge) == ("transmitter_only", "black"):
            continue
        box = f", {knowledge} box" if knowledge else ""
        psr = f"{_of(those, 'measured_psr_db'):.1f} dB" if knowledge else "-"
        mse, eve = _of(those, "mse"), _of(those, "eve_accuracy")
        lines.append([CASES[case] + box, f"{mse:.4f}", f"{eve:.3f}", psr])
    return table(["case", "Bob's MSE", "Eve's accuracy", "measured PSR"], lines)


def full(name):
    """Mean and sample deviation over the seeds, and each seed where it is asked about."""
    lines, rows = [], groups(name)
    plain = [row["mse"] for row in rows["original", None]]
    for (case, knowledge), those in rows.items():
        ratios = [row["mse"] / mse for row, mse in zip(those, plain, strict=True)]
        each = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        shares = ", ".join(f"{row['eve_accuracy']:.3f}" for row in those)
        lines.append(
            [
                CASES[case],
                knowledge or "-",
                _spread(those, "mse", ".5f"),
                f"{mean(ratios):.3f} ({each})" if knowledge else "1",
                _spread(those, "psnr_db", ".2f"),
                f"{_spread(those, 'eve_accuracy', '.3f')} ({shares})",
                f"{_of(those, 'eve_confidence'):.3f}",
                _spread(those, "measured_psr_db", ".2f") if knowledge else "-",
            ]
        )
    heads = ["case", "knowledge", "Bob's MSE", "over original", "PSNR dB", "Eve's accuracy"]
    return table([*heads, "Eve's confidence", "measured PSR dB"], lines)


def sentences(name):
    """Each seed's quality and every eavesdropper of it, of runs of sentences."""
    lines = []
    for (seed, case, knowledge), those in sorted(
        groups(name, ("seed", "case", "knowledge")).items(), key=str
    ):
        if case == "transmitter_only":
            continue
        row = those[0]
        eves = {row["eve"]: row["eve_accuracy"] for row in those}
        psr = f"{row['measured_psr_db']:.2f}" if knowledge else "-"
        lines.append(
            [
                str(seed),
                CASES[case] + (f", {knowledge} box" if knowledge else ""),
                *(f"{row[field]:.4f}" for field in ("bleu4", "bleu1", "token_accuracy")),
                f"{row['exact']:.3f}",
                *(f"{eves[eve]:.3f}" for eve in EVES),
                psr,
                f"{row['sent_power']:.3f}",
            ]
        )
    heads = ["seed", "", "BLEU-4", "BLEU-1", "tokens", "exact"]
    eves = ["Eve with convolutions", "transformer", "dense"]
    return table([*heads, *eves, "measured PSR dB", "sent power"], lines)


def told(name):
    """One pair that is told the SNR, of a sweep, beside Fig. 3's, which have a pair for each."""
    lines, rows = [], groups(name, ("snr_db", "case"))
    for snr_db, (mse, eve) in A_PAIR_EACH.items():
        plain, one = rows[snr_db, "original"], rows[snr_db, "paired"]
        lines.append(
            [
                f"{snr_db:g}",
                f"{1e4 * _of(plain, 'mse'):.1f}",
                f"{mse:.1f}",
                f"{1e4 * _of(one, 'mse'):.1f}",
                f"**{1e4 * _of(one, 'mse') / mse - 1:+.1%}**",
                ", ".join(f"{1e4 * row['mse'] / mse - 1:+.1%}" for row in one),
                f"{eve:.1f}",
                f"{100 * _of(one, 'eve_accuracy'):.1f}",
                f"**{100 * _of(one, 'eve_accuracy') - eve:+.1f}**",
                f"{_of(one, 'measured_psr_db'):.2f}",
                f"{_of(one, 'sent_power'):.3f}",
            ]
        )
    heads = ["SNR dB", "MSE, no modules", "a pair each", "one pair", "more", "each seed"]
    eve = ["Eve %, a pair each", "one pair", "points", "one pair's PSR dB", "sent power"]
    return table([*heads, *eve], lines)


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


def frontier(name, measure, form):
    """Every point of a frontier: what it costs Bob, and the rungs of Eve's ladder in %.

    Args:
        name: of the rows.
        measure: (field, heading) of Bob's.
        form: of it.
    """
    lines = []
    for point in json.loads((ROWS / f"{name}.json").read_text()):
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
    points = json.loads((ROWS / f"{name}.json").read_text())
    offsets = sorted({point["eve_snr_offset_db"] for point in points})
    lines = []
    for protection in dict.fromkeys(point["protection"] for point in points):
        own = {p["eve_snr_offset_db"]: p for p in points if p["protection"] == protection}
        for rung, eve in (("E0", "frozen"), ("E3", "retrained"), ("E5", "with Bob's modules")):
            shares = [f"{100 * own[offset][rung]:.1f}" for offset in offsets]
            head = [HEADS.get(protection, protection), f"{own[offsets[0]]['mse']:.5f}"]
            lines.append([*(head if rung == "E0" else ["", ""]), eve, *shares])
    return table(["", "Bob's MSE", "Eve", *(f"{offset:+g} dB" for offset in offsets)], lines)


def _by_run(rows):
    found = {}
    for row in rows:
        if row["counts"]:
            found.setdefault(row["run"], []).append(row)
    return found.values()


def _of(rows, field):
    return mean(row[field] for row in rows)


def _spread(rows, field, form):
    return f"{_of(rows, field):{form}} ± {stdev(row[field] for row in rows):{form}}"


TABLES = {
    "letter": lambda: short("letter-mnist"),
    "letter, full": lambda: full("letter-mnist"),
    "digits": lambda: full("digits"),
    "sentences": lambda: sentences("text-trec"),
    "told": lambda: told("told-mnist"),
    "rayleigh": lambda: full("rayleigh-mnist"),
    "rayleigh, pilots": lambda: full("rayleigh-pilots-mnist"),
    "writers": lambda: ladder("writers", ("accuracy", "Bob's digits"), ("none", "purge")),
    "writers, frontier": lambda: frontier("writers-frontier", ("accuracy", "Bob's digits"), ".2%"),
    "population, frontier": lambda: frontier("population-frontier", ("mse", "Bob's MSE"), ".5f"),
    "region, rayleigh": lambda: region("region-rayleigh"),
    "region, awgn": lambda: region("region-awgn"),
    "sentences, audit": lambda: ladder(
        "text-trec-audit", ("bleu4", "BLEU-4"), ("none", "arn", "keyed"), ".4f"
    ),
}


def written(text):
    """A page with every table of it as the rows have it."""
    return re.sub(
        r"(<!-- table: ([^>]+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


def take(name, runs):
    """Keeps the rows of finished runs or sweeps, one a seed, as `docs/rows/NAME.json`."""
    rows = [row for run in runs for row in _rows(run)]
    (ROWS / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")


def _rows(run):
    if run.name in ("frontier.json", "region.json"):
        return json.loads(run.read_text())["points"]
    if (run / "audit.json").exists():
        seed = json.loads((run.parent / "config.json").read_text())["config"]["seed"]
        rows = json.loads((run / "audit.json").read_text())["rows"]
        return [{k: v for k, v in row.items() if k != "curve"} | {"run": seed} for row in rows]
    if (run / "results.json").exists():
        return json.loads((run / "results.json").read_text())
    sys.path.insert(0, str(DOCS.parent))
    from arn_keras.measure.sweep_rows import read_rows

    return list(read_rows(run).values())


def main(arguments=None):
    """Writes the tables."""
    parser = argparse.ArgumentParser(description="Writes the pages' tables from saved rows.")
    parser.add_argument(
        "--take", nargs="+", metavar=("NAME", "RUN_DIR"), help="take the rows of runs first"
    )
    taken = parser.parse_args(arguments).take
    if taken:
        take(taken[0], [pathlib.Path(run) for run in taken[1:]])
    for page in PAGES:
        page.write_text(written(page.read_text()))


if __name__ == "__main__":
    main()
