"""`python -m arn_keras.audit RUN_DIR`: what an eavesdropper who moves last gets out of a run.

The ladder of eavesdroppers is in `ladder.py`; this is its command line and what it leaves behind:
`audit/audit.json`, `audit.png`, `report.md`, and a journal of finished rungs, from which it goes on.
Nothing heavy is imported before the options are known to be good.
"""

import pathlib
import sys
import time

from arn_keras.arguments import Parser, exit_status
from arn_keras.backend import load_tensorflow, require_tensorflow
from arn_keras.errors import RunDirError
from arn_keras.files import atomic_file, write_json
from arn_keras.pair import PROTECTIONS
from arn_keras.run.directory import RunDirectory, read_config

DEFAULT_PROTECTIONS = PROTECTIONS[:3]


def parse(arguments=None):
    """Options; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog="python -m arn_keras.audit",
        description="Audits a finished run: a ladder of eavesdroppers, from one who never adapts "
        "to one who knows all but the key, side by side for each protection.",
    )
    parser.add_argument("run_dir", metavar="RUN_DIR", help="run directory of train.py")
    parser.add_argument(
        "--quick", action="store_true", help="one seed and the rungs that matter, at most 2 minutes"
    )
    parser.add_argument(
        "--protection",
        nargs="+",
        choices=PROTECTIONS,
        default=DEFAULT_PROTECTIONS,
        metavar="NAME",
        help=f"of {', '.join(PROTECTIONS)} (default: {' '.join(DEFAULT_PROTECTIONS)}); none is "
        "always measured, to compare with",
    )
    parser.add_argument(
        "--knowledge",
        choices=("white", "black"),
        help="which pair of ARNs (default: white where the run has it)",
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds (default: 3; 1 for --quick)")
    parser.add_argument("--data-dir", help="where prepared data sets are")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds: expected at least 1, got {options.seeds}")
    return options


def main(arguments=None):
    """Runs the audit; returns its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    options = parse(words)
    return exit_status("python -m arn_keras.audit", lambda: run(options, words))


def run(options, words):
    """Audits one run directory; the words of the command line go into the report."""
    path = pathlib.Path(options.run_dir)
    config, stage = trained(path, options.knowledge)
    require_tensorflow()
    from arn_keras.data import images

    dataset = images.load(config["dataset"], options.data_dir, config["limit"])
    load_tensorflow()
    from arn_keras.audit.checks import warnings
    from arn_keras.audit.effort import FULL, QUICK
    from arn_keras.audit.ladder import climb, finished_rungs
    from arn_keras.audit.picture import audit_picture
    from arn_keras.audit.report import headline, report
    from arn_keras.measure.leakage import entropy

    effort = QUICK if options.quick else FULL
    seeds = list(range(options.seeds or (1 if options.quick else 3)))
    protections = [name for name in PROTECTIONS if name in ("none", *options.protection)]
    snr_db = sum(config["snr_db"]) / 2
    start = time.monotonic()
    with RunDirectory(path, config, {}) as directory:
        folder = path / "audit"
        folder.mkdir(exist_ok=True)
        rows = climb(
            directory.load_models("link", "transmitter", "receiver"),
            *directory.load_models("eve", "classifier"),
            directory.load_models(stage, "transmitter", "receiver"),
            (dataset.train, dataset.test),
            protections=protections,
            seeds=seeds,
            effort=effort,
            snr_db=snr_db,
            psr_db=config["psr_db"],
            finished=finished_rungs(folder / f"finished-{stage.rpartition('/')[2]}.sqlite"),
        )
        audit = {
            "dataset": dataset.name,
            "knowledge": stage.rpartition("/")[2],
            "snr_db": snr_db,
            "psr_db": config["psr_db"],
            "effort": effort.name,
            "seeds": seeds,
            "command": f"python -m arn_keras.audit {' '.join(words)}",
            "seconds": time.monotonic() - start,
            "entropy_nats": entropy(dataset.test.labels, dataset.classes),
            "headline": headline(rows),
            "warnings": warnings(rows, config["psr_db"]),
            "rows": rows,
        }
        write_json(folder / "audit.json", audit)
        with atomic_file(folder / "audit.png") as temporary:
            audit_picture(temporary, rows, f"{dataset.name}, SNR {snr_db:g} dB")
        with atomic_file(folder / "report.md") as temporary:
            temporary.write_text(report(audit))
    _tell(audit, folder)


def trained(path, knowledge=None):
    """Configuration of a run directory and the stage of the pair that is audited.

    Args:
        path: run directory.
        knowledge: "white", "black", or None for the first that is there.

    Raises:
        RunDirError: if it is no run directory, or has no trained pair.
    """
    needed = ("dataset", "limit", "snr_db", "psr_db", "batch_size", "learning_rate")
    config = read_config(path, needed)
    for name in (knowledge,) if knowledge else ("white", "black"):
        stage = f"arn/{name}"
        if all((path / each).is_dir() for each in ("link", "eve", stage)):
            return config, stage
    wanted = f"{knowledge} pair" if knowledge else "pair"
    protection = config.get("protection", "arn")  # not there: of before there was a choice
    todo = "run train.py to its end"
    if "arn" not in protection:
        todo = f"its --protection is {protection}, audit a run with ARNs"
    raise RunDirError(f"{path}: expected a trained {wanted}, found none; {todo}")


def _tell(audit, folder):
    print(f"\n{'protection':<12}{'worst case':>11}{'leakage':>9}  by")
    for name, row in audit["headline"].items():
        print(
            f"{name:<12}{row['eve_accuracy']:>11.1%}{row['worst_leakage_nats']:>9.3f}  "
            f"{row['rung']} {row['eve']}"
        )
    for each in audit["warnings"]:
        print(f"doubt: {each['check']}: {each['detail']}")
    print(f"\nreport   {folder / 'report.md'}")


if __name__ == "__main__":
    sys.exit(main())
