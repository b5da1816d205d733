"""A sweep's plan in one directory: what is there, what is left, and what that costs.

Folders: DATASET/seed-N/ with base stages, and `arn/POINT/` for each pair; `rows.sqlite`: all rows.
"""

import contextlib

from arn_keras.figures import draw
from arn_keras.measure.sweep_rows import SweepRows, read_rows
from arn_keras.run import given
from arn_keras.run.directory import RunDirectory, versions
from arn_keras.sweep import cost, grid
from arn_keras.sweep.execution import Execution
from arn_keras.sweep.folders import Folders


class Study:
    """What a sweep is to do.

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
        self.datasets = datasets
        self.configs = configs
        self._plan = plan
        self._examples = examples
        self.say = say
        self.base, self._home = base, home
        self.costs = cost.Costs(scenario, datasets, configs, self._given)

    def show_plan(self, out, workers):
        """Says what is left to do in a directory, and what it costs; changes nothing."""
        left = grid.remaining(self._plan, read_rows(out, self._home), self._home)
        folders = Folders(out, self._scenario, self._home)
        stages = [of for of in self.stages(left) if not (folders.base_done(*of) or self.taken(*of))]
        pairs = [p for p in self.missing_pairs(left, folders) if not self.takes_pair(p)]
        rows = sum(map(len, left.values()))
        for *base, stage in stages:
            self.say(f"train    {grid.named(*base)}: {stage}")
        for point in pairs:
            self.say(f"train    {grid.named(*point.base)}: {point.name}")
        operations = (
            sum(self.costs.stage(*of) for of in stages)
            + sum(map(self.costs.pair, pairs))
            + sum(self.costs.rows(*each) for each in left.items())
        )
        rate = cost.operations_a_second()
        minutes = cost.seconds(operations, workers, rate) / 60
        self.say(
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
        notes = {"task": self._task}
        notes["data"] = {name: dataset.digest() for name, dataset in self.datasets.items()}
        with RunDirectory(out, identity, versions(), "--out", notes) as directory:
            rows = SweepRows(directory.path, configuration, self.say, self._home)
            folders = Folders(directory.path, self._scenario, self._home)
            self._drop_stale(rows, folders)
            left = grid.remaining(self._plan, rows, self._home)
            of_examples = {base[:2]: base for base in self.configs if self._examples}
            examples = [
                base for of, base in of_examples.items() if not folders.examples(*of).exists()
            ]
            try:
                if left or examples:
                    with contextlib.closing(start_engine(directory.scratch)) as engine:
                        Execution(self, directory, folders, rows, engine).run(left, examples)
            finally:
                rows.export()
            for file in draw.draw(directory.path):
                self.say(f"figure   {file}")

    def _drop_stale(self, rows, folders):
        """Removes rows of the plan that were measured on other modules than are there now."""
        names = {
            grid.row_key(point, *each, self._home): (point, each[1])
            for point, measured in self._plan.items()
            for each in measured
        }
        stale = folders.stale(rows.records, names)
        if stale:
            self.say(f"note: {len(stale)} rows are of other modules than are there; made again")
            rows.drop(stale)

    def stages(self, left, examples=()):
        """The base stages that points need: [(*base, stage), ...], the link first, once for all."""
        needed, links = {}, {base[:2]: (*base, "link") for base in reversed(self.configs)}
        for point, measured in left.items():
            names = [self._scenario.stage_of(eve) for _, eve, _ in measured]
            names += point.in_loss(self._scenario)
            needed[links[point.base[:2]]] = None
            needed.update(dict.fromkeys((*point.base, name) for name in names))
        for base in examples:
            eve = next(iter(self._scenario.measured.values()))
            needed.update(dict.fromkeys([links[base[:2]], (*base, eve)]))
        return list(needed)

    def taken(self, dataset, seed, offset, stage):
        """Whether a stage is the run's own: of its eavesdroppers those that hear as they learnt."""
        if self.base is None or not self.base.has(stage):
            return False
        return stage == "link" or offset == self.base.eve_snr_offset_db

    def missing_pairs(self, left, folders):
        """The points whose pair is not in the directory."""
        return [point for point in left if point.knowledge and not folders.pair_done(point)]

    def takes_pair(self, point):
        """Whether a point's pair is the run's own."""
        return self.base is not None and self.base.has_pair(point)

    def _given(self, base, stage):
        if self.taken(*base, stage):
            return self.base.models(stage)
        files = self._scenario.given().get(stage)
        return files and given.load(files)
