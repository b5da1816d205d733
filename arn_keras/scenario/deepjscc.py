"""Pictures over a convolutional DeepJSCC link, the field's own (arXiv:1809.01733); CIFAR-10."""

import dataclasses
import math
from typing import ClassVar, Literal

from arn_keras.data.augmented import with_variants
from arn_keras.eve import EVES
from arn_keras.link.compression import as_fraction
from arn_keras.rooms import answer
from arn_keras.scenario.scenario import Scenario, option
from arn_keras.task.photograph import picture_task

COPIES = 3  # further ones of each training picture
# As able as an Eve who convolves: weaker ones are fooled and tell nothing of her.
_SUBSTITUTES = (
    *(f"convolutions_{size}" for size in ("24_1", "32_1", "40_1", "24_2", "32_2")),
    "patches_small",
)


@dataclasses.dataclass(frozen=True)
class DeepJSCC(Scenario):
    """Colour pictures, signals with places, eavesdroppers that convolve."""

    about = "pictures over a convolutional DeepJSCC link"
    block = "transformer"  # sees the whole signal: convolutions leave Eve twice as much
    block_options: ClassVar = {"width": 128, "depth": 3, "tokens": 16, "last_norm": False}
    splits_layers = True
    # A hundredth of this link's error is 1.2e-5: the letter's w2 would not see it.
    loss_weights: ClassVar = {"confidence": (10.0, 200.0, 1.0), "odds": (20.0, 600.0, 0.4)}
    # Pictures share their budget there, which is the first term's unit.
    ensemble_weights: ClassVar = {"confidence": (1.0, 200.0, 1.0), "odds": (3.0, 400.0, 0.4)}
    defaults: ClassVar = {
        "epochs": 6,
        "link_epochs": 9,
        "eve_epochs": 8,
        "batch_size": 64,
        "learning_rate": 2e-3,
        "privacy_loss": "odds",
    }
    measured: ClassVar = {
        "frozen": "residual",
        "frozen_wide": "residual_wide",
        "frozen_patches": "patches",
    }
    substitutes: ClassVar = {"single": ("convolutions_32_0",), "ensemble": _SUBSTITUTES}
    rivals = ("convolutions_32_0", "convolutions_24_1")
    larger = ("residual_wide", "patches", "wide")

    compression: str = option("1/6", "k/n, complex symbols a source value, for example 1/12")
    augment: Literal["auto", "on", "off"] = option(
        "auto",
        "train on shifted and mirrored copies of each picture, too; auto: of CIFAR-10, whose "
        "pictures are as good mirrored",
    )

    def __post_init__(self):
        object.__setattr__(self, "compression", str(as_fraction(self.compression)))

    def dataset(self, name, data_dir, limit, folder=None):
        """CIFAR-10, or another set of pictures by name."""
        name = "cifar10" if name == "auto" else name
        found = super().dataset(name, data_dir, limit, folder)
        if not self._augments(name):
            return found
        note = f"each training picture is there {1 + COPIES} times, shifted and mirrored: --augment"
        train = with_variants(found.train, COPIES)
        return dataclasses.replace(found, train=train, notes=(*found.notes, note))

    def _augments(self, name):
        return self.augment == "on" or (self.augment == "auto" and name == "cifar10")

    def defaults_for(self, dataset):
        """A third of the epochs, for four times the pictures: enough for each, and in an hour."""
        found = super().defaults_for(dataset)
        if not self._augments(dataset):
            return found
        fewer = ("epochs", "link_epochs", "eve_epochs")
        return {**found, **{name: math.ceil(found[name] / 3) for name in fewer}}

    def task(self, dataset):
        """The picture, and how it looks."""
        return picture_task(dataset.source_shape)

    def build_link(self, dataset):
        """The convolutional transmitter and receiver."""
        from arn_keras.link.deepjscc import build_receiver, build_transmitter

        how = dataset.source_shape, self.compression
        return build_transmitter(*how), build_receiver(*how)

    def build_reader(self, estimate_shape, classes):
        """Convolutions that read the label off a picture."""
        return answer(EVES, "convolutions_16_1")(estimate_shape, classes)
