"""Pictures, each one function drawn from saved rows or saved examples only."""

import numpy as np

# Okabe and Ito's palette: told apart by colour-blind readers too.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"


def examples_picture(path, examples, title):
    """Draws sources, what Bob sees with and without the modules, and what Eve says of each.

    Args:
        path: file to write, its ending decides the format.
        examples: arrays `source` [n, h, w, c] in [0, 1], `label` [n], and for each of the cases
            `original`, `transmitter_only`, `paired`: `bob_<case>` like `source`, `eve_<case>` [n]
            (Eve's label) and `mse_<case>` (scalar, over the whole test set).
        title: one line above the picture.
    """
    from matplotlib.figure import Figure

    cases = {
        "source": "Source",
        "original": "Bob, no modules",
        "transmitter_only": "Bob, transmitter\nmodule only",
        "paired": "Bob, both modules",
    }
    labels = examples["label"]
    figure = Figure(figsize=(1.15 * len(labels) + 2.2, 6.6), layout="constrained")
    axes = figure.subplots(len(cases), len(labels), squeeze=False)
    for row, (case, name) in enumerate(cases.items()):
        images = examples["source" if case == "source" else f"bob_{case}"]
        if case != "source":
            name += f"\nMSE {float(examples[f'mse_{case}']):.4f}"
        for column, image in enumerate(images):
            axis = axes[row, column]
            axis.imshow(np.clip(image, 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            truth = int(labels[column])
            if case == "source":
                axis.set_xlabel(f"label {truth}", color=GREY)
                continue
            guess = int(examples[f"eve_{case}"][column])
            text = f"Eve: {guess}, correct" if guess == truth else f"Eve: {guess}, fooled"
            axis.set_xlabel(text, color=ORANGE if guess == truth else BLUE)
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)
