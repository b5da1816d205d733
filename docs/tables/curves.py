"""The letter's Fig. 3 and Fig. 4, and its claims, of a sweep's rows."""

from docs.tables.rows import of, saved, spread, table

BUDGET_DB, SNR_DB = -10.0, 10.0  # of Fig. 3, of Fig. 4
#: {(case, knowledge, whether the pair was trained over all SNRs): its line}.
LINES = {
    ("original", None, False): "original link",
    ("transmitter_only", "white", False): "transmitter module only, white box",
    ("paired", "white", False): "both modules, white box",
    ("paired", "white", True): "the same, one pair trained over all SNRs",
    ("transmitter_only", "black", False): "transmitter module only, black box",
    ("paired", "black", False): "both modules, black box",
    ("paired", "black", True): "the same, one pair trained over all SNRs",
    ("fgsm", "white", False): "FGSM of the same power, white box",
    ("fgsm", "black", False): "FGSM of the same power, black box",
    ("random_noise", "white", False): "random noise of the same power",
}


def figure_3(name, dataset):
    """At each SNR, under one budget."""
    points = _points(name, dataset)
    snrs_db = sorted({snr_db for *_, snr_db, _ in points})
    return _table("SNR dB", points, {snr_db: (snr_db, BUDGET_DB) for snr_db in snrs_db})


def figure_4(name, dataset):
    """For each budget, at one SNR; the link has none and is the same in each column."""
    points = {key: rows for key, rows in _points(name, dataset).items() if not key[2]}
    budgets = sorted({psr_db for *_, psr_db in points} - {None})
    return _table("PSR budget dB", points, {psr_db: (SNR_DB, psr_db) for psr_db in budgets})


def claims(name, datasets):
    """What the letter says, and what the rows say to it, a column a data set."""
    sweeps = [_Sweep(name, dataset) for dataset in datasets]
    return table(
        ["the letter says", *datasets.values()],
        [[claim, *map(answer, sweeps)] for claim, answer in CLAIMS.items()],
    )


class _Sweep:
    """Means over the seeds, of one data set.

    Args:
        name: of the rows.
        dataset: its name there.
    """

    def __init__(self, name, dataset):
        self._points = _points(name, dataset)
        self.snrs_db = sorted({snr_db for *_, snr_db, _ in self._points})
        self.psrs_db = sorted({psr_db for *_, psr_db in self._points} - {None})

    def mean(self, field, case, knowledge=None, snr_db=SNR_DB, psr_db=BUDGET_DB, ranged=False):
        """Of a field, at one point."""
        budget = None if case == "original" else psr_db
        return of(self._points[case, knowledge, ranged, snr_db, budget], field)

    def mse(self, *of_what, **where):
        """Bob's."""
        return self.mean("mse", *of_what, **where)

    def eve(self, *of_what, **where):
        """Her accuracy in %, as a table has it."""
        return f"{100 * self.mean('eve_accuracy', *of_what, **where):.0f}"


def _receiver_helps(sweep):
    points = [{"snr_db": snr_db} for snr_db in sweep.snrs_db]
    points += [{"psr_db": psr_db} for psr_db in sweep.psrs_db]
    gains = [
        sweep.mse("transmitter_only", box, **where) / sweep.mse("paired", box, **where)
        for where in points
        for box in ("white", "black")
    ]
    said = "yes, everywhere" if min(gains) > 1 else "**no**, not everywhere"
    return f"{said}: {min(gains):.1f} to {max(gains):.1f} times"


def _close_to_the_link(sweep):
    def ratio(snr_db, box):
        return sweep.mse("paired", box, snr_db=snr_db) / sweep.mse("original", snr_db=snr_db)

    above = [ratio(snr, box) for snr in sweep.snrs_db if snr >= 5 for box in ("white", "black")]
    least = sweep.snrs_db[0]
    return (
        f"from 5 dB up {min(above):.2f} to {max(above):.2f} times; at {least:g} dB "
        f"{ratio(least, 'white'):.2f} times: the link was trained at 10 dB, Bob's module denoises"
    )


