"""What a scenario is: data, link, task and eavesdroppers of one complete problem.

A scenario is a frozen object; its fields are the options that it has beside those of every run,
and the command line is derived from them. Train, sweep, audit, figures, export and page read it,
and know of no data set, link or task themselves.
"""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args, get_origin

from arn_keras.errors import ConfigError
from arn_keras.eve import ENSEMBLE, EVES
from arn_keras.machine.files import checked
from arn_keras.rooms import answer

LETTERS_PSR_DB = -10.0


def option(default: Any, help: str, **metadata: Any) -> Any:
    """A field that is an option of the command line.

    Args:
        default: its default.
        help: a sentence.
        **metadata: `nargs`, as argparse has it; `free`: it does not decide what is trained;
            `added`: by default it changes nothing of what was trained before there was the option;
            `room`: of whose names it is one; `auto`: or "auto"; `path`: it names files; `hidden`:
            the help leaves it out.
    """
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


def choices_of(field):
    """The values that an option may have, or nothing where any will do."""
    if (room := field.metadata.get("room")) is not None:
        return ("auto",) * bool(field.metadata.get("auto")) + tuple(room)
    kinds = (field.type, *get_args(field.type))
    return next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())


def file_digest(path):
    """A file by its content: the first digits of its SHA-256.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        with checked(os.path.expanduser(path)) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file: {error.strerror}") from None


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One complete problem.

    Attributes:
        about: a sentence for the command line's help.
        defaults: of the configuration's fields that have none: `epochs`, `link_epochs`,
            `eve_epochs` (passes over 60,000 sources), `batch_size`, `learning_rate`; `psr_db` and
            `privacy_loss` are the letter's, -10 and "confidence", where it says nothing.
        of_dataset: {data set: (what of `defaults` is otherwise there, why, a sentence)}.
        block: name in `pair.BLOCKS` of the ARNs' block.
        loss_weights: {name in `PRIVACY_LOSSES`: (w1, w2, w3) of Eq. (19)}, where they are not as
            `training.algorithm_1` has them, the letter's.
        pauses: whether places of its signals [..., d] that are all zeros are not sent, as padding
            is not: they count in no power (`power`), and no module perturbs them.
        ensemble_weights: the same for an ensemble of substitutes.
        shares_budget: whether its sources share the budget there, which is the first term's unit
            then; of long and short ones the short would take it.
        splits_layers: whether its layers are so large that each is best computed by all cores.
        measured: stages of the eavesdroppers who are measured, under the names rows have for them;
            the first is the one that pairs of white-box knowledge are trained against.
        substitutes: stages of Alice's substitutes, for each kind of black box.
        rivals: stages of who learns while the frontier's min-max pair does; of other architectures
            than the first of `larger`.
        link_task: name in `task.TASKS` that the base link is trained for where it is another than
            the run's, which is then to name a label: Bob's receiver is trained behind it.
        larger: names in `eve.EVES` of the audit's unseen and fresh larger eavesdroppers.
        block_options: of `block`, beside those of the configuration.
        trains_link: whether the base link has anything to train.
        keeps_power: whether every pair sends the power of the plain link, asked for or not.
        pulse: (samples a symbol, roll-off) where the signal is a modem's samples: rows say then
            what it takes of the air; None elsewhere.
    """

    about: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, float]] = {
        "epochs": 30,
        "link_epochs": 15,
        "eve_epochs": 6,
        "batch_size": 256,
        "learning_rate": 2e-3,
    }
    of_dataset: ClassVar[Mapping[str, tuple[Mapping[str, float], str]]] = {}
    block: ClassVar[str] = "dense"
    block_options: ClassVar[Mapping[str, Any]] = {}
    trains_link: ClassVar[bool] = True
    keeps_power: ClassVar[bool] = False
    pulse: ClassVar[tuple[int, float] | None] = None
    loss_weights: ClassVar[Mapping[str, tuple[float, float, float]]] = {}
    pauses: ClassVar[bool] = False
    ensemble_weights: ClassVar[Mapping[str, tuple[float, float, float]]] = {}
    shares_budget: ClassVar[bool] = True
    splits_layers: ClassVar[bool] = False
    measured: ClassVar[Mapping[str, str]] = {
        "frozen": "eve",
        "frozen_wide": "eve_wide",
        "frozen_conv": "eve_conv",
    }
    substitutes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "single": ("substitute",),
        "ensemble": tuple(ENSEMBLE),
    }
    rivals: ClassVar[tuple[str, ...]] = ("eve", "eve_wide")
    link_task: ClassVar[str | None] = None
    larger: ClassVar[tuple[str, ...]] = ("wide", "convolutional", "transformer")

    def identity(self):
        """The options that decide what is trained, JSON values; see `option`."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if not field.metadata.get("free")
            and (getattr(self, field.name) != field.default or not field.metadata.get("added"))
        }

    def asked(self):
        """Those of them that are not as by default, for the name of a run directory."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return {name: each for name, each in self.identity().items() if each != defaults[name]}

    def defaults_for(self, dataset):
        """`defaults` of a data set, by its name."""
        own, _ = self.of_dataset.get(dataset, ({}, ""))
        letters = {"psr_db": LETTERS_PSR_DB, "privacy_loss": "confidence"}
        return {**letters, **self.defaults, **own}

    def own_block(self, asked):
        """Fields of the configuration that name its own block, where that is not the letter's.

        A run keeps the one that it began with, whatever a later version has.

        Args:
            asked: name of the block that is asked for: none of them if it is another; or None.
        """
        letters = self.block == Scenario.block and not self.block_options
        if letters or asked not in (None, self.block):
            return {}
        sizes = {f"block_{name}": self.block_options.get(name) for name in ("width", "depth")}
        return {"block": self.block, **sizes}

    def block_of(self, block=None, width=None, depth=None):
        """Arguments of `pair.arn`'s builders that say the block.

        Args:
            block, width, depth: what is asked for; None for its own, or what a block has by
                default.
        """
        sizes = {"width": width, "depth": depth}
        asked = {name: size for name, size in sizes.items() if size is not None}
        own = self.block_options if block in (None, self.block) else {}
        return {"block": block or self.block, **own, **asked}

    def dataset(self, name, data_dir, limit, folder=None):
        """The data, `data.dataset.Dataset`.

        Args:
            name: of the data set; "auto" for the scenario's own.
            data_dir: where prepared data sets are, or None.
            limit: number of training sources to use, or None for all.
            folder: a run directory that keeps data, or None.

        Raises:
            DataError: if the set cannot be had or used.
        """
        from arn_keras.data import images

        return images.load(name, data_dir, limit)

    def limit(self):
        """What else of the sent signal costs a pair something, a Keras regulariser, or None."""
        return

    @property
    def judges(self):
        """Stages of the eavesdroppers of a run's own rows, under their names there."""
        name, stage = next(iter(self.measured.items()))
        return {name: stage}

    def given(self):
        """Models that are not trained but given: {stage: {name: file}}."""
        return {}

    def kept_data(self):
        """Files of data that a run directory keeps copies of: {name there: file}."""
        return {}

    def task(self, dataset):
        """What Bob is judged by, a name in `task.TASKS`."""
        return "image"

    def build_link(self, dataset):
        """The base link before its training, (transmitter, receiver), Eq. (4)-(8)."""
        from arn_keras.link.dense import build_receiver, build_transmitter

        return build_transmitter(dataset.source_shape), build_receiver(dataset.source_shape)

    def link_data(self, dataset):
        """What the base link is trained on: the data set, or more."""
        return dataset

    def check_link(self, models, dataset):
        """Refuses a link that is there already and does not fit the data; `ModelError`."""

    def build_label_receiver(self, signal_shape, labels):
        """Bob's receiver of a label behind a link of another task: y -> logits."""
        return answer(EVES, "eve")(signal_shape, labels)

    def build_classifier(self, stage, signal_shape, classes):
        """An eavesdropper, or a substitute for her, before her training: y_eve -> logits."""
        return answer(EVES, stage)(signal_shape, classes)

    def overhears(self, air):
        """What Eve hears through, of what the air does, `channel.listener.Listener`."""
        return air

    def rotation(self, asked, signal_shape):
        """How keyed modules rotate a signal of this shape, `pair.keyed.Rotation`."""
        from arn_keras.pair.keyed import chosen_rotation

        return chosen_rotation(asked, signal_shape)

    def stage_of(self, eve):
        """The stage of an eavesdropper by her name in a row: of `measured`, or of `eve.EVES`."""
        return self.measured.get(eve, eve)

    def in_loss(self, knowledge, black_box):
        """Stages of the classifiers in a pair's loss: Eve's own, or Alice's substitutes for her."""
        if knowledge == "white":
            return (next(iter(self.measured.values())),)
        return self.substitutes[black_box]

    def build_reader(self, estimate_shape, classes):
        """Who reads the private label off what Bob recovers: the audit's rung E5."""
        return answer(EVES, "eve")(estimate_shape, classes)
