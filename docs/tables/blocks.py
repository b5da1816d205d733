"""The letter's open question: which block? One line a block and what is equal, and its picture."""

from docs.tables.rows import groups, of, table

BOXES = {"white": "white box", "black": "black box", "ensemble": "ensemble"}
DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR-10"}


def blocks(name):
    """Eve and Bob under each kind of pair, and what the white box's modules take.

    Eve is the one that the scenario names first; for the ensemble, the mean of all of them.
    """
    lines = []
    found = groups(name, ("dataset", "equal", "block", "pair"))
    for dataset, equal, block in dict.fromkeys(of_pair[:3] for of_pair in found):
        white = found[dataset, equal, block, "white"][0]
        cells = []
        for box in BOXES:
            rows = found.get((dataset, equal, block, box))
            cells.append(f"{eve(box, rows):.3f} at {_error(rows):.3f} x" if rows else "-")
        size = (f"{white[field]:,}" for field in ("parameters", "multiply_adds"))
        latency = (f"{white[f'latency_{kind}_us']:.0f}" for kind in ("float32", "int8"))
        int8 = f"{white['int8_mse'] - 1:+.2%}"
        seconds = f"{white['seconds']:,.0f}"
        head = f"{block}, width {white['width']}"
        where = DATASETS[dataset], equal
        lines.append([*where, head, *size, *cells, seconds, " / ".join(latency), int8])
    heads = ["parameters", "multiply-adds", *BOXES.values(), "training, s"]
    heads += ["float32 / int8, us", "int8, Bob's MSE"]
    return table(["data", "equal", "block", *heads], lines)


def eve(box, rows):
    """Her accuracy under one pair: of the first eavesdropper, or the mean for the ensemble."""
    return of(rows, "eve_accuracy") if box == "ensemble" else rows[0]["eve_accuracy"]


def _error(rows):
    return rows[0]["mse"] / rows[0]["plain_mse"]


def draw(name, file):
    """Bars of Eve's accuracy, over each Bob's error as a multiple of the plain link's.

    Args:
        name: of the rows.
        file: to write.
    """
    from matplotlib.figure import Figure

    from arn_keras.palette import BLUE, GREEN, ORANGE

    found = groups(name, ("dataset", "equal", "block", "pair"))
    datasets, equals, names = (list(dict.fromkeys(key[at] for key in found)) for at in range(3))
    colors = dict(zip(names, (ORANGE, BLUE, GREEN), strict=True))
    figure = Figure(figsize=(11, 3.4 * len(datasets)), layout="constrained")
    panels = figure.subplots(len(datasets), len(equals), sharey=True, squeeze=False)
    for dataset, line in zip(datasets, panels, strict=True):
        for equal, axes in zip(equals, line, strict=True):
            for (_, _, block, box), rows in _those(found, dataset, equal):
                place = list(BOXES).index(box) + 0.27 * (names.index(block) - 1)
                height = eve(box, rows)
                axes.bar(place, height, 0.25, color=colors[block], label=block)
                over = f"{_error(rows):.2f} x"
                axes.text(place, height + 0.01, over, ha="center", fontsize="x-small")
            plain = _those(found, dataset, equal)[0][1][0]["plain_eve_accuracy"]
            axes.axhline(plain, color="black", linestyle=":", linewidth=1)
            axes.set(title=f"{DATASETS[dataset]}, equal {equal}", ylim=(0, 1.08))
            axes.set_xticks(range(len(BOXES)), BOXES.values())
        line[0].set_ylabel("Eve's accuracy; Bob's MSE over plain")
    handles = dict(zip(*panels[0, 0].get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(names))
    figure.savefig(file, dpi=110, metadata={"Software": None})


def _those(found, dataset, equal):
    return [(key, rows) for key, rows in found.items() if key[:2] == (dataset, equal)]
