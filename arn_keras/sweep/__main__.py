"""Sweeps: grids over SNR, PSR, knowledge, seed, case and data set, on one machine or many.

`python -m arn_keras.sweep` trains what is missing and measures what is missing. This process is
the only one that writes; the tasks are those of `points.py`, on an engine of `engines.py`.
"""

import contextlib
import itertools

from arn_keras.arguments import exit_status
from arn_keras.backend import usable_cores
from arn_keras.errors import ConfigError
from arn_keras.sweep.options import configuration, identity, parse, plan_of, settings


def main(arguments=None):
    """Runs `python -m arn_keras.sweep`; returns its exit status."""
    options = parse(arguments)
    return exit_status("arn_keras.sweep", lambda: run(options))


def run(options):
    """Trains and measures what the directory lacks."""
    from arn_keras.backend import load_tensorflow, require_tensorflow

    say = (lambda *words: None) if options.quiet else print
    require_tensorflow()
    if options.saved:
        problem = options.saved.problem(options.data_dir)
        found = dict.fromkeys(options.dataset, problem.dataset)
    else:
        how = options.data_dir, options.limit
        found = {name: options.problem.dataset(name, *how) for name in options.dataset}
    names = {name: dataset.name for name, dataset in found.items()}
    datasets = {dataset.name: dataset for dataset in found.values()}
    for note in itertools.chain(*(dataset.notes for dataset in datasets.values())):
        say(f"note: {note}")
    for dataset in datasets.values():
        shape = dataset.source_shape
        if 1 in options.figure and (isinstance(shape, dict) or len(shape) != 3):
            raise ConfigError(f"--figure 1: expected pictures, got {dataset.describe()}")
    load_tensorflow()
    from arn_keras.run import stages
    from arn_keras.run.channels import channels
    from arn_keras.run.problem import Problem
    from arn_keras.sweep.base import Base
    from arn_keras.sweep.study import Study

    plan = plan_of(options, names)
    configs = {
        base: settings(options, *base).resolve(base[0], len(datasets[base[0]].train))
        for base in itertools.product(datasets, options.seed, options.eve_snr_offset_db)
    }
    for config in configs.values():
        channels(config)
    if not options.saved:
        for name, config in {name: config for (name, *_), config in configs.items()}.items():
            stages.check_untrained(Problem(config, datasets[name], {}.get))
    base = Base(options.saved, problem) if options.saved else None
    how = 1 in options.figure, say, base, options.home
    study = Study(options.problem, datasets, configs, plan, *how)
    if options.dry_run:
        study.show_plan(options.out, options.jobs or usable_cores())
        return
    with _held(options):
        study.run(
            options.out,
            identity(options),
            configuration(options),
            lambda folder: _engine(options, folder),
        )


def _held(options):
    """The run's directory, locked, if the sweep writes below it."""
    saved, out = options.saved, options.out.absolute()
    is_below = saved is not None and out.is_relative_to(saved.path.absolute())
    return saved.directory() if is_below else contextlib.nullcontext()


def _engine(options, folder):
    from arn_keras.sweep.engines import LocalEngine, RayEngine

    if options.ray is None:
        return LocalEngine(folder, options.jobs)
    return RayEngine(options.ray or None, options.jobs, options.gpus)


if __name__ == "__main__":
    raise SystemExit(main())
