"""Draws docs/blocks.png from docs/rows/blocks-*.json: what each block of an ARN leaves to Eve."""

import pathlib

from matplotlib.figure import Figure
from tables import PAIRS, groups

from arn_keras.palette import BLUE, GREEN, ORANGE

DOCS = pathlib.Path(__file__).parent
SETS = {"blocks-mnist": "MNIST, 128 symbols", "blocks-cifar10": "CIFAR-10, 8x8x16 symbols"}
COLORS = {"white": BLUE, "black": ORANGE, "ensemble": GREEN}
NAMES = {"white": "white box", "black": "black box", "ensemble": "ensemble, mean of all Eves"}


def main():
    """Draws Eve's accuracy above and Bob's error below, a column a data set."""
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    axes = figure.subplots(2, len(SETS), sharex="col")
    for column, (name, title) in enumerate(SETS.items()):
        found = groups(name, ("equal", "block", "pair"))
        bars = list(dict.fromkeys((equal, block) for equal, block, _ in found))
        for number, pair in enumerate(PAIRS):
            places = [place + 0.27 * (number - 1) for place in range(len(bars))]
            those = [found[(*bar, pair)] for bar in bars]
            eves = [
                sum(row["eve_accuracy"] for row in rows) / len(rows)
                if pair == "ensemble"
                else rows[0]["eve_accuracy"]
                for rows in those
            ]
            bob = [rows[0]["mse"] / rows[0]["plain_mse"] for rows in those]
            how = {"width": 0.25, "color": COLORS[pair], "label": NAMES[pair]}
            axes[0, column].bar(places, eves, **how)
            axes[1, column].bar(places, [each - 1 for each in bob], bottom=1, **how)
        axes[0, column].set(title=title, ylabel="Eve's accuracy", ylim=(0, 1))
        axes[0, column].axhline(0.1, color="black", linestyle=":", linewidth=1)
        axes[1, column].axhline(1, color="black", linestyle=":", linewidth=1)
        axes[1, column].set(ylabel="Bob's MSE over the link's")
        axes[1, column].set_xticks(
            range(len(bars)), [f"{block}\nequal\n{equal}" for equal, block in bars]
        )
    axes[0, 0].legend(fontsize="small")
    figure.savefig(DOCS / "blocks.png", dpi=120)


if __name__ == "__main__":
    main()
