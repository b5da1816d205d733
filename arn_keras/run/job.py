"""The main job on one run directory: train what is missing, measure, draw, export.

Nothing here is computed twice: a finished stage is loaded, and a stage is trained only when
something that is still missing needs it.
"""

import contextlib
import functools
import pathlib
import shutil
import sys
import time

from arn_keras.errors import ConfigError, ExportError
from arn_keras.figures import draw
from arn_keras.machine.files import read_json, write_arrays, write_json
from arn_keras.machine.process import last_line, run_python
from arn_keras.measure import evaluation
from arn_keras.pair import PROTECTIONS
from arn_keras.pair.chain import compose
from arn_keras.rooms import answer
from arn_keras.run import channels, records, stages
from arn_keras.run.config import SHARDS
from arn_keras.run.directory import RunDirectory, versions
from arn_keras.run.problem import Problem
from arn_keras.run.stages import LINK, PAIR, names

RESULTS = "results.json"


class Job:
    """All stages of `python train.py`, each on first use.

    Args:
        config: `config.Config`.
        dataset: `data.dataset.Dataset`.
        say: called with each line for the user.

    Raises:
        ArnError: if data and options do not fit, or the run directory cannot be used.
    """

    def __init__(self, config, dataset, say):
        self._say = say
        self._data = dataset
        asked, path = config, config.run_dir
        path = path or pathlib.Path("runs") / config.default_run_name(dataset.name)
        self._config = config = config.resolve(dataset.name, len(dataset.train))
        self._means = answer(PROTECTIONS, config.protection)
        self._check_task(config.problem.task(dataset))
        notes = {"places": config.places(), "task": config.problem.task(dataset)}
        notes["data"] = {dataset.name: dataset.digest()}
        verbose = int(sys.stdout.isatty() and not (config.quiet or config.log_json))
        # Refuses what it cannot use before there is a directory.
        how = {"shards": SHARDS, "verbose": verbose, "say": say, "watch": self._watch}
        self.problem = Problem(config, dataset, self._models, **how)
        identity = config.identity()  # reads what files there are
        if not pathlib.Path(path, LINK).exists():
            stages.check_untrained(self.problem)
        with contextlib.ExitStack() as stack:  # what fails here leaves no directory locked
            self.run = RunDirectory(path, identity, versions(), notes=notes)
            stack.enter_context(self.run)
            self._keep_data()
            for note in (*dataset.notes, *asked.notes(dataset.name)):
                say(f"note: {note}")
            say(f"{dataset.describe()}; results go to {path}")
            stack.pop_all()

    def _check_task(self, task):
        tasks = self._means.tasks
        if tasks and task not in tasks:
            raise ConfigError(
                f"--protection {self._config.protection}: expected a task of {', '.join(tasks)}, "
                f"got {task}: what Bob is to recover must be one of a few labels"
            )

    def _keep_data(self):
        files = self._config.problem.kept_data()
        if files and not self.run.done("data"):
            self.run.begin("data", say=self._say)
            for name, file in files.items():
                shutil.copyfile(file, self.run.partial("data") / name)
            self.run.finish("data")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run.__exit__()

    def _models(self, stage):
        """The models of a stage, made first if they are not there."""
        self._make(stage)
        return dict(zip(names(stage), self.run.load_models(stage, *names(stage)), strict=True))

    def _make(self, stage):
        sources = stages.sources(self._config, stage)
        if not self.run.done(stage, sources):
            for source in sources:
                self._make(source)
        if not self.run.done(stage, sources):  # nor as it was, from what is made again
            given = stage in self.problem.scenario.given()
            epochs = self.problem.epochs(stage)
            todo = f"training, {epochs} epochs" if epochs else "nothing to train"
            partial = self.run.begin(stage, sources, self._say)
            self._say(f"{stage}: {'taken as given' if given else todo}")
            start = time.monotonic()
            self.keep(stage, self.problem.train(stage, partial / "checkpoint"))
            if not given:
                self._say(f"{stage}: done in {time.monotonic() - start:.0f} s")

    def _watch(self, problem, stage):
        config = self._config
        if not (config.tensorboard or config.log_json):
            return ()
        from arn_keras.run.watch import callbacks

        folder = self.run.path / "tensorboard" if config.tensorboard else None
        return callbacks(problem, stage, folder, config.log_json)

    def keep(self, stage, models):
        """Keeps the models of a stage, {name: Keras model}: it is finished then."""
        self.run.keep(stage, models)

    def _built(self, stage, build):
        """Modules that nothing trains, kept as a stage."""
        if not self.run.done(stage):
            self.run.begin(stage, say=self._say)
            self.keep(stage, dict(zip(PAIR, build(), strict=True)))
        return self.run.load_models(stage, *PAIR)

    @functools.cached_property
    def keyed(self):
        """The keyed modules, [transmitter, receiver]: nothing is trained, and no key is in them."""
        shape = self.problem.signal_shape
        rotation = self.problem.rotation
        return self._built(
            "keyed", lambda: (rotation.build_transmitter(shape), rotation.build_receiver(shape))
        )

    def modules(self):
        """What stands at Alice's and Bob's ends: {knowledge: pair}; it is None without ARNs."""
        if self._means.arns:
            pairs = {
                knowledge: self.problem.pair(knowledge) for knowledge in self._config.knowledges
            }
        elif self._means.trained:
            pairs = {None: self.problem.public(self._means.stage(None))}
        elif self._means.build:
            shape = self.problem.signal_shape
            pairs = {None: self._built("modules", lambda: self._means.build(shape))}
        else:
            return {None: self.keyed} if self._means.keyed else {}
        if not self._means.keyed:
            return pairs
        lock, unlock = self.keyed
        return {
            knowledge: (compose(alice, lock), compose(unlock, bob))
            for knowledge, (alice, bob) in pairs.items()
        }

    def results(self):
        """The rows of `results.json`; the examples for the picture lie beside them."""
        file, examples = self.run.path / RESULTS, self.run.path / "examples.npz"
        if not records.is_there(self.run.path, RESULTS) or not self._usable(RESULTS):
            eves = self.problem.scenario.judges
            measures = {name: self.problem.evaluation(stage) for name, stage in eves.items()}
            pairs = self.modules()
            self._say("measuring on the test sources ...")
            snrs_db = self._config.evaluation_snrs_db
            rows = [
                {**row, **channels.fields(self._config)}
                for eve, measure in measures.items()
                for row in evaluation.rows(
                    measure,
                    self._data.test,
                    pairs,
                    snrs_db,
                    eve=eve,
                    psr_db=self._config.psr_db,
                    seed=self._config.seed,
                    protection=self._config.protection,
                )
            ]
            first = next(iter(pairs.values()), ())
            measure = next(iter(measures.values()))
            shown = evaluation.examples(measure, self._data, first, snrs_db[0])
            for eve, other in list(measures.items())[1:]:
                said = evaluation.examples(other, self._data, first, snrs_db[0])
                shown |= {f"{name}/{eve}": said[name] for name in said if name[:4] == "eve_"}
            write_arrays(examples, shown)
            write_json(file, rows)
            made_from = records.digests(self.run.path, self._stages())
            files = {each.name: each for each in (file, examples)}
            records.write(self.run.path, RESULTS, files, made_from)
        return read_json(file)

    def _stages(self):
        """Names of all stages that the results are measured on."""
        found = [LINK, *self.problem.scenario.judges.values()]
        if self._means.arns:
            found += [self._means.stage(each) for each in self._config.knowledges]
        elif self._means.trained:
            found.append(self._means.stage(None))
        elif self._means.build:
            found.append("modules")
        return found + ["keyed"] * bool(self._means.keyed)

    def _usable(self, name):
        """Whether results or a bundle are what was computed from the stages that are there."""
        why = records.why_not(self.run.path, name, self._stages())
        if why and why != "missing":
            self._say(f"note: {name}: {why}; made again")
        return not why

    def picture(self):
        """The picture of a few sources, drawn from what was saved; its path."""
        self.results()
        return draw.draw_examples(self.run.path)

    def bundle(self):
        """The edge bundle, written by a process of its own, for the converter leaks; its path."""
        bundle = self.run.path / "bundle"
        if not (bundle / "manifest.json").is_file() or not self._usable("bundle"):
            self._say("exporting the pair ...")
            other = ["--force"] * records.is_there(self.run.path, "bundle")  # one of this run
            done = run_python("-m", "arn_keras.export", *other, "--", self.run.path)
            if done.returncode or not bundle.exists():
                raise ExportError(f"export failed: {last_line(done)}")
            self._say(done.stdout.rstrip())
        return bundle
