"""Sentences over a transformer link, after DeepSC; what Eve wants is the sentence's label.

TREC's questions and their six coarse types (Li and Roth, COLING 2002) by default; any text set of
TensorFlow Datasets by the names of its features, or files of one's own.
"""

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from arn_keras.data.text import load, of_tokens
from arn_keras.data.tokens import with_any_words
from arn_keras.errors import ConfigError, ModelError
from arn_keras.scenario.scenario import Scenario, file_digest, option
from arn_keras.task import similarity
from arn_keras.task.sentences import require_bleu

#: (seed, share of replaced words) of the copies of each sentence that the link is trained on, too.
COPIES = ((0, 0.5), (1, 0.5), (2, 1.0))


@dataclasses.dataclass(frozen=True)
class Text(Scenario):
    """Questions, and what type of answer each asks for."""

    about = "sentences over a transformer link; the label, for TREC the question's type, is private"
    block = "transformer"
    pauses = True
    shares_budget = False
    loss_weights: ClassVar = {"odds": (15.0, 10.0, 0.4)}
    # Short questions are the first over the budget, and the test set has more of them.
    ensemble_weights: ClassVar = {"odds": (30.0, 10.0, 0.4)}

    text: tuple[str, ...] = option(
        (),
        "files of lines of label, tab, text (or .gz): training and test, or one of which a tenth "
        "is held out; instead of --dataset",
        nargs="+",
        path=True,
    )
    text_feature: str = option("text", "the set's feature with the sentence")
    label_feature: str = option("label-coarse", "the set's feature with the private label")
    length: int = option(18, "tokens of a sentence with its end; longer ones are cut")
    vocabulary: int = option(
        4000, "token ids, at most: the training set's most frequent words that occur twice"
    )
    task_loss: Literal["cross-entropy", "similarity"] = option(
        "cross-entropy", "L2 of the pair: of the tokens, or one minus the similarity of meaning"
    )

    defaults: ClassVar[Mapping[str, float]] = {
        "epochs": 7,
        "link_epochs": 4,
        "eve_epochs": 10,
        "batch_size": 64,
        "learning_rate": 2e-3,
        "privacy_loss": "odds",
    }
    measured: ClassVar[Mapping[str, str]] = {
        "frozen": "token_conv",
        "frozen_transformer": "token_transformer",
        "frozen_dense": "token_dense",
    }
    substitutes: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "single": ("token_substitute",),
        "ensemble": (
            "token_substitute",
            "token_substitute_short",
            "token_substitute_long",
            "token_substitute_attentive",
            "token_substitute_deep",
            "token_substitute_dense",
            "token_substitute_wide",
        ),
    }
    rivals: ClassVar[tuple[str, ...]] = ("token_conv", "token_transformer")
    larger: ClassVar[tuple[str, ...]] = (
        "token_conv_wide",
        "token_transformer_wide",
        "token_dense_wide",
    )

    def __post_init__(self):
        object.__setattr__(self, "text", tuple(self.text))
        if len(self.text) > 2:
            raise ConfigError(f"--text: expected one or two files, got {len(self.text)}")
        for flag, value, least in (
            ("--length", self.length, 2),
            ("--vocabulary", self.vocabulary, 4),
        ):
            if value < least:
                raise ConfigError(f"{flag}: expected at least {least}, got {value}")

    def identity(self):
        """The options by content: a file is named by the first digits of its SHA-256."""
        return {**super().identity(), "text": [file_digest(file) for file in self.text]}

    def dataset(self, name, data_dir, limit, folder=None):
        """The files of `--text`, those that a run directory keeps, or a set by name."""
        require_bleu()
        if self.task_loss == "similarity":
            similarity.require()
        kept = sorted((folder / "data").glob("*.tsv*")) if folder else ()
        files = kept or self.text
        if name == "auto":
            name = _name(files[0]) if files else "trec"
        return load(
            name,
            files,
            data_dir=data_dir,
            limit=limit,
            text=self.text_feature,
            label=self.label_feature,
            length=self.length,
            vocabulary=self.vocabulary,
        )

    def kept_data(self):
        """The files of `--text`: a run directory keeps copies, so that it is whole."""
        return {
            f"{number}.tsv{'.gz' * (pathlib.Path(file).suffix == '.gz')}": file
            for number, file in enumerate(self.text)
        }

    @property
    def judges(self):
        """Every eavesdropper that is measured."""
        return self.measured

    def task(self, dataset):
        """Bob is to read the sentence, whatever L2 is."""
        return "similarity" if self.task_loss == "similarity" else "text"

    def link_data(self, dataset):
        """Each sentence several times: as it is, and with words replaced by any others.

        No label is used; without the copies the link confuses words that it has met twice.
        """
        train, size = dataset.train, len(dataset.vocabulary)
        copies = [with_any_words(train.source, size, share, seed) for seed, share in COPIES]
        sources = np.concatenate([train.source, *copies])
        labels = np.tile(train.label, 1 + len(copies))
        return dataclasses.replace(dataset, train=of_tokens(sources, labels))

    def build_link(self, dataset):
        """The base link, for the words of the data set."""
        from arn_keras.link.text import build_receiver, build_transmitter

        size = len(dataset.vocabulary)
        return build_transmitter(self.length, size), build_receiver(self.length, size)

    def check_link(self, models, dataset):
        """Refuses a link of another length or vocabulary: its ids would be other words.

        Raises:
            ModelError: with what it takes and what there is.
        """
        transmitter = models["transmitter"]
        takes = transmitter.input_shape[1], transmitter.get_layer("embedding").input_dim
        there = dataset.train.source.shape[1], len(dataset.vocabulary)
        if takes != there:
            raise ModelError(
                f"link: expected sentences of {takes[0]} tokens and {takes[1]:,} ids, for which it "
                f"was trained, got {there[0]} and {there[1]:,}: are these the data of this run?"
            )

    def build_reader(self, estimate_shape, classes):
        """Who classifies the sentences that Bob reads."""
        from arn_keras.eve.tokens import build_sentence_reader

        return build_sentence_reader(estimate_shape[0], classes, self.vocabulary)


def _name(file):
    """What a set of files is called: the first one's name up to its ending."""
    return re.sub(r"(_train)?(\.tsv)?(\.gz)?$", "", pathlib.Path(file).name) or "text"
