"""What is left of a study, carried out by an engine: what points share first, then the points."""

import collections

from arn_keras.errors import SweepError
from arn_keras.machine.files import write_arrays
from arn_keras.measure.sweep_rows import key
from arn_keras.run.directory import read_files
from arn_keras.sweep import grid, points
from arn_keras.sweep.progress import Progress

_FIGURE_1_PSR_DB = -10.0
_PAIR = ("transmitter", "receiver")


class Execution:
    """One of a study, in one directory.

    Args:
        study: `study.Study`.
        directory: `run.directory.RunDirectory`, entered.
        folders: `folders.Folders` of it.
        rows: `measure.sweep_rows.SweepRows` of it.
        engine: as in `engines`.
    """

    def __init__(self, study, directory, folders, rows, engine):
        self._study, self._directory, self._folders = study, directory, folders
        self._rows, self._engine, self._configs = rows, engine, study.configs
        self._data = {
            name: engine.share(dataset.in_memory()) for name, dataset in study.datasets.items()
        }

    def run(self, left, examples):
        """Trains and measures; each stage, pair and row is kept as soon as it is done.

        Args:
            left: {`grid.Point`: rows to measure}.
            examples: bases whose arrays of Fig. 1 are missing.

        Raises:
            ArnError: if a task failed.
        """
        study, folders = self._study, self._folders
        stages = study.stages(left, examples)
        self._take(left, stages)
        missing = [stage for stage in stages if not folders.base_done(*stage)]
        turns = study.costs.turns(left, study.missing_pairs(left, folders))
        total = sum(study.costs.stage(*of) for of in missing)
        total += sum(task.operations for turn in turns for task in turn)
        with Progress(total, study.say) as progress:
            for is_link in (True, False):  # classifiers learn from the link's signals
                those = [stage for stage in missing if (stage[-1] == "link") is is_link]
                self._train(those, self._share_models(stages), progress)
            models = self._share_models(stages)
            failed = {}
            for turn in turns:
                todo = [task for task in turn if task.point not in failed]
                failed |= self._measure(todo, models, progress)
            if failed:
                point, first = next(iter(failed.items()))
                raise SweepError(
                    f"{len(failed)} of {len(left)} points failed; the first: {point.name}: {first}"
                )
            self._make_examples(examples, models)

    def _take(self, left, stages):
        """What the run has that the study is of."""
        study, folders = self._study, self._folders
        for of in stages:
            if study.taken(*of) and not folders.base_done(*of):
                self._store(folders.stage(*of), folders.base_sources(*of), study.base.files(of[-1]))
        for point in filter(study.takes_pair, study.missing_pairs(left, folders)):
            self._store_pair(point, study.base.pair_files(point))
            study.say(f"taken    {grid.named(*point.base)}: {point.name}, the run's own pair")

    def _train(self, stages, models, progress):
        tasks = [
            (self._data[base[0]], models[*base], self._configs[*base], stage)
            for *base, stage in stages
        ]
        for index, files in self._engine.run(points.train_stage, tasks):
            if isinstance(files, Exception):
                raise files
            of = *base, stage = stages[index]
            self._store(self._folders.stage(*of), self._folders.base_sources(*of), files)
            progress.done(self._study.costs.stage(*of), f"{grid.named(*base)}: {stage}")

    def _measure(self, todo, models, progress):
        """Pairs and rows of tasks, `cost.Task`; {point: its first error}."""
        failed, folders = {}, self._folders
        tasks = (
            (
                self._data[point.dataset],
                models[point.base],
                self._configs[point.base],
                point,
                measured,
                read_files(self._directory.path, folders.pair(point), *_PAIR)
                if point.knowledge and folders.pair_done(point)
                else None,
            )
            for point, measured, _ in todo
        )
        for index, result in self._engine.run(points.run_point, tasks):
            point, asked, operations = todo[index]
            if isinstance(result, Exception):
                failed.setdefault(point, result)
                self._study.say(f"failed   {point.name}: {result}")
                continue
            files, measured = result
            if files and not folders.pair_done(point):
                self._store_pair(point, files)
            self._rows.add(
                {
                    key(row, home=folders.home): {**row, **folders.made_from(point, row["eve"])}
                    for row in measured
                }
            )
            what = point.name if asked else f"{point.name}, the pair"
            progress.done(operations, f"{grid.named(*point.base)}: {what}")
        return failed

    def _make_examples(self, bases, models):
        tasks = [
            (self._data[base[0]], models[base], self._configs[base], _FIGURE_1_PSR_DB)
            for base in bases
        ]
        for index, arrays in self._engine.run(points.fgsm_example, tasks):
            if isinstance(arrays, Exception):
                raise arrays
            write_arrays(self._folders.examples(*bases[index][:2]), arrays)

    def _share_models(self, stages):
        """A handle for each base: {stage: {name: bytes}} of the stages that are done."""
        files = collections.defaultdict(dict)
        for *base, stage in stages:
            names = _PAIR if stage == "link" else ("classifier",)
            if self._folders.base_done(*base, stage):
                folder = self._folders.stage(*base, stage)
                found = read_files(self._directory.path, folder, *names)
                for each in self._configs:  # a link is that of every place of Eve
                    if each == tuple(base) or (stage == "link" and each[:2] == tuple(base[:2])):
                        files[each][stage] = found
        return {base: self._engine.share(files[base]) for base in self._configs}

    def _store_pair(self, point, files):
        self._store(self._folders.pair(point), self._folders.pair_sources(point), files)

    def _store(self, stage, sources, files):
        partial = self._directory.begin(stage, sources, self._study.say)
        for name, content in files.items():
            (partial / f"{name}.keras").write_bytes(content)
        self._directory.finish(stage)
