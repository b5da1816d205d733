"""Rows of finished runs, kept for the tables."""

import json

from docs.tables.rows import ROWS


def take(name, runs):
    """Keeps the rows of finished runs or sweeps, one a seed, as `docs/rows/NAME.json`."""
    rows = [row for run in runs for row in _rows(run)]
    lines = ",\n".join(map(json.dumps, rows))
    (ROWS / f"{name}.json").write_text(f"[\n{lines}\n]\n")


def _rows(run):
    if run.name in ("frontier.json", "region.json"):
        return json.loads(run.read_text())["points"]
    if (run / "manifest.json").exists():
        return _precisions(json.loads((run / "manifest.json").read_text()))
    if (run / "audit.json").exists():
        seed = json.loads((run.parent / "config.json").read_text())["config"]["seed"]
        rows = json.loads((run / "audit.json").read_text())["rows"]
        return [{k: v for k, v in row.items() if k != "curve"} | {"run": seed} for row in rows]
    if (run / "results.json").exists():
        return json.loads((run / "results.json").read_text())
    from arn_keras.measure.sweep_rows import read_rows

    return list(read_rows(run).values())


def _precisions(bundle):
    """A bundle's rows, for those that have one precision at both ends."""
    modules = bundle["modules"]
    return [
        {"seed": bundle["seed"], **row, "bytes": [modules[end][kind]["bytes"] for end in modules]}
        for row in bundle["parity"]
        if (kind := row["transmitter"]) == row["receiver"]
    ]
