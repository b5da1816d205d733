"""The command line of the main job: one configuration in, stages run, one table out.

Nothing heavy is imported before the options are known to be good.
"""

import argparse
import dataclasses
import importlib.util
import typing

from arn_keras.arguments import Parser, exit_status
from arn_keras.backend import load_tensorflow, require_tensorflow
from arn_keras.data import images
from arn_keras.errors import ConfigError
from arn_keras.run.config import Config, flag


def parse(arguments=None):
    """Options to a `Config`; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog="train.py",
        description="Secure semantic communication via paired adversarial residual networks: "
        "trains base link, eavesdropper and the pair of modules, measures them, exports them.",
    )
    for field in dataclasses.fields(Config):
        add_option(parser, field)
    given = vars(parser.parse_args(arguments))
    if len(given["snr_db"]) > 2:
        parser.error(f"--snr-db: expected one or two values, got {len(given['snr_db'])}")
    given["snr_db"] = (given["snr_db"][0], given["snr_db"][-1])
    try:
        return Config(**given)
    except ConfigError as error:
        return parser.error(str(error))


def add_option(parser, field):
    """Adds the option of one field of `Config`."""
    options = {"help": field.metadata["help"], "default": field.default}
    kinds = typing.get_args(field.type) or (field.type,)
    if kinds[0] is bool:
        options["action"] = "store_true" if field.type is bool else argparse.BooleanOptionalAction
    elif typing.get_origin(field.type) is typing.Literal:
        options["choices"] = kinds
    else:
        options["type"] = kinds[0]
        options["metavar"] = {int: "N", float: "X"}.get(kinds[0], field.name.upper())
    if "nargs" in field.metadata:
        options["nargs"] = field.metadata["nargs"]
    if field.default is not None and field.default is not False:
        default = field.default
        options["help"] += f" (default: {default[0] if isinstance(default, tuple) else default})"
    parser.add_argument(flag(field.name), **options)


def main(arguments=None):
    """Runs `python train.py`; returns its exit status."""
    config = parse(arguments)
    return exit_status("train.py", lambda: run(config))


def run(config):
    """Runs every stage that the run directory lacks, then prints the table."""
    say = (lambda *words: None) if config.quiet else print
    require_tensorflow()
    _check_keying(config)
    if config.devices > 1:  # before TensorFlow runs anything, and reading data may make it
        load_tensorflow()
        from arn_keras.training.devices import offer_logical_devices

        offer_logical_devices(config.devices)
    dataset = images.load(
        config.dataset, config.data_dir, config.limit
    )  # before what takes seconds
    load_tensorflow()
    from arn_keras.run.job import Job

    with Job(config, dataset, say) as job:
        rows = job.results()
        picture = job.picture()
        nothing = config.no_export or config.protection == "none"
        bundle = None if nothing else job.bundle()
    say("\n" + table(rows) + "\n")
    say(f"picture  {picture}")
    if bundle:
        say(f"bundle   {bundle}")


def _check_keying(config):
    """Refuses, before anything is trained, a bundle that could not be proven."""
    bundle = "keyed" in config.protection and not config.no_export
    if bundle and importlib.util.find_spec("cryptography") is None:
        raise ConfigError(
            f"--protection {config.protection}: expected the package cryptography, for the bundle: "
            "pip install 'arn-keras[keyed]', or --no-export"
        )


def table(rows):
    """The rows as the letter's comparison, one line each."""
    names = {
        "original": "original link, no modules",
        "transmitter_only": "transmitter module only",
        "paired": "both modules",
    }
    lines = [
        f"{'case':<26}{'protection':<12}{'knowledge':<11}{'SNR dB':>7}{'Bob MSE':>10}{'PSNR dB':>9}"
        f"{'Eve acc.':>10}{'Eve conf.':>11}{'PSR dB':>9}"
    ]
    for row in rows:
        psr = row["measured_psr_db"]
        lines.append(
            f"{names[row['case']]:<26}{row['protection']:<12}{row['knowledge'] or '-':<11}"
            f"{row['snr_db']:>7g}{row['mse']:>10.5f}{row['psnr_db']:>9.2f}{row['eve_accuracy']:>10.4f}"
            f"{row['eve_confidence']:>11.4f}{'-' if psr is None else format(psr, '.2f'):>9}"
        )
    return "\n".join(lines)
