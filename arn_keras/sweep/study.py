"""A sweep's plan carried out in one directory: what points share first, then the points.

Folders: DATASET/seed-N/ with base stages, and `arn/POINT/` for each pair; `rows.sqlite`: all rows.
"""

import collections
import contextlib

from arn_keras.errors import SweepError
from arn_keras.figures import draw
from arn_keras.machine.files import write_arrays
from arn_keras.measure.sweep_rows import SweepRows, key, read_rows
from arn_keras.run import given
from arn_keras.run.directory import RunDirectory, read_files, versions
from arn_keras.sweep import cost, grid, points
from arn_keras.sweep.folders import Folders
from arn_keras.sweep.progress import Progress

_FIGURE_1_PSR_DB = -10.0
_PAIR = ("transmitter", "receiver")


class Study:
    """What a sweep is to do, and how it is done.

    Args:
        scenario: `scenario.scenario.Scenario`.
        datasets: {name: `data.dataset.Dataset`}.
        configs: {(name, seed, Eve's SNR over Bob's in dB): resolved `run.config.Config`}.
        plan: {`grid.Point`: [(case, eve, snr_db), ...]}.
        examples: whether the arrays of Fig. 1 are wanted too.
        say: called with each line for the user.
        base: `base.Base` of the run whose link and eavesdroppers are taken; None to train all.
        home: as of `sweep_rows.key`.
    """

    def __init__(self, scenario, datasets, configs, plan, examples, say, base=None, home=0.0):
        self._scenario = scenario
        self._task = scenario.task(next(iter(datasets.values())))
        self._datasets = datasets
        self._configs = configs
        self._plan = plan
        self._examples = examples
        self._say = say
        self._base, self._home = base, home
        self._costs = cost.Costs(scenario, datasets, configs, self._given)

    def show_plan(self, out, workers):
        """Says what is left to do in a directory, and what it costs; changes nothing."""
        left = grid.remaining(self._plan, read_rows(out, self._home), self._home)
        folders = Folders(out, self._scenario, self._home)
        stages = [
            of for of in self._stages(left) if not (folders.base_done(*of) or self._taken(*of))
        ]
        pairs = [p for p in self._missing_pairs(left, folders) if not self._takes_pair(p)]
        rows = sum(map(len, left.values()))
        for *base, stage in stages:
            self._say(f"train    {grid.named(*base)}: {stage}")
        for point in pairs:
            self._say(f"train    {grid.named(*point.base)}: {point.name}")
        operations = (
            sum(self._costs.stage(*of) for of in stages)
            + sum(map(self._costs.pair, pairs))
            + sum(self._costs.rows(*each) for each in left.items())
        )
        rate = cost.operations_a_second()
        minutes = cost.seconds(operations, workers, rate) / 60
        self._say(
            f"{len(stages)} shared stages and {len(pairs)} pairs to train, {rows} rows to measure "
            f"({sum(map(len, self._plan.values())) - rows} are there): {operations / 1e12:.2f} "
            f"Tflop, about {minutes:.1f} min on {workers} workers of one core like this one "
            f"({rate / 1e9:.0f} Gflop/s)"
        )

    def run(self, out, identity, configuration, start_engine):
        """Trains and measures what the directory lacks, then draws.

        Args:
            out: the directory.
            identity: what all its rows have in common, JSON values.
            configuration: the same as a word, for each row.
            start_engine: makes the engine, given a folder for temporary files; called only if there
                is something to do.

        Raises:
            ArnError: if the directory cannot be used, or a task failed; what ended well is kept.
        """
        with RunDirectory(out, identity, versions(), "--out", {"task": self._task}) as directory:
            rows = SweepRows(directory.path, configuration, self._say, self._home)
            folders = Folders(directory.path, self._scenario, self._home)
            self._drop_stale(rows, folders)
            left = grid.remaining(self._plan, rows, self._home)
            of_examples = {base[:2]: base for base in self._configs if self._examples}
            examples = [
                base for of, base in of_examples.items() if not folders.examples(*of).exists()
            ]
            try:
                if left or examples:
                    with contextlib.closing(start_engine(directory.scratch)) as engine:
                        self._carry_out(directory, folders, rows, left, examples, engine)
            finally:
                rows.export()
            for file in draw.draw(directory.path):
                self._say(f"figure   {file}")

    def _drop_stale(self, rows, folders):
        """Removes rows of the plan that were measured on other modules than are there now."""
        names = {
            grid.row_key(point, *each, self._home): (point, each[1])
            for point, measured in self._plan.items()
            for each in measured
        }
        stale = folders.stale(rows.records, names)
        if stale:
            self._say(f"note: {len(stale)} rows are of other modules than are there; made again")
            rows.drop(stale)

    def _carry_out(self, directory, folders, rows, left, examples, engine):
        data = {name: engine.share(dataset.in_memory()) for name, dataset in self._datasets.items()}
        stages = self._stages(left, examples)
        for of in stages:
            if self._taken(*of) and not folders.base_done(*of):
                files = self._base.files(of[-1])
                self._store(directory, folders.stage(*of), folders.base_sources(*of), files)
        for point in filter(self._takes_pair, self._missing_pairs(left, folders)):
            files = self._base.pair_files(point)
            self._store(directory, folders.pair(point), folders.pair_sources(point), files)
            self._say(f"taken    {grid.named(*point.base)}: {point.name}, the run's own pair")
        missing = [stage for stage in stages if not folders.base_done(*stage)]
        turns = self._costs.turns(left, self._missing_pairs(left, folders))
        total = sum(self._costs.stage(*of) for of in missing)
        total += sum(task.operations for turn in turns for task in turn)
        with Progress(total, self._say) as progress:
            for is_link in (True, False):  # classifiers learn from the link's signals
                tasks = [stage for stage in missing if (stage[-1] == "link") is is_link]
                models = self._share_models(directory, folders, stages, engine)
                arguments = [
                    (data[base[0]], models[*base], self._configs[*base], stage)
                    for *base, stage in tasks
                ]
                for index, files in engine.run(points.train_stage, arguments):
                    if isinstance(files, Exception):
                        raise files
                    *base, stage = tasks[index]
                    sources = folders.base_sources(*tasks[index])
                    self._store(directory, folders.stage(*tasks[index]), sources, files)
                    cost_of_it = self._costs.stage(*tasks[index])
                    progress.done(cost_of_it, f"{grid.named(*base)}: {stage}")
            models = self._share_models(directory, folders, stages, engine)
            self._run_points(directory, folders, rows, left, turns, data, models, engine, progress)
            tasks = [
                (data[base[0]], models[base], self._configs[base], _FIGURE_1_PSR_DB)
                for base in examples
            ]
            for index, arrays in engine.run(points.fgsm_example, tasks):
                if isinstance(arrays, Exception):
                    raise arrays
                write_arrays(folders.examples(*examples[index][:2]), arrays)

    def _run_points(self, directory, folders, rows, left, turns, data, models, engine, progress):
        failed = {}
        for turn in turns:
            todo = [task for task in turn if task.point not in failed]
            tasks = (
                (
                    data[point.dataset],
                    models[point.base],
                    self._configs[point.base],
                    point,
                    measured,
                    read_files(directory.path, folders.pair(point), *_PAIR)
                    if point.knowledge and folders.pair_done(point)
                    else None,
                )
                for point, measured, _ in todo
            )
            for index, result in engine.run(points.run_point, tasks):
                point, asked, operations = todo[index]
                if isinstance(result, Exception):
                    failed.setdefault(point, result)
                    self._say(f"failed   {point.name}: {result}")
                    continue
                files, measured = result
                if files and not folders.pair_done(point):
                    self._store(directory, folders.pair(point), folders.pair_sources(point), files)
                rows.add(
                    {
                        key(row, home=self._home): {**row, **folders.made_from(point, row["eve"])}
                        for row in measured
                    }
                )
                what = point.name if asked else f"{point.name}, the pair"
                progress.done(operations, f"{grid.named(*point.base)}: {what}")
        if failed:
            point, first = next(iter(failed.items()))
            raise SweepError(
                f"{len(failed)} of {len(left)} points failed; the first: {point.name}: {first}"
            )

    def _share_models(self, directory, folders, stages, engine):
        """A handle for each base: {stage: {name: bytes}} of the stages that are done."""
        files = collections.defaultdict(dict)
        for *base, stage in stages:
            names = _PAIR if stage == "link" else ("classifier",)
            if folders.base_done(*base, stage):
                found = read_files(directory.path, folders.stage(*base, stage), *names)
                for each in self._configs:  # a link is that of every place of Eve
                    if each == tuple(base) or (stage == "link" and each[:2] == tuple(base[:2])):
                        files[each][stage] = found
        return {base: engine.share(files[base]) for base in self._configs}

    def _stages(self, left, examples=()):
        """The base stages that points need: [(*base, stage), ...], the link first, once for all."""
        needed, links = {}, {base[:2]: (*base, "link") for base in reversed(self._configs)}
        for point, measured in left.items():
            names = [self._scenario.stage_of(eve) for _, eve, _ in measured]
            names += point.in_loss(self._scenario)
            needed[links[point.base[:2]]] = None
            needed.update(dict.fromkeys((*point.base, name) for name in names))
        for base in examples:
            eve = next(iter(self._scenario.measured.values()))
            needed.update(dict.fromkeys([links[base[:2]], (*base, eve)]))
        return list(needed)

    def _store(self, directory, stage, sources, files):
        partial = directory.begin(stage, sources, self._say)
        for name, content in files.items():
            (partial / f"{name}.keras").write_bytes(content)
        directory.finish(stage)

    def _taken(self, dataset, seed, offset, stage):
        """Whether a stage is the run's own: of its eavesdroppers those that hear as they learnt."""
        if self._base is None or not self._base.has(stage):
            return False
        return stage == "link" or offset == self._base.eve_snr_offset_db

    def _missing_pairs(self, left, folders):
        return [point for point in left if point.knowledge and not folders.pair_done(point)]

    def _takes_pair(self, point):
        return self._base is not None and self._base.has_pair(point)

    def _given(self, base, stage):
        if self._taken(*base, stage):
            return self._base.models(stage)
        files = self._scenario.given().get(stage)
        return files and given.load(files)
