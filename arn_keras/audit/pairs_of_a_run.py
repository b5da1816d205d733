"""What the commands that train pairs of their own on a finished run's link have in common."""

import dataclasses
import math
import pathlib
import sys

from arn_keras.arguments import exit_status
from arn_keras.audit.conduct import trained
from arn_keras.power import level_fault
from arn_keras.run.config import SHARDS
from arn_keras.run.saved import SavedRun


def add_options(parser):
    """The run, and how its pairs are trained."""
    parser.add_argument("run_dir", metavar="RUN_DIR", help="run directory of train.py")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds (default: 3; 1 for --quick)")
    parser.add_argument("--epochs", type=int, default=20, help="of each pair (default: 20)")
    parser.add_argument(
        "--quick", action="store_true", help="one seed and short trainings of Eve: a first look"
    )
    parser.add_argument("--data-dir", help="where prepared data sets are")


def parsed(parser, arguments, *, levels_db, weights):
    """Options; wrong ones end the program with one line and status 2.

    Args:
        parser: `arguments.Parser`.
        arguments: words, or None for those of the process.
        levels_db: names of options that are levels in dB.
        weights: names of those that are numbers from 0 on, weights of a loss for example.
    """
    options = parser.parse_args(arguments)
    for name in ("seeds", "epochs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name}: expected at least 1, got {value}")
    for name in (*levels_db, *weights):
        values = getattr(options, name)
        for value in values if isinstance(values, list) else [values]:
            level = name in levels_db
            fault = level_fault(value) if level else "a finite number >= 0"
            if fault and (level or not 0 <= value < math.inf):
                flag = name.replace("_", "-")
                parser.error(f"--{flag}: expected {fault}, got {value}")
    return options


def seeds_of(options):
    """Seeds of the pairs, from 0 on."""
    return list(range(options.seeds or (1 if options.quick else 3)))


def opened(options):
    """A finished run, and its problem with pairs of so many epochs.

    Returns:
        (`SavedRun`, its folder, `Problem`).
    """
    path = pathlib.Path(options.run_dir)
    saved = SavedRun.read(path)
    trained(saved)
    config = dataclasses.replace(saved.config, epochs=options.epochs)
    problem = dataclasses.replace(saved, config=config).problem(options.data_dir, shards=SHARDS)
    return saved, path, problem


def status(program, parse, run, arguments):
    """Runs a command of these options; its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    options = parse(words)
    return exit_status(program, lambda: run(options, words))
