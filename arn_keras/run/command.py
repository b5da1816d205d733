"""The command line of the main job: one configuration in, stages run, one table out.

Nothing heavy is imported before the options are known to be good.
"""

import argparse
import dataclasses
import importlib.util
import typing

from arn_keras.arguments import Parser, exit_status, json_line
from arn_keras.backend import load_tensorflow, require_tensorflow
from arn_keras.errors import ConfigError
from arn_keras.pair import PROTECTIONS
from arn_keras.rooms import answer
from arn_keras.run.config import Config, flag
from arn_keras.scenario import SCENARIOS
from arn_keras.scenario.scenario import choices_of
from arn_keras.task.task import Measure


def parse(arguments=None):
    """Options to a `Config`; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog="train.py",
        description="Secure semantic communication via paired adversarial residual networks: "
        "trains base link, eavesdropper and the pair of modules, measures them, exports them.",
    )
    for field in dataclasses.fields(Config):
        if not field.metadata.get("hidden"):
            add_option(parser, field)
    given = vars(parse_with_scenario(parser, arguments))
    if len(given["snr_db"]) > 2:
        parser.error(f"--snr-db: expected one or two values, got {len(given['snr_db'])}")
    given["snr_db"] = (given["snr_db"][0], given["snr_db"][-1])
    try:
        return Config(**given)
    except ConfigError as error:
        return parser.error(str(error))


def parse_with_scenario(parser, arguments):
    """Parses options, among them those that the scenario has of its own.

    Args:
        parser: with `--scenario` and all other options.
        arguments: of the command line; None for the program's.

    Returns:
        The namespace, with `problem` in the place of the scenario's own options.
    """
    first = Parser(add_help=False, allow_abbrev=False)
    first.add_argument("--scenario", nargs="?", default=Config.scenario)
    name = first.parse_known_args(arguments)[0].scenario
    scenario, own = None, ()
    if name in SCENARIOS:  # else refused below, in one line
        scenario = answer(SCENARIOS, name)
        own = dataclasses.fields(scenario)
        group = parser.add_argument_group(f"scenario {name}", scenario.about) if own else None
        for field in own:
            add_option(group, field)
    options = parser.parse_args(arguments)
    given = {field.name: vars(options).pop(field.name) for field in own}
    try:
        options.problem = scenario(**given)
    except ConfigError as error:
        parser.error(str(error))
    return options


def add_option(parser, field):
    """Adds the option of one field of `Config`, or of a scenario."""
    options = {"help": field.metadata["help"], "default": field.default}
    kinds = typing.get_args(field.type) or (field.type,)
    choices = choices_of(field)
    if kinds[0] is bool:
        options["action"] = "store_true" if field.type is bool else argparse.BooleanOptionalAction
    elif choices:
        options["choices"] = choices
    else:
        options["type"] = kinds[0]
        options["metavar"] = {int: "N", float: "X"}.get(kinds[0], field.name.upper())
    if "nargs" in field.metadata:
        options["nargs"] = field.metadata["nargs"]
    if field.default not in (None, False, ()):
        default = field.default
        options["help"] += f" (default: {default[0] if isinstance(default, tuple) else default})"
    parser.add_argument(flag(field.name), **options)


def main(arguments=None):
    """Runs `python train.py`; returns its exit status."""
    config = parse(arguments)
    return exit_status("train.py", lambda: run(config))


def run(config):
    """Runs every stage that the run directory lacks, then prints the table."""
    say = _say(config)
    require_tensorflow()
    _check_packages(config)
    if config.devices > 1:  # before TensorFlow runs anything, and reading data may make it
        load_tensorflow()
        from arn_keras.training.devices import offer_logical_devices

        offer_logical_devices(config.devices)
    # Before what takes seconds.
    dataset = config.problem.dataset(config.dataset, config.data_dir, config.limit)
    load_tensorflow(config.problem.splits_layers)
    from arn_keras.run.job import Job

    with Job(config, dataset, say) as job:
        rows = job.results()
        picture = job.picture()
        protected = answer(PROTECTIONS, config.protection).any
        bundle = job.bundle() if protected and not config.no_export else None
    made = {"picture": picture, "bundle": bundle}
    if config.log_json:
        for row in rows:
            json_line("row", **row)
        json_line("end", **{name: path and str(path) for name, path in made.items()})
        return
    say("\n" + table(rows, job.problem.task.measures) + "\n")
    for name, path in made.items():
        if path:
            say(f"{name:<7}  {path}")


def _say(config):
    """What is called with each line for the user."""
    if config.log_json:
        return lambda *words: json_line("note", text=" ".join(map(str, words)))
    return (lambda *words: None) if config.quiet else print


def _check_packages(config):
    """Refuses, before anything is trained, a bundle that could not be proven, or no TensorBoard."""
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError(
            "--tensorboard: expected the package tensorboard: pip install 'arn-keras[tensorboard]'"
        )
    bundle = answer(PROTECTIONS, config.protection).keyed and not config.no_export
    if bundle and importlib.util.find_spec("cryptography") is None:
        raise ConfigError(
            f"--protection {config.protection}: expected the package cryptography, for the bundle: "
            "pip install 'arn-keras[keyed]', or --no-export"
        )


def table(rows, measures):
    """The rows as the letter's comparison, one line each.

    Args:
        rows: of `results.json`.
        measures: of the task, `task.task.Measure`.
    """
    names = {
        "original": "original link, no modules",
        "transmitter_only": "transmitter module only",
        "paired": "both modules",
    }
    several = len({row["eve"] for row in rows}) > 1
    if "es_n0_db" in rows[0]:  # a modem's
        measures = (Measure("es_n0_db", "Es/N0 dB", ".2f"), *measures)
    widths = [_width(each, rows) for each in measures]
    heads = [f"{each.title:>{width}}" for each, width in zip(measures, widths, strict=True)]
    lines = [
        f"{'case':<26}{'protection':<12}{'knowledge':<11}{'SNR dB':>7}{''.join(heads)}"
        f"{'Eve acc.':>10}{'Eve conf.':>11}{'PSR dB':>9}{'power':>8}" + "  Eve" * several
    ]
    for row in rows:
        psr = row["measured_psr_db"]
        figures = [
            f"{row[each.field]:>{width}{each.form}}"
            for each, width in zip(measures, widths, strict=True)
        ]
        lines.append(
            f"{names[row['case']]:<26}{row['protection']:<12}{row['knowledge'] or '-':<11}"
            f"{row['snr_db']:>7g}{''.join(figures)}{row['eve_accuracy']:>10.4f}"
            f"{row['eve_confidence']:>11.4f}{'-' if psr is None else format(psr, '.2f'):>9}"
            f"{row['sent_power']:>8.3f}" + several * f"  {row['eve']}"
        )
    return "\n".join(lines)


def _width(measure, rows):
    figures = (format(row[measure.field], measure.form) for row in rows)
    return 2 + max(8, len(measure.title), *map(len, figures))
