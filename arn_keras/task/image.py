"""Reconstruction of pictures: the letter's task, L2 = mean((s - s_hat)^2), Eq. (21)."""

from arn_keras.palette import BLUE, GREY, ORANGE
from arn_keras.power import ratio_to_db
from arn_keras.task.extent import USUAL, brightness, ends_in, ends_of
from arn_keras.task.signal import Signal, SquaredErrorMeter
from arn_keras.task.task import CASES, Measure

_SHORT = 3  # letters of a label that leave room beside it


class PictureMeter(SquaredErrorMeter):
    """Mean squared error, and the peak signal-to-noise ratio of the mean error.

    PSNR = 10 log10((white - black)^2 / MSE).

    Args:
        ends: (black, white).
    """

    def __init__(self, ends):
        super().__init__()
        self._ends = ends

    def fields(self, sources):
        """The row's fields over so many sources."""
        found, (low, high) = super().fields(sources), self._ends
        return {**found, "psnr_db": -ratio_to_db(found["mse"] / (high - low) ** 2)}


class Image(Signal):
    """Bob is to see the picture that was sent.

    Args:
        ends: (black, white) of the pictures, `extent.ends_in`.
    """

    measures = (
        Measure("mse", "Bob MSE", ".5f", better="lower", log=True),
        Measure("psnr_db", "PSNR dB", ".2f"),
    )
    blind_field = "mse_mean_picture"
    has_picture = True

    def __init__(self, ends=USUAL[0]):
        self._ends = ends

    def of(self, dataset):
        """The task on a data set: what black and white are there."""
        return type(self)(ends_in(dataset))

    def shown(self, examples):
        """The arrays as `picture` takes them: what black and white are is there, too."""
        import numpy as np

        return {**examples, "ends": np.asarray(self._ends, float)}

    def meter(self):
        """A new `PictureMeter`."""
        return PictureMeter(self._ends)

    def caption(self, row):
        """What a picture's row of examples says of the case."""
        return f"error {row['mse']:.4f}"

    def picture(self, path, examples, rows, title):
        """Draws sources, what Bob sees with and without the modules, and what Eve says of each.

        Args:
            path: file to write, its ending decides the format.
            examples: arrays `source` [n, h, w, c], `label` [n], and for `original`, or
                each of `original`, `transmitter_only`, `paired`: `bob_<case>` like `source`,
                `eve_<case>` [n] (Eve's label); `ends`, (black, white), and `names` of the labels
                where they are known.
            rows: {case: row}, over the whole test set.
            title: above the picture.
        """
        import numpy as np
        from matplotlib.figure import Figure

        cases = {"source": "what Alice sends"}
        cases |= {case: f"{name},\nBob sees" for case, name in CASES.items() if case in rows}
        labels, source = examples["label"], examples["source"]
        ends = examples.get("ends", ends_of(source.min(), source.max()))  # none in older runs
        guesses = [examples[f"eve_{case}"] for case in cases if case != "source"]
        names = examples.get("names", range(1 + np.max([labels, *guesses])))
        apart = "\n" if max(map(len, map(str, names))) > _SHORT else " "
        size = 1.15 * len(labels) + 3, 1.65 * len(cases) + 0.5
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(cases), len(labels), squeeze=False)
        for row, (case, name) in enumerate(cases.items()):
            images = brightness(source if case == "source" else examples[f"bob_{case}"], ends)
            if case != "source":
                row_of = rows[case]
                name += f"\n({self.caption(row_of)})\n\nEve is right: {row_of['eve_accuracy']:.0%}"
            for column, image in enumerate(images):
                axis = axes[row, column]
                axis.imshow(pixels(image), cmap="gray", vmin=0, vmax=1)
                axis.set(xticks=[], yticks=[])
                truth = int(labels[column])
                if case == "source":
                    axis.set_xlabel(f"label {names[truth]}", color=GREY)
                    continue
                guess = int(examples[f"eve_{case}"][column])
                text = f"Eve: {names[guess]},{apart}{'right' if guess == truth else 'wrong'}"
                axis.set_xlabel(text, color=ORANGE if guess == truth else BLUE)
            axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")
        figure.suptitle(title, fontsize=11)
        figure.savefig(path, dpi=150)


def pixels(image):
    """A picture as Matplotlib takes it: without the channel where there is only one."""
    return image[..., 0] if image.shape[-1] == 1 else image


IMAGE = Image()
