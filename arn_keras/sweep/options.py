"""What is asked of a sweep: its options, their plan, and what all its rows have in common."""

import argparse
import dataclasses
import hashlib
import json
import pathlib

from arn_keras.arguments import Parser
from arn_keras.errors import ArnError, ConfigError
from arn_keras.eve import EVES
from arn_keras.run import command
from arn_keras.run.config import Config, flag
from arn_keras.run.saved import SavedRun
from arn_keras.sweep import grid
from arn_keras.sweep.folders import home

# Options of the main job that are the same here, for all points alike.
_SHARED = (
    *("scenario", "channel", "fast_fading", "k_factor_db", "csi", "pilots", "equalizer"),
    *("block", "block_width", "block_depth", "keep_power", "data_dir", "black_box"),
    *("privacy_loss", "epochs", "link_epochs", "eve_epochs", "batch_size", "learning_rate"),
    *("limit", "jit_compile", "quiet"),
)
_NOT_IDENTITY = {"data_dir", "black_box", "quiet"}
# What may be asked of a finished run's link: all else is as the run has it.
_OF_ANY_RUN = {
    *("run_dir", "figure", "snr_db", "psr_db", "training_snr_db", "knowledge", "black_box"),
    *(
        "case",
        "measured_eve",
        "eve_snr_offset_db",
        "out",
        "jobs",
        "ray",
        "gpus",
        "dry_run",
        "data_dir",
        "quiet",
    ),
}


_UNSAID = object()


def parse(arguments=None):
    """Options of the command; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog="arn_keras.sweep",
        description="Trains and measures every combination of the values given; what is done "
        "already is not done again. Each list takes one or more values.",
    )
    parser.add_argument(
        "run_dir",
        nargs="?",
        metavar="RUN_DIR",
        help="a finished run, of train.py or of arn_keras.save_run: its data, link, eavesdroppers "
        "and pairs of what is asked for are taken as they are; all but the lists is then as there",
    )
    several = {"nargs": "+", "metavar": "X"}
    parser.add_argument(
        "--figure",
        type=int,
        nargs="+",
        choices=(1, 3, 4),
        default=[],
        help="the letter's own grids, instead of --snr-db, --psr-db and --training-snr-db",
    )
    parser.add_argument(
        "--snr-db", type=float, help="SNRs to measure at (default: 10, or the run's)", **several
    )
    parser.add_argument(
        "--psr-db", type=float, help="budgets (default: -10, or the run's)", **several
    )
    parser.add_argument(
        "--training-snr-db",
        type=_training,
        help="SNR in training: matched (a pair for each SNR), range (one pair over the span of "
        "--snr-db), aware (one that is told the SNR), or a number (default: matched, or the run's)",
        **several,
    )
    parser.add_argument(
        "--knowledge", nargs="+", choices=("white", "black"), default=["white", "black"]
    )
    parser.add_argument("--case", nargs="+", choices=grid.CASES, default=list(grid.CASES))
    parser.add_argument(
        "--measured-eve",
        "--eve",
        nargs="+",
        metavar="NAME",
        default=["frozen"],
        help="who is measured: frozen, frozen_wide or frozen_conv (the letter's Eve, and two whom "
        "no pair is trained against), or a name of arn_keras.eve.EVES",
    )
    parser.add_argument(
        "--eve-snr-offset-db",
        type=float,
        help="Eve's SNR over Bob's in dB, in her training, the pair's and the measurement "
        "(default: 0, or the run's)",
        **several,
    )
    parser.add_argument("--seed", type=int, nargs="+", metavar="N", default=[0])
    named = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("--dataset", default=["auto"], help="as for train.py", **named)
    parser.add_argument(
        "--link-snr-db",
        type=float,
        default=[10.0],
        **several,
        help="SNR at which base link and eavesdroppers are trained; two values are a range "
        "(default: 10)",
    )
    parser.add_argument(
        "--out", type=pathlib.Path, help="rows and figures (default: runs/sweep, or RUN_DIR/sweep)"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="local processes, of one thread each (default: cores)"
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="run on Ray: on the cluster at HOST:PORT or auto, without a value on this machine",
    )
    gpus = {"type": float, "default": 0.0, "metavar": "X"}
    parser.add_argument("--gpus", help="GPUs a task needs, on Ray (default: 0)", **gpus)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its cost only")
    for field in dataclasses.fields(Config):
        if field.name in _SHARED:
            command.add_option(parser, field)
    options = command.parse_with_scenario(parser, arguments)
    options.saved = None
    try:
        if options.run_dir is not None:
            unsaid = argparse.Namespace(**dict.fromkeys(vars(options), _UNSAID))
            _take(options, parser.parse_args(arguments, unsaid))
        options.out = options.out or pathlib.Path("runs/sweep")
        offset = options.saved.config.eve_snr_offset_db if options.saved else 0.0
        options.eve_snr_offset_db = list(dict.fromkeys(options.eve_snr_offset_db or [offset]))
        options.home = home(options.out, new=offset)
        _check(options)
    except ArnError as error:
        parser.error(str(error))
    return options


def _take(options, said):
    """Puts a run's configuration in the place of the options that are not for a run to be asked."""
    for name, value in vars(said).items():
        if value is not _UNSAID and name not in _OF_ANY_RUN:
            raise ConfigError(f"{flag(name)}: expected none beside RUN_DIR: it is the run's")
    options.saved = saved = SavedRun.read(options.run_dir)
    config = saved.config
    for name in {*_SHARED} - _NOT_IDENTITY:
        setattr(options, name, getattr(config, name))
    if said.black_box is _UNSAID:
        options.black_box = config.black_box
    if not options.figure:
        options.snr_db = options.snr_db or list(config.evaluation_snrs_db)
        options.psr_db = options.psr_db or [config.psr_db]
        if config.snr_aware and options.training_snr_db is None:
            options.training_snr_db = ["aware"]
    options.problem, options.link_snr_db = config.problem, list(config.snr_db)
    options.dataset, options.seed = [config.dataset], [config.seed]
    options.out = options.out or saved.path / "sweep"


