"""What a task is: what every file of this room answers."""

import abc
from typing import NamedTuple

#: What pictures call the cases of a row, for who knows nothing of them.
CASES = {
    "original": "without the modules",
    "transmitter_only": "Alice's module alone",
    "paired": "both modules",
}


class Measure(NamedTuple):
    """One figure that Bob is judged by.

    Attributes:
        field: its name in a row.
        title: what it is called in tables and on axes, with its unit.
        form: how it is printed, a format specification.
        better: "lower" or "higher".
        log: whether an axis of it is logarithmic.
    """

    field: str
    title: str
    form: str = ".4f"
    better: str = "higher"
    log: bool = False


class Task(abc.ABC):
    """What Bob is to do with what he receives.

    Attributes:
        measures: `Measure`s of a row; the first is what figures and tables are about.
        link_loss: loss of the base link's training, as `keras.Model.compile` takes it.
        blind_field: see `blind`.
        has_picture: whether it draws a few examples: `picture(path, examples, rows, title)`, from
            the arrays of `measure.evaluation.examples` and {case: row}.
        task_weight: times w2 of Eq. (19): what makes L2 weigh as the letter's MSE does.
        task_loss: L2 of Eq. (19), (target, estimate) -> scalar or a loss a source; or its name.
    """

    measures: tuple[Measure, ...]
    blind_field: str
    has_picture = False
    link_loss = "mse"
    task_weight = 1.0

    @property
    def drawn(self):
        """Of the measures, those that figures are drawn of: the first."""
        return self.measures[:1]

    @property
    def parity_measure(self):
        """Of the measures, the one that an exported module is held to: the first."""
        return self.measures[0]

    def of(self, dataset):
        """The task on a data set: itself, unless it needs to know the data."""
        return self

    def reading(self, estimate):
        """What of an estimate is kept, and read by who reads Bob's: all of it."""
        return estimate

    def shown(self, examples):
        """The arrays of `measure.evaluation.examples` as `picture` takes them."""
        return examples

    @abc.abstractmethod
    def blind(self, targets, count):
        """The best estimates without any signal, for so many sources, from training targets.

        Their first measure stands in an audit's row under `blind_field`.
        """

    @property
    @abc.abstractmethod
    def task_loss(self):
        """L2 of Eq. (19)."""

    @abc.abstractmethod
    def meter(self):
        """A new object with `add(target, estimate)`, for each batch, and `fields(sources)`."""

    def proof_meter(self):
        """The same for a bundle's proof, which has no TensorFlow: of what is compared there."""
        return self.meter()
