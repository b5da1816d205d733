"""The main job on one run directory: train what is missing, measure, draw, export.

Nothing here is computed twice: a finished stage is loaded, and a stage is trained only when
something that is still missing needs it.
"""

import functools
import pathlib
import subprocess
import sys
import time

import numpy as np

from arn_keras.data.preprocessing import unit_interval
from arn_keras.errors import ExportError
from arn_keras.figures import draw
from arn_keras.files import atomic_file, read_json, write_json
from arn_keras.measure import evaluation
from arn_keras.pair.chain import compose
from arn_keras.pair.rotation import build_receiver_keyed, build_transmitter_keyed
from arn_keras.run.directory import RunDirectory, versions
from arn_keras.training import algorithm_1
from arn_keras.training.privacy import Privacy
from arn_keras.training.transmit import transmit

# Parts of a batch that are computed side by side. Not the number of cores: a run gives the same
# pair on any machine of one kind.
SHARDS = 2


class Job:
    """All stages of `python train.py`, each on first use.

    Args:
        config: `run.config.Config`.
        dataset: `data.images.Dataset`.
        say: called with each line for the user.

    Raises:
        ArnError: if data and options do not fit, or the run directory cannot be used.
    """

    def __init__(self, config, dataset, say):
        self._say = say
        self._data = dataset
        path = config.run_dir or pathlib.Path("runs") / config.default_run_name(dataset.name)
        self._config = config = config.resolve(dataset.name, len(dataset.train))
        self.run = RunDirectory(path, config.identity(), versions())
        for note in dataset.notes:
            say(f"note: {note}")
        say(
            f"{dataset.name}: {len(dataset.train)} training and {len(dataset.test)} test sources "
            f"of {'x'.join(map(str, dataset.source_shape))}; results go to {path}"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run.__exit__()

    @functools.cached_property
    def link(self):
        """The trained base link: [transmitter, receiver]."""

        def train(**how):
            link = algorithm_1.train_link(self._data.train.images, **how)
            return link.transmitter, link.receiver

        return self._stage("link", ("transmitter", "receiver"), self._config.link_epochs, train)

    @functools.cached_property
    def signals(self):
        """What the frozen transmitter puts out for every training source, computed once."""
        return transmit(self.link[0], self._data.train.images, unit_interval)

    def classifier(self, stage):
        """A classifier of what is overheard: Eve's, or a substitute that Alice trains."""

        def train(**how):
            return [
                algorithm_1.train_eavesdropper(
                    stage, self.signals, self._data.train.labels, self._data.classes, **how
                )
            ]

        return self._stage(stage, ("classifier",), self._config.eve_epochs, train)[0]

    def pair(self, knowledge):
        """The two ARNs trained against Eve ("white") or against substitutes ("black")."""
        stage = f"arn/{knowledge}"

        privacy = Privacy(knowledge, self._config.black_box, self._config.privacy_loss)

        def train(schedule, **how):
            classifiers = [self.classifier(name) for name in privacy.stages]
            sources = self._data.train.images
            link = algorithm_1.build_pair_link(
                privacy, *self.link, classifiers, schedule, len(sources), stage
            )
            algorithm_1.train_pair(
                link,
                sources,
                self.signals,
                self._data.train.labels,
                schedule,
                psr_db=self._config.psr_db,
                stage=stage,
                **how,
            )
            return link.transmitter_arn, link.receiver_arn

        return self._stage(stage, ("transmitter", "receiver"), self._config.epochs, train)

    @functools.cached_property
    def keyed(self):
        """The keyed modules, [transmitter, receiver]: nothing is trained, and no key is in them."""
        if not self.run.done("keyed"):
            partial, shape = self.run.partial("keyed"), self.link[0].output_shape[1:]
            build_transmitter_keyed(shape).save(partial / "transmitter.keras")
            build_receiver_keyed(shape).save(partial / "receiver.keras")
            self.run.finish("keyed")
        return self.run.load_models("keyed", "transmitter", "receiver")

    def modules(self):
        """What stands at Alice's and Bob's ends: {knowledge: pair}; it is None without ARNs."""
        name = self._config.protection
        if name in ("none", "keyed"):
            return {None: self.keyed} if name == "keyed" else {}
        pairs = {knowledge: self.pair(knowledge) for knowledge in self._config.knowledges}
        if name == "arn":
            return pairs
        lock, unlock = self.keyed
        return {
            knowledge: (compose(alice, lock), compose(unlock, bob))
            for knowledge, (alice, bob) in pairs.items()
        }

    def results(self):
        """The rows of `results.json`, and the examples for the picture."""
        file, examples = self.run.path / "results.json", self.run.path / "examples.npz"
        if not (file.exists() and examples.exists()):
            measure = evaluation.Evaluation(
                *self.link,
                self.classifier("eve"),
                algorithm_1.stage_seed(self._config.seed, "test"),
            )
            pairs = self.modules()
            self._say("measuring on the test sources ...")
            snrs_db = self._config.evaluation_snrs_db
            rows = evaluation.rows(
                measure,
                self._data.test,
                pairs,
                snrs_db,
                psr_db=self._config.psr_db,
                seed=self._config.seed,
                protection=self._config.protection,
            )
            first = next(iter(pairs.values()), ())
            shown = evaluation.examples(measure, self._data.test, first, snrs_db[0])
            with atomic_file(examples) as temporary, open(temporary, "wb") as stream:
                np.savez_compressed(stream, **shown)
            write_json(file, rows)
        return read_json(file)

    def picture(self):
        """The picture of a few sources, drawn from what was saved; its path."""
        self.results()
        return draw.draw_examples(self.run.path)

    def bundle(self):
        """The edge bundle, written by a process of its own, for the converter leaks; its path."""
        bundle = self.run.path / "bundle"
        if not bundle.exists():
            self._say("exporting the pair ...")
            command = [sys.executable, "-m", "arn_keras.export", str(self.run.path)]
            if self._config.data_dir:
                command += ["--data-dir", self._config.data_dir]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                lines = done.stderr.strip().splitlines() or ["no reason was given"]
                raise ExportError(f"export failed: {lines[-1]}")
            self._say(done.stdout.rstrip())
        return bundle

    def _stage(self, stage, names, epochs, train):
        """The models of a stage, trained first if they are not there."""
        if not self.run.done(stage):
            partial = self.run.partial(stage)
            self._say(f"{stage}: training, {epochs} epochs")
            start = time.monotonic()
            models = train(
                schedule=self._schedule(stage, epochs),
                snr_db=self._config.snr_db,
                seed=self._config.seed,
                checkpoint_dir=partial / "checkpoint",
            )
            for name, model in zip(names, models, strict=True):
                model.save(partial / f"{name}.keras")
            self.run.finish(stage)
            self._say(f"{stage}: done in {time.monotonic() - start:.0f} s")
        return self.run.load_models(stage, *names)

    def _schedule(self, stage, epochs):
        return algorithm_1.Schedule(
            epochs=epochs,
            batch_size=self._config.batch_size,
            learning_rate=self._config.learning_rate,
            jit_compile=self._config.jit_compile and stage.startswith("arn/"),
            shards=SHARDS,
            devices=self._config.devices,
            verbose=int(sys.stdout.isatty() and not self._config.quiet),
        )
