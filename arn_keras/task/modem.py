"""Bob decides symbols: L2 is their squared error in half distances, the measure the error rate."""

import numpy as np

from arn_keras.link import constellation
from arn_keras.palette import BLUE, GREY, ORANGE
from arn_keras.task.task import CASES, Measure, Task

NAMES = tuple(constellation.MODULATIONS)


class Modem(Task):
    """Symbols of the modulations of `link.constellation`, on frames of `data.modulation`."""

    measures = (
        Measure("ser", "Bob SER", ".5f", better="lower", log=True),
        Measure("symbol_mse", "symbol MSE", ".5f", better="lower", log=True),
    )
    blind_field = "ser_blind"
    has_picture = True

    @property
    def parity_measure(self):
        """The symbols' squared error: too few errors happen to compare by them."""
        return self.measures[1]

    @property
    def task_loss(self):
        """`link.modem.SymbolError`."""
        from arn_keras.link.modem import SymbolError

        return SymbolError()

    def blind(self, targets, count):
        """Silence at every sample."""
        instants = int(np.max(targets[:, -1, 2])) + 1
        return np.zeros((count, targets.shape[1] - 1, instants, 2), np.float32)

    def meter(self):
        """A new `SymbolErrors`."""
        return SymbolErrors()

    def picture(self, path, examples, rows, title):
        """Draws what was sent, Bob's symbols, and what Eve says of each frame."""
        constellations(path, examples, rows, title)


class SymbolErrors:
    """Share of wrong symbols, of all and of each modulation, and their mean squared error."""

    def __init__(self):
        self._wrong, self._sent, self._squared = np.zeros((3, len(NAMES)))

    def add(self, target, estimate):
        """Adds a batch: frames, and the receiver's estimates."""
        target = np.asarray(target)
        number = target[:, -1, 0].astype(int)
        np.add.at(self._wrong, number, constellation.symbol_errors(target, estimate))
        np.add.at(self._squared, number, constellation.squared_error(target, estimate))
        np.add.at(self._sent, number, target.shape[1] - 1)

    def fields(self, sources):
        """The row's fields: `ser`, `ser_<modulation>` of those that were sent, `symbol_mse`."""
        each = {
            f"ser_{name}": float(wrong / sent)
            for name, wrong, sent in zip(NAMES, self._wrong, self._sent, strict=True)
            if sent
        }
        count = self._sent.sum()
        mean = {"ser": self._wrong.sum() / count, "symbol_mse": self._squared.sum() / count}
        return {name: float(value) for name, value in mean.items()} | each


def constellations(path, examples, rows, title):
    """Draws a frame a column: the points that were sent, and Bob's symbols in each case.

    Args:
        path: file to write, its ending decides the format.
        examples: arrays `source` (frames), `label`, and for each case `bob_<case>` (the receiver's
            estimates) and `eve_<case>` (Eve's label).
        rows: {case: row}, over the whole test set.
        title: one line above the picture.
    """
    from matplotlib.figure import Figure

    cases = {case: f"{name},\nBob sees" for case, name in CASES.items() if case in rows}
    frames, labels = examples["source"], examples["label"]
    _, points, *_ = constellation.sent(frames)
    figure = Figure(figsize=(1.5 * len(frames) + 2, 1.9 * len(cases)), layout="constrained")
    axes = figure.subplots(len(cases), len(frames), squeeze=False)
    for row, (case, name) in zip(axes, cases.items(), strict=True):
        found = constellation.estimates(frames, examples[f"bob_{case}"])
        for column, axis in enumerate(row):
            axis.plot(points[column].real, points[column].imag, "+", color=GREY, markersize=7)
            axis.plot(found[column].real, found[column].imag, ".", color="black", markersize=3)
            axis.set(xticks=[], yticks=[], xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
            right = int(examples[f"eve_{case}"][column]) == int(labels[column])
            axis.set_xlabel(
                f"Eve: {'right' if right else 'wrong'}", color=ORANGE if right else BLUE
            )
            if case == next(iter(cases)):
                axis.set_title(NAMES[int(frames[column, -1, 0])])
        name += f"\n(SER {rows[case]['ser']:.4f})\n\nEve is right: {rows[case]['eve_accuracy']:.0%}"
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    figure.savefig(path, dpi=130)


MODEM = Modem()
