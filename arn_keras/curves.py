"""The letter's Fig. 3 and Fig. 4, each drawn from the rows of a sweep and from nothing else.

A curve is the mean over seeds, its band the least and the greatest of them.
"""

import collections

import numpy as np

# Okabe and Ito's palette: told apart by colour-blind readers too; markers and dashes say it again.
_CASES = {
    "original": ("original, no modules", "#555555"),
    "transmitter_only": ("transmitter module only", "#D55E00"),
    "paired": ("both modules", "#0072B2"),
    "random_noise": ("random noise, same power", "#CC79A7"),
    "fgsm": ("FGSM, same power", "#009E73"),
}
_KNOWLEDGE = {
    None: ("", "-", "o"),
    "white": (", white box", "-", "s"),
    "black": (", black box", "--", "^"),
}


def figure_3(path, rows, chance, title):
    """MSE and Eve's accuracy against SNR.

    Args:
        path: file to write, its ending decides the format.
        rows: rows of one data set, one budget and one eavesdropper.
        chance: Eve's accuracy if she guesses.
        title: one line above.
    """
    _draw(path, rows, "snr_db", "SNR (dB)", chance, title)


def figure_4(path, rows, chance, title):
    """MSE and Eve's accuracy against the budget of the perturbation.

    Args:
        path: file to write, its ending decides the format.
        rows: rows of one data set, one SNR and one eavesdropper; rows without a budget (the
            original link) are drawn across.
        chance: Eve's accuracy if she guesses.
        title: one line above.
    """
    budgets = sorted({row["psr_db"] for row in rows if row["psr_db"] is not None})
    across = [
        {**row, "psr_db": psr_db} if row["psr_db"] is None else row
        for row in rows
        for psr_db in (budgets if row["psr_db"] is None else [row["psr_db"]])
    ]
    _draw(path, across, "psr_db", "PSR budget (dB)", chance, title)


def _draw(path, rows, axis, axis_name, chance, title):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, label, color, style, marker, points in _curves(rows, axis):
        del name
        for axes, quantity in ((left, "mse"), (right, "eve_accuracy")):
            x, mean, low, high = _statistics(points, axis, quantity)
            axes.plot(x, mean, style, color=color, marker=marker, markersize=4, label=label)
            axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    left.set(xlabel=axis_name, ylabel="Bob's MSE (pixels in [0, 1])", yscale="log")
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
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    seeds = len({row["seed"] for row in rows})
    figure.suptitle(f"{title}; {seeds} seed{'s' if seeds > 1 else ''}")
    figure.savefig(path, dpi=150)


def _curves(rows, axis):
    """The curves of rows: (key, label, colour, line style, marker, rows), in a fixed order."""
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row["case"], row["knowledge"], row["black_box"], _training(row)].append(row)
    order = {case: index for index, case in enumerate(_CASES)}
    for key in sorted(groups, key=lambda k: (order[k[0]], k[1] or "", k[2] or "", k[3])):
        case, knowledge, black_box, training = key
        name, color = _CASES[case]
        suffix, style, marker = _KNOWLEDGE[knowledge]
        if black_box == "ensemble":
            suffix += " (ensemble)"
        if training:
            suffix += f", {training}"
            style = {"-": "-.", "--": ":"}[style]
        yield key, name + suffix, color, style, marker, groups[key]


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
