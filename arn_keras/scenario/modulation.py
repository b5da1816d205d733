"""Bob reads the symbols, Eve wants to know how they are modulated: where the letter's idea is from.

Flowers, Buehrer, Headley, *Evaluating Adversarial Evasion Attacks in the Context of Wireless
Communications*, 2019, and *Communications Aware Adversarial Residual Networks*, MILCOM 2019. The
source is bits, the link a modem without weights, the private label the modulation; frames are drawn
from a seed, or decided from recordings of one's own. Every pair sends the power of the plain modem:
a perturbation that adds power would help Bob by that alone.
"""

import dataclasses
import functools
import inspect
from typing import ClassVar

from arn_keras.errors import ConfigError
from arn_keras.eve import EVES
from arn_keras.link.constellation import MODULATIONS, known
from arn_keras.machine.sigmf_samples import files
from arn_keras.power import LARGEST_DB
from arn_keras.pulse import ROLL_OFF, SAMPLES_PER_SYMBOL, symbols_of
from arn_keras.rooms import answer
from arn_keras.scenario.scenario import Scenario, file_digest, option

NAME = "modulation"
#: What a run directory calls recordings.
SPLITS = "train", "test"
#: Samples of a frame, and frames of a split: what has more has no shape that NumPy can say.
MOST_SAMPLES, MOST_FRAMES = 2**24, 2**31


