"""The configuration of a run: one frozen dataclass, from which the command line is derived.

Lower floors never see it; they take plain arguments.
"""

import dataclasses
import math
import os
from typing import Any, Literal

from arn_keras.channel import CHANNELS
from arn_keras.errors import ConfigError
from arn_keras.pair import BLOCKS, PROTECTIONS, ROTATIONS
from arn_keras.power import level_fault
from arn_keras.rooms import answer
from arn_keras.scenario import SCENARIOS
from arn_keras.scenario.scenario import choices_of, option

# Parts of a batch that are computed side by side. Not the number of cores: a run gives the same
# pair on any machine of one kind.
SHARDS = 2
# Options that are about nothing where there are no ARNs.
_OF_PAIR = ("snr_aware", "csi_aware", "block", "block_width", "block_depth", "keep_power")
KNOWLEDGE = {"white": ("white",), "black": ("black",), "both": ("white", "black")}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of `python train.py`, checked when made.

    Attributes:
        problem: the scenario, with the options that it has of its own; by default its defaults.

    Raises:
        ConfigError: if a value cannot be used.
    """

    scenario: str = option(
        "letter", "the problem: link, data, task and eavesdroppers", room=SCENARIOS
    )
    dataset: str = option(
        "auto",
        "auto (the scenario's own; the letter's is MNIST, or the bundled digits where it cannot be "
        "had), digits, or the name of any TensorFlow Datasets image classification set",
    )
    data_dir: str | None = option(
        None, "where prepared data sets are (default: as TensorFlow Datasets decides)", free=True
    )
    run_dir: str | None = option(
        None, "where results go (default: runs/, named after the options)", free=True
    )
    snr_db: tuple[float, float] = option(
        (10.0, 10.0),
        "SNR in dB; two values are a range, drawn from uniformly for each source in training",
        nargs="+",
    )
    channel: str = option("awgn", "what the air does", room=CHANNELS)
    fast_fading: bool = option(False, "of fading channels: a gain for each symbol, not each source")
    k_factor_db: float | None = option(
        None, "of Rician fading: line of sight over scattered power, in dB (default: 6)"
    )
    csi: Literal["perfect", "pilots", "none"] = option(
        "perfect", "of fading channels: what Bob knows of his gain; Eve always knows hers"
    )
    pilots: int | None = option(None, "of --csi pilots: known symbols a source (default: 8)")
    equalizer: Literal["mmse", "zero-forcing"] = option("mmse", "of fading channels: Bob's")
    eve_snr_offset_db: float = option(0.0, "how much better than Bob Eve hears, in dB")
    psr_db: float | None = option(
        None,
        "allowed perturbation power over signal power, in dB (default: -10; of the bundled digits "
        "-6)",
    )
    protection: str = option(
        "arn",
        "what stands between transmitter and receiver: nothing, the pair of ARNs, the keyed "
        "rotation, which nothing trains, or both",
        room=PROTECTIONS,
    )
    rotation: str = option(
        "auto",
        "of keyed modules: haar, exactly uniform, a proof; fast, attacks tried; auto, haar up to "
        "128 symbols",
        room=ROTATIONS,
        auto=True,
    )
    knowledge: Literal["white", "black", "both"] = option(
        "both", "what Alice knows of Eve: her classifier, or nothing (a local substitute)"
    )
    black_box: Literal["single", "ensemble"] = option(
        "single", "the black box's substitutes: the letter's one, or several that differ"
    )
    privacy_loss: Literal["confidence", "margin", "odds", "entropy"] | None = option(
        None, "L3, what the pair takes from Eve (default: the scenario's; the letter's: confidence)"
    )
    block: str | None = option(
        None, "the block of both ARNs (default: the scenario's; the letter's: dense)", room=BLOCKS
    )
    block_width: int | None = option(None, "its neurons, filters or features (default: its own)")
    block_depth: int | None = option(None, "its hidden layers (default: its own)")
    snr_aware: bool = option(
        False, "tell both ARNs the SNR: one pair for a range of --snr-db", added=True
    )
    csi_aware: bool = option(
        False, "of fading channels: tell Bob's ARN how well he heard each source", added=True
    )
    epochs: int | None = option(
        None, "epochs of the ARN stage (default: 30, more for small data, or if aware)"
    )
    link_epochs: int | None = option(None, "epochs of the base link (default: 15, likewise)")
    eve_epochs: int | None = option(None, "epochs of Eve and of the substitute (default: 6)")
    batch_size: int | None = option(None, "sources a training step (default: 256, fewer likewise)")
    learning_rate: float | None = option(
        None,
        "first learning rate of Adam, cosine decay to 0 (default: 2e-3, for batches above 256 "
        "times the root of batch over 256)",
    )
    seed: int = option(0, "seed of everything random")
    limit: int | None = option(None, "use only the first N training sources")
    keep_power: bool = option(
        False, "scale what is sent to the power of the signal: the pair gets no power of its own"
    )
    jit_compile: bool = option(
        False, "compile the ARN stage with XLA, where that is faster (docs/performance.md)"
    )
    devices: int = option(
        1, "devices of this machine that share each batch: accelerators, or else parts of the CPU"
    )
    no_export: bool = option(False, "do not write the edge bundle", free=True)
    quiet: bool = option(False, "print errors only", free=True)
    tensorboard: bool = option(
        False, "write TensorBoard's files of every stage to RUN_DIR/tensorboard", free=True
    )
    log_json: bool = option(False, "print nothing but lines of JSON, one an event", free=True)
    problem: Any = dataclasses.field(default=None, metadata={"hidden": True, "free": True})

    def __post_init__(self):
        low, high = self.snr_db
        others = ("psr_db", "k_factor_db", "eve_snr_offset_db")
        levels = [(flag(name), getattr(self, name) or 0.0) for name in others]
        levels += [("--snr-db at Eve's", each + self.eve_snr_offset_db) for each in self.snr_db]
        for name, value in (("--snr-db", low), ("--snr-db", high), *levels):
            if fault := level_fault(value):
                raise ConfigError(f"{name}: expected {fault}, got {value}")
        if low > high:
            raise ConfigError(f"--snr-db: expected LO <= HI, got {low:g} {high:g}")
        if self.snr_aware and low == high:
            raise ConfigError(f"--snr-aware: expected a range, --snr-db LOW HIGH, got {low:g}")
        counts = ("epochs", "link_epochs", "eve_epochs", "batch_size", "limit", "devices")
        for name in (*counts, "block_width", "block_depth", "pilots"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{flag(name)}: expected at least 1, got {value}")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"--learning-rate: expected above 0, got {self.learning_rate}")
        if self.seed < 0:
            raise ConfigError(f"--seed: expected at least 0, got {self.seed}")
        for field in dataclasses.fields(self):
            value, choices = getattr(self, field.name), choices_of(field)
            if choices and value is not None and value not in choices:
                raise ConfigError(f"{flag(field.name)}: expected one of {', '.join(choices)}")
        of_pair = (each for each in _OF_PAIR if getattr(self, each) != getattr(type(self), each))
        if not answer(PROTECTIONS, self.protection).arns and (name := next(of_pair, None)):
            raise ConfigError(f"{flag(name)}: expected a pair of ARNs, got {self.protection}")
        if self.problem is None:
            object.__setattr__(self, "problem", answer(SCENARIOS, self.scenario)())

    def resolve(self, dataset, sources):
        """This configuration for a data set, with the scenario's defaults for so many sources.

        Small data get smaller batches and more epochs, so that the steps suffice; a pair that is
        told the SNR, and serves a range, twice as many.

        Raises:
            ConfigError: if a batch is larger than the data.
        """
        default = self.problem.defaults_for(dataset)
        batch_size = self.batch_size or max(1, min(default["batch_size"], sources // 16))
        if batch_size > sources:
            raise ConfigError(
                f"--batch-size: expected at most the {sources} training sources, got {batch_size}"
            )
        if batch_size % self.devices:
            raise ConfigError(
                f"--devices: expected a divisor of the batch size {batch_size}, got {self.devices}"
            )
        more = min(3, math.ceil(60_000 / sources))
        means = answer(PROTECTIONS, self.protection)
        own = self.problem.own_block(self.block) if means.arns else {}
        return dataclasses.replace(
            self,
            dataset=dataset,
            batch_size=batch_size,
            psr_db=default["psr_db"] if self.psr_db is None else self.psr_db,
            privacy_loss=self.privacy_loss or default["privacy_loss"],
            **{name: getattr(self, name) or value for name, value in own.items()},
            epochs=self.epochs or default["epochs"] * more * (1 + self.snr_aware),
            link_epochs=self.link_epochs or default["link_epochs"] * more,
            eve_epochs=self.eve_epochs or default["eve_epochs"] * more,
            # Adam's step does not grow with the gradient: the root, not the ratio.
            learning_rate=self.learning_rate
            or default["learning_rate"] * math.sqrt(max(1, batch_size / default["batch_size"])),
        )

    def notes(self, dataset):
        """Sentences for the user: what of the defaults is this data set's own, and why."""
        own, why = self.problem.of_dataset.get(dataset, ({}, ""))
        return [why] if any(getattr(self, name) is None for name in own) else []

    @property
    def epochs_if_told(self):
        """Epochs of a pair that is told the SNR, of a resolved configuration."""
        return self.epochs * (2 - self.snr_aware)

    @property
    def knowledges(self):
        """The cases of knowledge to train, each "white" or "black"."""
        return KNOWLEDGE[self.knowledge]

    @property
    def evaluation_snrs_db(self):
        """SNRs in dB at which rows are measured: the one, or both ends and the middle."""
        low, high = self.snr_db
        return (low,) if low == high else (low, (low + high) / 2, high)

    def identity(self):
        """The fields that decide what is trained: a run directory belongs to one such set.

        One that was `added` when there were run directories already is there where it is asked for.
        """
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if not field.metadata.get("free")
            and (getattr(self, field.name) != field.default or not field.metadata.get("added"))
        }
        return {**fields, "options": self.problem.identity()}

    def places(self):
        """Where the data are looked for, absolute, for who opens the run later."""
        return {} if self.data_dir is None else {"data_dir": os.path.abspath(self.data_dir)}

    def default_run_name(self, dataset):
        """Name of a run directory: the data set and every option that was asked for."""
        parts = [dataset]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            free = field.name in ("dataset", "scenario") or field.metadata.get("free")
            if not free and value != field.default:
                text = "..".join(f"{x:g}" for x in value) if isinstance(value, tuple) else value
                parts.append(f"{field.name}={text}")
        if self.scenario != Config.scenario:
            parts.insert(0, self.scenario)
        parts += [f"{name}={value}" for name, value in self.problem.asked().items()]
        return ",".join(parts).replace("/", "-").replace(":", "-")


def flag(name):
    """The command line's spelling of a field: `batch_size` -> `--batch-size`."""
    return "--" + name.replace("_", "-")
