"""Writes every table anew, with the rows of finished runs where they are named.

    python -m docs.tables                                  # every table of every page
    python -m docs.tables --take letter-mnist RUN_DIR ...  # takes the rows of finished runs first
    python -m docs.tables --take writers RUN_DIR/audit ... # or of audits, regions, bundles, ...

A page says where a table stands, `<!-- table: NAME -->` to `<!-- end -->`; what is between is this
file's. Rows are in `docs/rows`, one file a set of seeds, of runs, of a sweep or of audits. Left
out: the large sweeps' tables, whose rows are too many to keep here.
"""

import argparse
import pathlib
import re

from docs.tables.audits import frontier, ladder, region
from docs.tables.black_box import ensemble
from docs.tables.exported import exported
from docs.tables.letter import full, keyed, short
from docs.tables.pictures import pictures
from docs.tables.sentences import sentences
from docs.tables.taken import take
from docs.tables.told import told

DOCS = pathlib.Path(__file__).parents[1]
PAGES = [DOCS.parent / "README.md", DOCS / "results.md"]
TABLES = {
    "letter": lambda: short("letter-mnist"),
    "letter, full": lambda: full("letter-mnist"),
    "digits": lambda: full("digits"),
    "keyed": lambda: keyed("keyed-mnist"),
    "ensemble": lambda: ensemble("ensemble-mnist"),
    "exported": lambda: exported("exported-mnist"),
    "pictures": lambda: pictures("deepjscc-cifar10"),
    "pictures, ensemble": lambda: pictures("deepjscc-ensemble"),
    "pictures, audit": lambda: ladder(
        "deepjscc-audit", ("psnr_db", "PSNR dB"), ("none", "arn", "keyed"), ".2f"
    ),
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