@dataclasses.dataclass(frozen=True)
class Modulation(Scenario):
    """Frames of several modulations over a modem."""

    about = "bits over a modem, Eve wants to know the modulation"
    block = "in_band"
    keeps_power = True
    trains_link = False
    loss_weights: ClassVar = {"confidence": (10.0, 3.0, 1.0)}
    ensemble_weights: ClassVar = {"confidence": (1.0, 3.0, 1.0)}
    defaults: ClassVar = {
        "epochs": 4,
        "link_epochs": 1,
        "eve_epochs": 2,
        "batch_size": 64,
        "learning_rate": 3e-3,
    }
    measured: ClassVar = {"frozen": "expert", "frozen_iq": "iq", "frozen_symbol": "symbol"}
    substitutes: ClassVar = {
        "single": ("expert_small",),
        "ensemble": ("expert_small", "expert_wide", "iq_small", "symbol_small"),
    }
    rivals = ("iq_small", "symbol_small")
    larger = ("expert_wide", "symbol_wide", "iq_wide")

    modulations: tuple[str, ...] = option(
        (), f"two or more of {', '.join(MODULATIONS)} (default: all)", nargs="+"
    )
    samples: int = option(256, "complex samples of a frame")
    samples_per_symbol: int = option(SAMPLES_PER_SYMBOL, "of the modem; divides the frame")
    frames: int = option(24_000, "frames to train on")
    test_frames: int = option(6_000, "frames to test on")
    recordings: tuple[str, ...] = option(
        (),
        "SigMF recordings of one's own transmitter, whose annotations name the modulation, instead "
        "of frames from a seed: training and test, or one of which a tenth is held out",
        nargs="+",
        path=True,
        added=True,
    )
    synchronised: bool = option(False, "Eve knows phase and timing of each frame, as Bob does")
    papr_db: float | None = option(
        None, "allowed peak over mean power of each frame that a pair sends, in dB", added=True
    )

    def __post_init__(self):
        for name in ("modulations", "recordings"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        try:
            known(self.names)
            symbols_of(self.samples, self.samples_per_symbol)
        except ConfigError as error:
            raise ConfigError(f"--scenario {NAME}: {error}") from None
        if len(self.names) < 2:
            raise ConfigError(f"--modulations: expected two or more, got {self.names[0]}")
        if len(self.recordings) > 2:
            raise ConfigError(f"--recordings: expected one or two, got {len(self.recordings)}")
        if self.papr_db is not None and not 0 < self.papr_db < LARGEST_DB:
            raise ConfigError(
                f"--papr-db: expected above 0 and below {LARGEST_DB:g}, got {self.papr_db}"
            )
        most = {"samples": MOST_SAMPLES, "frames": MOST_FRAMES, "test_frames": MOST_FRAMES}
        for name, count in most.items():
            given = getattr(self, name)
            if given > count:
                flag = name.replace("_", "-")
                raise ConfigError(f"--{flag}: expected at most {count}, got {given}")
        self._check_count("--frames", self.frames)
        self._check_count("--test-frames", self.test_frames)

    def _check_count(self, flag, count):
        if count < len(self.names):
            raise ConfigError(
                f"{flag}: expected at least {len(self.names)}, one of each modulation, got {count}"
            )

    @property
    def names(self):
        """The modulations."""
        return self.modulations or tuple(MODULATIONS)

    @property
    def pulse(self):
        """Samples a symbol, and the roll-off."""
        return self.samples_per_symbol, ROLL_OFF

    @property
    def block_options(self):
        """Of the block in the band."""
        return {"samples_per_symbol": self.samples_per_symbol}

    @property
    def judges(self):
        """All who are measured: a pair of white-box knowledge is trained against all of them."""
        return dict(self.measured)

    def limit(self):
        """On the peaks of a frame."""
        if self.papr_db is None:
            return None
        from arn_keras.pair.peaks import PeakLimit

        return PeakLimit(self.papr_db)

    def in_loss(self, knowledge, black_box):
        """All eavesdroppers, or Alice's substitutes."""
        return (
            tuple(self.measured.values()) if knowledge == "white" else self.substitutes[black_box]
        )

    def identity(self):
        """The options by content: a recording is named by the first digits of its SHA-256s."""
        found = super().identity()
        if self.recordings:
            found["recordings"] = [
                "-".join(file_digest(file) for file in files(each)) for each in self.recordings
            ]
        return found

    def dataset(self, name, data_dir, limit, folder=None):
        """Frames on Alice's own clock, drawn from a seed or out of `--recordings`."""
        if name not in ("auto", NAME):
            raise ConfigError(f"--dataset: expected none, for frames are drawn, got {name!r}")
        if limit is not None:
            self._check_count("--limit", limit)
        symbols = symbols_of(self.samples, self.samples_per_symbol)
        counts = min(self.frames, limit or self.frames), self.test_frames
        if self.recordings:
            from arn_keras.link import recorded

            here = [folder / "data" / each for each in SPLITS] if folder else self.recordings
            here = here[: len(self.recordings)]
            found = recorded.load(here, self.names, symbols, self.samples_per_symbol, counts)
        else:
            from arn_keras.data import modulation

            numbers = [list(MODULATIONS).index(each) for each in self.names]
            found = modulation.load(NAME, symbols, numbers, counts)
        return dataclasses.replace(found, name=NAME, label_names=self.names)

    def kept_data(self):
        """The files of `--recordings`: a run directory keeps copies, so that it is whole."""
        return {
            f"{split}{file.suffix}": str(file)
            for split, name in zip(SPLITS, self.recordings, strict=False)
            for file in files(name)
        }

    def task(self, dataset):
        """Bob decides symbols."""
        return "modem"

    def build_link(self, dataset):
        """The modem."""
        from arn_keras.link.modem import build_receiver, build_transmitter

        how = {"samples": self.samples, "samples_per_symbol": self.samples_per_symbol}
        return build_transmitter(**how), build_receiver(**how)

    def overhears(self, air):
        """Eve knows neither phase nor timing, unless she is given both."""
        from arn_keras.channel.unsynchronised import Unsynchronised

        return air if self.synchronised else Unsynchronised(air, self.samples_per_symbol)

    def rotation(self, asked, signal_shape):
        """Over the symbols."""
        from arn_keras.pair.over_symbols import over_symbols

        reals = 2 * symbols_of(self.samples, self.samples_per_symbol)
        return over_symbols(super().rotation(asked, (reals,)), *self.pulse)

    def build_classifier(self, stage, signal_shape, classes):
        """An eavesdropper; who listens to symbols is told how many samples one has."""
        build = answer(EVES, stage)
        if "samples_per_symbol" in inspect.signature(build).parameters:
            build = functools.partial(build, samples_per_symbol=self.samples_per_symbol)
        return build(signal_shape, classes)

    def build_reader(self, estimate_shape, classes):
        """The expert, of what Bob's matched filter puts out."""
        import keras

        frame = keras.Input(estimate_shape, name="estimate")
        signal = keras.layers.Reshape((2 * self.samples,), name="signal_shape")(frame)
        eve = self.build_classifier("expert", (2 * self.samples,), classes)
        return keras.Model(frame, eve(signal), name="reader")
