"""Bob reads the digit, Eve wants to know who wrote it: task and private attribute differ.

The base link is the letter's, trained for pictures; Bob's frozen receiver is a reader of digits,
trained behind it. This is where a keyless protection can hold, `pair.purge`: Bob does not need
what Eve wants.
"""

import dataclasses
from typing import ClassVar

from arn_keras.errors import ConfigError
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.scenario.scenario import Scenario, file_digest, option


@dataclasses.dataclass(frozen=True)
class Writers(Scenario):
    """Digits, and the population of their writers."""

    about = "Bob reads the digit, Eve wants to know who wrote it, a student or an employee"
    link_task: ClassVar[str] = "image"

    writers: tuple[str, ...] = option(
        (),
        "attributes of the training and of the test sources, two .npz files of the arrays digit "
        "and, row by row, the attribute",
        nargs=2,
        path=True,
    )
    attribute: str = option("student", "the array that is private")
    known: bool = option(
        False,
        "test on every tenth training source instead of the test set: for an attribute that names "
        "the writer, since no writer is in both",
    )

    def __post_init__(self):
        object.__setattr__(self, "writers", tuple(self.writers))
        if len(self.writers) != 2:
            raise ConfigError("--scenario writers: expected --writers TRAIN.npz TEST.npz")

    def identity(self):
        """The options by content."""
        return {**super().identity(), "writers": [file_digest(each) for each in self.writers]}

    def dataset(self, name, data_dir, limit, folder=None):
        """MNIST, or another set of digits, with the attribute of each source."""
        from arn_keras.data import attribute, images

        files = [folder / "data" / file for file in self.kept_data()] if folder else self.writers
        found = images.load("mnist" if name == "auto" else name, data_dir, limit)
        return attribute.with_attribute(found, files, self.attribute, self.known)

    def task(self, dataset):
        """Bob names the digit."""
        return "label"

    def kept_data(self):
        """The attributes' files: a run directory keeps copies, so that it is whole."""
        return dict(zip(("train.npz", "test.npz"), self.writers, strict=True))

    def build_label_receiver(self, signal_shape, labels):
        """Bob's reader of the digit: two hidden layers."""
        return build_eavesdropper(signal_shape, labels, hidden=(256, 256), name="receiver")
