"""The audit's figures, drawn from its rows only."""

import itertools
import math

from arn_keras.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, YELLOW

_COLOUR = {"none": GREY, "arn": ORANGE, "keyed": BLUE, "arn+keyed": GREEN, "purge": PURPLE}
_MARKER = {"none": "o", "arn": "s", "keyed": "*", "purge": "D"}


def audit_picture(path, rows, title):
    """Draws the ladder, the convergence of the fresh Eve, and accuracy against recordings.

    Args:
        path: file to write, its ending decides the format.
        rows: as in `audit.json`.
        title: one line above the picture.
    """
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["rung"] != "Bob" and row["protection"] != "planted"]
    protections = list(dict.fromkeys(row["protection"] for row in rows))
    colours = _colours(protections)
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    ladder, training, recordings = figure.subplots(1, 3)
    for index, name in enumerate(protections):
        own = [row for row in rows if row["protection"] == name]
        style = {"color": colours[name], "label": name}
        rungs = sorted({row["rung"] for row in own if row["counts"]})
        tops = [
            max(r["eve_accuracy"] for r in own if r["rung"] == g and r["counts"]) for g in rungs
        ]
        shift = 0.1 * (index - (len(protections) - 1) / 2)
        ladder.plot([int(g[1]) + shift for g in rungs], tops, "o", **style)
        for row in (r for r in own if r["rung"] == "E3"):
            epochs, accuracy, _ = zip(*row["curve"], strict=True)
            training.plot(epochs, accuracy, ".-", color=colours[name])
        counted = sorted(
            (r["recordings"], r["eve_accuracy"])
            for r in own
            if r["rung"] in "E3 E4" and r["eve"] in ("fresh", "fewer recordings")
        )
        if counted:
            recordings.plot(*zip(*counted, strict=True), ".-", **style)
        reused = sorted(
            (r["messages"], r["eve_accuracy"]) for r in own if "plaintext, key reused" in r["eve"]
        )
        if reused:
            recordings.plot(
                *zip(*reused, strict=True),
                "x--",
                color=colours[name],
                label=f"{name}, key reused, plaintext known",
            )
    for axis in (ladder, training, recordings):
        axis.axhline(rows[0]["majority_rate"], color="black", lw=0.8, ls=":")
        axis.set(ylim=(0, 1.02), ylabel="Eve's accuracy")
    ladder.set(xlabel="rung (E0 frozen ... E8 keys), best Eve of each", xticks=range(9))
    training.set(xlabel="epoch of the fresh Eve (E3)")
    recordings.set(xlabel="labelled recordings, or messages", xscale="log")
    ladder.legend(loc="center right", fontsize="small")
    if recordings.get_legend_handles_labels()[0]:
        recordings.legend(loc="center right", fontsize="x-small")
    figure.suptitle(title + "; dotted: who hears nothing")
    figure.savefig(path, dpi=130)


def frontier_picture(path, points, measure, majority_rate, title):
    """Draws Bob's quality against the worst eavesdropper; the good corner is below, on the left.

    Args:
        path: file to write, its ending decides the format.
        points: as in `frontier.json`.
        measure: what Bob is judged by, `task.task.Measure`.
        majority_rate: accuracy of who hears nothing.
        title: one line above the picture.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    others = zip((GREEN, PURPLE, YELLOW, SKY) * 9, "^vD<>Pp" * 6, strict=False)
    for key in dict.fromkeys((each["protection"], each["privacy_weight"]) for each in points):
        own = [each for each in points if (each["protection"], each["privacy_weight"]) == key]
        name, weight = key
        if name in _MARKER:
            colour, marker = _COLOUR[name], _MARKER[name]
        else:
            colour, marker = next(others)
        label = name if weight is None else f"{name}, w3 = {weight:g}"
        x, y = zip(
            *((each[f"{measure.field}_over_original"], each["worst"]) for each in own), strict=True
        )
        size = 14 if marker == "*" else 7
        axes.plot(x, y, color=colour, marker=marker, markersize=size, lw=0.8, label=label)
        height = 6 if len(axes.lines) % 2 else -12
        for text, place in _labels(own, measure.field):
            axes.annotate(
                text, place, (4, height), textcoords="offset points", fontsize=8, color=colour
            )
    axes.axhline(majority_rate, color="black", linestyle=":", linewidth=1)
    axes.annotate(
        f"who hears nothing, {majority_rate:.2g}",
        (0.99, majority_rate),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize="small",
    )
    axes.set(
        xscale="log",
        xlabel=f"{measure.title} over the original link's",
        ylabel="Eve's accuracy, the worst rung",
        ylim=(0, 1.08),
    )
    axes.margins(x=0.12)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.9), max(high, 1.1))  # a change of a thousandth does not fill it
    axes.xaxis.set_major_locator(LogLocator(subs=(0.9, 1, 1.1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(True, alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize="small")
    figure.suptitle(f"{title}; labels: PSR budget")
    figure.savefig(path, dpi=110)


def region_picture(path, points, measure, title):
    """Draws the secrecy region: each Eve, and Bob, against what her SNR has over his.

    Args:
        path: file to write, its ending decides the format.
        points: as in `region.json`.
        measure: what Bob is judged by, `task.task.Measure`.
        title: one line above the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    hers, his = figure.subplots(1, 2, width_ratios=(2, 1))
    kinds = {"E0": ("frozen", ":"), "E3": ("retrained", "-"), "E5": ("with Bob's chain", "--")}
    colours = _colours(dict.fromkeys(each["protection"] for each in points))
    for name, colour in colours.items():
        own = [each for each in points if each["protection"] == name]
        offsets = [each["eve_snr_offset_db"] for each in own]
        for rung, (kind, line) in kinds.items():
            label = f"{name}, {kind}" if rung == "E3" or name == "none" else None
            accuracies = [each[rung] for each in own]
            hers.plot(offsets, accuracies, line, marker=".", color=colour, label=label)
        qualities = [each[measure.field] for each in own]
        his.plot(offsets, qualities, ".-", color=colour, label=name)
    hers.set(ylim=(0, 1.02), ylabel="Eve's accuracy")
    his.set(ylabel=measure.title)
    his.set_ylim(bottom=0)
    for axes in (hers, his):
        axes.set(xlabel="Eve's SNR over Bob's, dB")
        axes.grid(True, alpha=0.3)
        axes.legend(fontsize="x-small", loc="upper left" if axes is hers else "lower left")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _colours(protections):
    """A colour each; those that are not of this package take turns."""
    others = itertools.cycle((SKY, YELLOW))
    return {name: _COLOUR[name] if name in _COLOUR else next(others) for name in protections}


def _labels(points, field):
    """Budgets and where to write them; those of points that lie together in one place."""
    together = []
    for each in points:
        if each["psr_db"] is None:
            continue
        place = each[f"{field}_over_original"], each["worst"]
        for budgets, at in together:
            if abs(math.log(place[0] / at[0])) < 0.15 and abs(place[1] - at[1]) < 0.04:
                budgets.append(each["psr_db"])
                break
        else:
            together.append(([each["psr_db"]], place))
    return [(", ".join(f"{b:+g}" for b in budgets) + " dB", at) for budgets, at in together]
