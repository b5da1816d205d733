"""Reconstruction of pictures: the letter's task, L2 = mean((s - s_hat)^2), Eq. (21)."""

from arn_keras.palette import BLUE, GREY, ORANGE
from arn_keras.power import mean_power, ratio_to_db
from arn_keras.task.task import Measure, Task


class SquaredError:
    """Mean squared error of estimates, and the peak signal-to-noise ratio of the mean error.

    Sources are in [0, 1], so PSNR = -10 log10(MSE).
    """

    def __init__(self):
        self._total = 0.0

    def add(self, target, estimate):
        """Adds a batch: targets and estimates, arrays or tensors, [batch, ...]."""
        import numpy as np

        self._total += float(np.sum(mean_power(target - estimate), dtype=float))

    def fields(self, sources):
        """The row's fields over so many sources."""
        mse = self._total / sources
        return {"mse": mse, "psnr_db": -ratio_to_db(mse)}


class Image(Task):
    """Bob is to see the picture that was sent."""

    measures = (
        Measure("mse", "Bob MSE", ".5f", better="lower", log=True),
        Measure("psnr_db", "PSNR dB", ".2f"),
    )

    @property
    def task_loss(self):
        """The mean squared error of Eq. (21)."""
        from arn_keras.loss.composite import mean_squared_error

        return mean_squared_error

    blind_field = "mse_mean_picture"

    def blind(self, targets, count):
        """The mean picture."""
        import numpy as np

        mean = np.mean(targets, axis=0)
        return np.broadcast_to(mean, (count, *mean.shape))

    def meter(self):
        """A new `SquaredError`."""
        return SquaredError()

    def picture(self, path, examples, rows, title):
        """Draws sources, what Bob sees of them, and what Eve says."""
        examples_picture(path, examples, rows, title)


def examples_picture(path, examples, rows, title):
    """Draws sources, what Bob sees with and without the modules, and what Eve says of each.

    Args:
        path: file to write, its ending decides the format.
        examples: arrays `source` [n, h, w, c] in [0, 1], `label` [n], and for `original`, or each
            of `original`, `transmitter_only`, `paired`: `bob_<case>` like `source`, `eve_<case>`
            [n] (Eve's label).
        rows: {case: row}, over the whole test set.
        title: one line above the picture.
    """
    import numpy as np
    from matplotlib.figure import Figure

    cases = {
        "source": "Source",
        "original": "Bob, no modules",
        "transmitter_only": "Bob, transmitter\nmodule only",
        "paired": "Bob, both modules",
    }
    cases = {case: cases[case] for case in cases if case == "source" or case in rows}
    labels = examples["label"]
    figure = Figure(figsize=(1.15 * len(labels) + 2.2, 1.65 * len(cases)), layout="constrained")
    axes = figure.subplots(len(cases), len(labels), squeeze=False)
    for row, (case, name) in enumerate(cases.items()):
        images = examples["source" if case == "source" else f"bob_{case}"]
        if case != "source":
            name += f"\nMSE {rows[case]['mse']:.4f}"
        for column, image in enumerate(images):
            axis = axes[row, column]
            axis.imshow(np.clip(image, 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            truth = int(labels[column])
            if case == "source":
                axis.set_xlabel(f"label {truth}", color=GREY)
                continue
            guess = int(examples[f"eve_{case}"][column])
            wrong = "wrong" if case == "original" else "fooled"  # by nobody, without modules
            text = f"Eve: {guess}, {'correct' if guess == truth else wrong}"
            axis.set_xlabel(text, color=ORANGE if guess == truth else BLUE)
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


IMAGE = Image()