def _eve_falls(sweep):
    def steps(box):
        shares = [sweep.eve("paired", box, psr_db=psr_db) for psr_db in sweep.psrs_db]
        return f"{', '.join([sweep.eve('original'), *shares])} % ({box})"

    return f"{steps('white')}; {steps('black')}: without a pair, and from -20 to 0 dB"


def _verge(sweep):
    most = sweep.psrs_db[-1]
    return " and ".join(
        f"{sweep.eve('paired', box, psr_db=most)} % ({box})" for box in ("white", "black")
    )


def _mse_stays_low(sweep):
    those = [
        sweep.mse("paired", box, psr_db=psr_db)
        for psr_db in sweep.psrs_db
        for box in ("white", "black")
    ]
    ends = f"{1e4 * min(those):.0f} to {1e4 * max(those):.0f}"
    return f"{ends} in 1e-4 (link: {1e4 * sweep.mse('original'):.0f})"


def _black_box(sweep):
    def beside(psr_db):
        black, white = (sweep.eve("paired", box, psr_db=psr_db) for box in ("black", "white"))
        return f"{black} % against {white} % at {psr_db:g} dB"

    ratio = sweep.mse("paired", "black") / sweep.mse("paired", "white")
    return f"in MSE {ratio - 1:+.0%}; Eve {beside(BUDGET_DB)}, {beside(-5.0)}"


def _learning(sweep):
    both = [
        f"{name} {sweep.eve(case, 'white')} % and {sweep.eve(case, 'black')} %"
        for name, case in (("FGSM of the same power", "fgsm"), ("the pair", "paired"))
    ]
    return f"random noise leaves Eve {sweep.eve('random_noise', 'white')} %; {', '.join(both)}"


def _one_pair(sweep):
    def cost(snr_db):
        one, own = (sweep.mse("paired", "white", snr_db=snr_db, ranged=r) for r in (True, False))
        return f"{one / own - 1:+.0%} at {snr_db:g} dB"

    points = [
        sweep.mean("eve_accuracy", "paired", "white", snr_db=snr_db, ranged=True)
        - sweep.mean("eve_accuracy", "paired", "white", snr_db=snr_db)
        for snr_db in sweep.snrs_db
    ]
    costs = ", ".join(cost(snr_db) for snr_db in (-5.0, 10.0, 25.0))
    ends = f"{100 * min(points):+.0f} to {100 * max(points):+.0f} points"
    return f"Bob's MSE {costs}; Eve {ends} (white box)"


CLAIMS = {
    "the receiver module improves the MSE everywhere": _receiver_helps,
    "with both, the MSE is close to the original link's": _close_to_the_link,
    "Eve falls steadily with PSR": _eve_falls,
    "and is on the verge of failure at the largest": _verge,
    "the MSE stays low at every PSR with the receiver module": _mse_stays_low,
    "the black box costs only a little": _black_box,
    "(not in the letter) what learning buys, at -10 dB, white and black box": _learning,
    "(not in the letter) one pair for all SNRs": _one_pair,
}


def _points(name, dataset):
    """Rows of a data set, {(case, knowledge, ranged, SNR, budget): its rows, one a seed}."""
    found = {}
    for row in saved(name):
        if row["dataset"] == dataset:
            low, high = row["training_snr_db"] or (0, 0)
            where = row["snr_db"], row["psr_db"]
            point = row["case"], row["knowledge"], low != high, *where
            found.setdefault(point, []).append(row)
    return found


def _table(head, points, along):
    """A line a curve, a column a value of the axis: MSE in 1e-4, Eve's accuracy in %.

    Args:
        head: name of the axis.
        points: of `_points`.
        along: {value of the axis: (SNR, budget)}.
    """
    lines = []
    for curve, line in LINES.items():
        cells = []
        for snr_db, psr_db in along.values():
            rows = points.get((*curve, snr_db, None if curve[1] is None else psr_db))
            if rows:
                shares = [{"eve": 100 * row["eve_accuracy"]} for row in rows]
                cells.append(f"{1e4 * of(rows, 'mse'):.1f}, {spread(shares, 'eve', '.1f')}")
        if cells:
            lines.append([line, *cells])
    return table([head, *(f"{value:g}" for value in along)], lines)
