"""Saved rows, and what every table of them is made with."""

import json
import pathlib
from statistics import mean, stdev

ROWS = pathlib.Path(__file__).parents[1] / "rows"
CASES = {
    "original": "original link, no modules",
    "transmitter_only": "transmitter module only",
    "paired": "both modules",
}


def saved(name):
    """Rows of `docs/rows/NAME.json`, as they are."""
    return json.loads((ROWS / f"{name}.json").read_text())


def groups(name, fields=("case", "knowledge")):
    """Those rows, {what these fields say: its rows, one a seed}; a field may not be there."""
    found = {}
    for row in saved(name):
        found.setdefault(tuple(row.get(field) for field in fields), []).append(row)
    return found


def table(heads, lines):
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *lines))


def of(rows, field):
    """Mean of a field."""
    return mean(row[field] for row in rows)


def spread(rows, field, form):
    """Mean and sample deviation of a field."""
    return f"{of(rows, field):{form}} ± {stdev(row[field] for row in rows):{form}}"
