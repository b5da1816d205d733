"""The letter's Fig. 3 and Fig. 4, each drawn from the rows of a sweep and from nothing else.

A curve is the mean over seeds, its band the least and the greatest of them.
"""

import collections

import numpy as np

from arn_keras.palette import BLUE, GREEN, GREY, ORANGE, PURPLE

# Markers and dashes say it again.
_CASES = {
    "original": ("original, no modules", GREY),
    "transmitter_only": ("transmitter module only", ORANGE),
    "paired": ("both modules", BLUE),
    "random_noise": ("random noise, same power", PURPLE),
    "fgsm": ("FGSM, same power", GREEN),
}


def figure_3(path, rows, measure, chance, title):
    """Bob's quality and Eve's accuracy against SNR.

    Args:
        path: file to write, its ending decides the format.
        rows: rows of one data set, one budget and one eavesdropper.
        measure: what Bob is judged by, `task.task.Measure`.
        chance: Eve's accuracy if she guesses.
        title: one line above.
    """
    name, more = "SNR (dB)", {row["es_n0_db"] - row["snr_db"] for row in rows if "es_n0_db" in row}
    if more:  # a modem's samples
        name = f"SNR per sample (dB); Es/N0 is {max(more):.2f} dB more"
    _draw(path, rows, "snr_db", name, measure, chance, title)


def figure_4(path, rows, measure, chance, title):
    """Bob's quality and Eve's accuracy against the budget of the perturbation.

    Args:
        path: file to write, its ending decides the format.
        rows: rows of one data set, one SNR and one eavesdropper; rows without a budget (the
            original link) are drawn across.
        measure: what Bob is judged by, `task.task.Measure`.
        chance: Eve's accuracy if she guesses.
        title: one line above.
    """
    budgets = sorted({row["psr_db"] for row in rows if row["psr_db"] is not None})
    across = [
        {**row, "psr_db": psr_db} if row["psr_db"] is None else row
        for row in rows
        for psr_db in (budgets if row["psr_db"] is None else [row["psr_db"]])
    ]
    _draw(path, across, "psr_db", "PSR budget (dB)", measure, chance, title)


def _draw(path, rows, axis, axis_name, measure, chance, title):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for case, variant, points in _curves(rows, axis):
        (_, color), (style, marker) = _CASES[case], _style(*variant)
        for axes, quantity in ((left, measure.field), (right, "eve_accuracy")):
            if quantity == "eve_accuracy" and case == "transmitter_only":
                continue  # Eve hears the same, whatever Bob has: the curve of both modules
            x, mean, low, high = _statistics(points, axis, quantity)
            axes.plot(x, mean, style, color=color, marker=marker, markersize=4)
            axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    left.set(xlabel=axis_name, ylabel=measure.title, yscale="log" if measure.log else "linear")
    right.set(xlabel=axis_name, ylabel="Eve's accuracy", ylim=(0, 1))
    right.axhline(chance, color="black", linestyle=":", linewidth=1)
    right.annotate(
        f"chance, {chance:.2g}",
        (0.01, chance),
        xycoords=("axes fraction", "data"),
        va="bottom",
        fontsize="small",
    )
    for axes in (left, right):
        axes.grid(True, alpha=0.3)
    handles = _legend(_curves(rows, axis))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="small")
    seeds = len({row["seed"] for row in rows})
    figure.suptitle(f"{title}; {seeds} seed{'s' if seeds > 1 else ''}")
    figure.savefig(path, dpi=150)


def _legend(curves):
    """What a colour means, then what a line means: shorter than a name for each curve."""
    from matplotlib.lines import Line2D

    cases, variants = {}, {}
    for case, variant, _ in curves:
        name, color = _CASES[case]
        if case == "paired":
            name += " (Eve hears the same with the transmitter's alone)"
        cases[case] = Line2D([], [], color=color, linewidth=3, label=name)
        if variant[0]:
            style, marker = _style(*variant)
            variants[variant] = Line2D(
                [], [], color="black", linestyle=style, marker=marker, label=_name(*variant)
            )
    return [*cases.values(), *variants.values()]


def _curves(rows, axis):
    """The curves of rows, in a fixed order: [(case, variant, rows)]."""
    groups = collections.defaultdict(list)
    for row in rows:
        told = "told the SNR" if row.get("snr_aware") else ""
        variant = (row["knowledge"], row["black_box"], _training(row), told)
        if variant[2] and row["case"] in ("random_noise", "fgsm"):
            continue  # the power of another pair, and else the same
        groups[row["case"], variant].append(row)
    several = len({row[axis] for row in rows}) > 1
    order = {case: index for index, case in enumerate(_CASES)}
    found = []
    for case, variant in sorted(groups, key=lambda k: (order[k[0]], *(v or "" for v in k[1]))):
        points = groups[case, variant]
        if not several or len({row[axis] for row in points}) > 1:  # else a point, not a curve
            found.append((case, variant, points))
    return found


def _style(knowledge, black_box, training, told):
    """(line style, marker) of a curve."""
    style, marker = {None: ("-", "o"), "white": ("-", "s"), "black": ("--", "^")}[knowledge]
    if black_box == "ensemble":
        marker = "v"
    marker = "D" if told else marker
    return ({"-": "-.", "--": ":"}[style] if training else style), marker


def _name(knowledge, black_box, training, told):
    box = f"{knowledge} box" + (" (ensemble)" if black_box == "ensemble" else "")
    return ", ".join(filter(None, (box, training, told)))


def _training(row):
    """How a pair was trained, where not at the SNR that it is measured at."""
    if row["training_snr_db"] is None:
        return ""
    low, high = row["training_snr_db"]
    if low == high:
        return "" if low == row["snr_db"] else f"trained at {low:g} dB"
    return f"trained over {low:g} to {high:g} dB"


def _statistics(rows, axis, quantity):
    """Abscissas, and the mean, least and greatest of a quantity over the seeds at each."""
    values = collections.defaultdict(list)
    for row in rows:
        values[row[axis]].append(row[quantity])
    x = sorted(values)
    return x, *(np.array([f(values[at]) for at in x]) for f in (np.mean, np.min, np.max))