def _training(text):
    if text in ("matched", "range", "aware"):
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected matched, range, aware or a number of dB, got {text!r}"
        ) from None


def _check(options):
    if options.figure:
        for name in ("snr_db", "psr_db", "training_snr_db"):
            if getattr(options, name) is not None:
                raise ConfigError(f"--figure: expected no --{name.replace('_', '-')} beside it")
    if len(options.link_snr_db) > 2:
        raise ConfigError(
            f"--link-snr-db: expected one or two values, got {len(options.link_snr_db)}"
        )
    if options.jobs is not None and options.jobs < 1:
        raise ConfigError(f"--jobs: expected at least 1, got {options.jobs}")
    if not 0 <= options.gpus < float("inf"):
        raise ConfigError(f"--gpus: expected at least 0, got {options.gpus}")
    known = {**options.problem.measured, **EVES}
    for eve in options.measured_eve:
        if eve not in known:
            raise ConfigError(f"--eve: expected one of {', '.join(known)}, got {eve!r}")
    for seed in options.seed:
        for offset in options.eve_snr_offset_db:
            settings(options, "auto", seed, offset)
    plan_of(options, {name: name for name in options.dataset})


def settings(options, dataset, seed, eve_snr_offset_db):
    """The `Config` that the base stages and all pairs of a `grid.Point.base` share."""
    shared = {name: getattr(options, name) for name in _SHARED}
    shared |= {"eve_snr_offset_db": eve_snr_offset_db}
    snr_db = (options.link_snr_db[0], options.link_snr_db[-1])
    try:
        return Config(dataset=dataset, seed=seed, snr_db=snr_db, problem=options.problem, **shared)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--snr-db", "--link-snr-db")) from None


def plan_of(options, names):
    """The plan: {`grid.Point`: [(case, eve, snr_db), ...]}.

    Args:
        options: of `parse`.
        names: name of the data set that was loaded for each one asked for.
    """
    presets = [grid.FIGURES[figure] for figure in options.figure if figure in grid.FIGURES]
    if not options.figure:
        given = {
            "snrs_db": options.snr_db,
            "psrs_db": options.psr_db,
            "trainings": options.training_snr_db,
        }
        presets = [{name: tuple(v) for name, v in given.items() if v is not None}]
    return grid.merge(
        grid.Grid(
            datasets=tuple(names[name] for name in options.dataset),
            seeds=tuple(options.seed),
            knowledges=tuple(options.knowledge),
            black_box=options.black_box,
            cases=tuple(options.case),
            eves=tuple(options.measured_eve),
            eve_snr_offsets_db=tuple(options.eve_snr_offset_db),
            **preset,
        ).plan()
        for preset in presets
    )


def identity(options):
    """What all rows of a directory have in common, whatever was asked for later."""
    fields = {name: getattr(options, name) for name in _SHARED if name not in _NOT_IDENTITY}
    fields["eve_snr_offset_db"] = options.home  # an axis now: it is no more than a name
    found = {"sweep": True, "link_snr_db": [options.link_snr_db[i] for i in (0, -1)], **fields}
    if options.saved is None:
        found |= {n: found[n] or v for n, v in options.problem.own_block(options.block).items()}
        return {**found, "options": options.problem.identity()}
    own = options.saved.identity.get("options", {})
    return {**found, "options": own, "link": options.saved.digest("link")}


def configuration(options):
    """The identity as a short word, written into every row."""
    text = json.dumps(identity(options), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
