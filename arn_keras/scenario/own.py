"""A link of one's own: a trained transmitter and receiver from `.keras` files, and one's own data.

Nothing of the link is trained; Eve is, where none is given. Files are loaded in Keras's safe mode:
one that would run code (a Lambda) is refused. Layers of one's own are known where a module of
`$ARN_KERAS_PLUGINS` registers them.
"""

import dataclasses

from arn_keras.data import PREPROCESSING
from arn_keras.errors import ConfigError, ModelError
from arn_keras.scenario.scenario import Scenario, file_digest, option
from arn_keras.task.photograph import picture_task


@dataclasses.dataclass(frozen=True)
class Own(Scenario):
    """A trained link from files."""

    about = "a trained transmitter and receiver of one's own, from .keras files"

    transmitter: str | None = option(None, "its transmitter, s -> y, a .keras file")
    receiver: str | None = option(None, "its receiver, y -> s_hat, a .keras file")
    eve: tuple[str, ...] = option(
        (),
        "eavesdroppers, y_eve -> logits, .keras files: all of them are in the white box's loss "
        "(default: one is trained)",
        nargs="+",
    )
    data: tuple[str, ...] = option(
        (),
        "training and test data, two .npz files of the arrays source, label and, if Bob is to "
        "recover something else, target; --dataset is then but its name",
        nargs=2,
        path=True,
    )
    preprocessing: str | None = option(
        None,
        "what is done with sources of 8 bits first: unit_interval scales them to [0, 1]; none "
        "gives them to the transmitter as they are, where --data has the array target",
        room=PREPROCESSING,
    )

    def __post_init__(self):
        for name in ("eve", "data"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not (self.transmitter and self.receiver):
            raise ConfigError("--scenario own: expected --transmitter FILE and --receiver FILE")

    def identity(self):
        """The options by content: a file is named by the first digits of its SHA-256."""
        fields = super().identity()
        for name in ("transmitter", "receiver"):
            fields[name] = file_digest(fields[name])
        for name in ("eve", "data"):
            fields[name] = [file_digest(each) for each in fields[name]]
        return fields

    @property
    def stages(self):
        """Stages of the eavesdroppers in the loss: "eve", "eve_2", ..."""
        return tuple("eve" if n == 1 else f"eve_{n}" for n in range(1, max(2, len(self.eve) + 1)))

    @property
    def judges(self):
        """Every eavesdropper that is given."""
        return {stage.replace("eve", "frozen"): stage for stage in self.stages}

    @property
    def measured(self):
        """Those, and others whom no pair is trained against."""
        return {**self.judges, **dict(list(Scenario.measured.items())[1:])}

    def in_loss(self, knowledge, black_box):
        """All given eavesdroppers, or Alice's substitutes."""
        return self.stages if knowledge == "white" else self.substitutes[black_box]

    def dataset(self, name, data_dir, limit, folder=None):
        """The files of `--data`, those that a run directory keeps, or a set by name."""
        from arn_keras.data import arrays, images

        if not self.data:
            found = images.load(name, data_dir, limit)
            if self.preprocessing != "unit_interval":  # their like, 8 bits, is no estimate
                raise ConfigError(
                    f"--preprocessing: expected unit_interval, for pictures of 8 bits that Bob is "
                    f"to recover, got {self.preprocessing}"
                )
            return dataclasses.replace(found, preprocessing=self.preprocessing)
        files = [folder / "data" / file for file in self.kept_data()] if folder else self.data
        name = "own" if name == "auto" else name
        return arrays.load(*files, name=name, preprocessing=self.preprocessing, limit=limit)

    def task(self, dataset):
        """By the targets: pictures, other real numbers, or a label."""
        target = dataset.train.target
        if target is not None:
            return "label" if target.dtype.kind in "iu" and target.squeeze().ndim == 1 else "signal"
        shape = dataset.source_shape
        pictures = isinstance(shape, tuple) and len(shape) == 3 and shape[2] in (1, 3)
        return picture_task(shape) if pictures else "signal"

    def check_link(self, models, dataset):
        """Refuses a receiver whose estimates are not of the target's kind; `ModelError`."""
        target, found = dataset.train.target, models["receiver"].output_shape[1:]
        if target is None:
            return
        if self.task(dataset) == "label":
            expected = f"logits of {1 + int(target.max())} labels"
            fits = len(found) == 1 and found[0] > target.max()
        else:
            expected = f"estimates shaped as the array target, {list(target.shape[1:])}"
            fits = tuple(found) == target.shape[1:]
        if not fits:
            raise ModelError(f"receiver: expected {expected}, got outputs shaped {list(found)}")

    def kept_data(self):
        """The files of `--data`: a run directory keeps copies, so that it is whole."""
        return dict(zip(("train.npz", "test.npz"), self.data, strict=False))

    def given(self):
        """The files of link and eavesdroppers."""
        link = {"transmitter": self.transmitter, "receiver": self.receiver}
        eves = zip(self.stages, self.eve, strict=False)
        return {"link": link, **{stage: {"classifier": file} for stage, file in eves}}
