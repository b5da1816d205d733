"""The audit's figure, drawn from its rows only."""

from arn_keras.figures import BLUE, GREY, ORANGE

_COLOUR = {"none": GREY, "arn": ORANGE, "keyed": BLUE, "arn+keyed": "#009E73"}


def audit_picture(path, rows, title):
    """Draws the ladder, the convergence of the fresh Eve, and accuracy against recordings.

    Args:
        path: file to write, its ending decides the format.
        rows: as in `audit.json`.
        title: one line above the picture.
    """
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["rung"] != "Bob" and row["protection"] in _COLOUR]
    protections = list(dict.fromkeys(row["protection"] for row in rows))
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    ladder, training, recordings = figure.subplots(1, 3)
    for index, name in enumerate(protections):
        own = [row for row in rows if row["protection"] == name]
        style = {"color": _COLOUR[name], "label": name}
        rungs = sorted({row["rung"] for row in own if row["counts"]})
        tops = [
            max(r["eve_accuracy"] for r in own if r["rung"] == g and r["counts"]) for g in rungs
        ]
        shift = 0.1 * (index - (len(protections) - 1) / 2)
        ladder.plot([int(g[1]) + shift for g in rungs], tops, "o", **style)
        for row in (r for r in own if r["rung"] == "E3"):
            epochs, accuracy, _ = zip(*row["curve"], strict=True)
            training.plot(epochs, accuracy, ".-", color=_COLOUR[name])
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
                color=_COLOUR[name],
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
