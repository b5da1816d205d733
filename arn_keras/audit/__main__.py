"""`python -m arn_keras.audit RUN_DIR`: what an eavesdropper who moves last gets out of a run.

The ladder of eavesdroppers is in `ladder.py`; this is its command line and what it leaves behind:
`audit/audit.json`, `audit.png`, `report.md`, and a journal of finished rungs, to go on from.
Nothing heavy is imported before the options are known to be good.
"""

import pathlib
import sys
import time

from arn_keras.arguments import Parser, exit_status
from arn_keras.errors import RunDirError
from arn_keras.files import atomic_file, write_json
from arn_keras.pair import PROTECTIONS
from arn_keras.rooms import answer
from arn_keras.run.saved import SavedRun

DEFAULT_PROTECTIONS = ("none", "arn", "keyed")


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
        choices=tuple(PROTECTIONS),
        metavar="NAME",
        help=f"of {', '.join(PROTECTIONS)} (default: {' '.join(DEFAULT_PROTECTIONS)}, and the "
        "run's own); none is always measured, to compare with; what the run has not trained is "
        "trained first, if its own protection is no pair of ARNs",
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
    saved = SavedRun.read(path)
    knowledge = trained(saved, options.knowledge)
    config = saved.config
    problem = saved.problem(options.data_dir)
    dataset = problem.dataset
    from arn_keras.audit.checks import warnings
    from arn_keras.audit.effort import FULL, QUICK
    from arn_keras.audit.ladder import climb, finished_rungs
    from arn_keras.audit.picture import audit_picture
    from arn_keras.audit.report import headline, report
    from arn_keras.measure.leakage import entropy

    effort = QUICK if options.quick else FULL
    seeds = list(range(options.seeds or (1 if options.quick else 3)))
    asked = options.protection or (*DEFAULT_PROTECTIONS, config.protection)
    protections = [name for name in PROTECTIONS if name in ("none", *asked)]
    stages = {
        name: stage
        for name in protections
        if (stage := answer(PROTECTIONS, name).stage(knowledge)) is not None
    }
    snr_db = sum(config.snr_db) / 2
    start = time.monotonic()
    with saved.directory() as directory:
        complete(problem, directory, stages.values())
        arns = [name for name in stages if answer(PROTECTIONS, name).arns]
        others = {name: problem.public(stages[name]) for name in stages if name not in arns}
        folder = path / "audit"
        folder.mkdir(exist_ok=True)
        rows = climb(
            problem,
            problem.pair(knowledge) if arns else (None, None),
            protections=protections,
            others=others,
            seeds=seeds,
            effort=effort,
            snr_db=snr_db,
            psr_db=config.psr_db,
            finished=finished_rungs(folder / f"finished-{knowledge}.sqlite"),
        )
        audit = {
            "scenario": config.scenario,
            "dataset": dataset.name,
            "measure": problem.task.measures[0]._asdict(),
            "knowledge": knowledge,
            "snr_db": snr_db,
            "psr_db": config.psr_db,
            "effort": effort.name,
            "seeds": seeds,
            "command": f"python -m arn_keras.audit {' '.join(words)}",
            "seconds": time.monotonic() - start,
            "entropy_nats": entropy(dataset.test.label, dataset.classes),
            "headline": headline(rows),
            "warnings": warnings(rows, config.psr_db),
            "rows": rows,
        }
        write_json(folder / "audit.json", audit)
        with atomic_file(folder / "audit.png") as temporary:
            audit_picture(temporary, rows, f"{dataset.name}, SNR {snr_db:g} dB")
        with atomic_file(folder / "report.md") as temporary:
            temporary.write_text(report(audit))
    _tell(audit, folder)


def trained(saved, knowledge=None):
    """The knowledge ("white" or "black") of the pair that is audited.

    Args:
        saved: `run.saved.SavedRun`.
        knowledge: "white", "black", or None for the first that is there.

    Raises:
        RunDirError: if the run has no trained modules.
    """
    stages = ("link", *saved.config.problem.judges.values())
    own = answer(PROTECTIONS, saved.config.protection)
    if own.trained and all((saved.path / each).is_dir() for each in (*stages, own.stage(None))):
        return knowledge or "white"
    for name in (knowledge,) if knowledge else ("white", "black"):
        if all((saved.path / each).is_dir() for each in (*stages, f"arn/{name}")):
            return name
    wanted = f"{knowledge} pair" if knowledge else "pair"
    protection, todo = saved.config.protection, "run train.py to its end"
    if not answer(PROTECTIONS, protection).arns:
        todo = f"its --protection is {protection}, audit a run with ARNs"
    raise RunDirError(f"{saved.path}: expected a trained {wanted}, found none; {todo}")


def complete(problem, directory, stages):
    """Trains the modules that a run directory lacks, and keeps them there.

    Args:
        problem: `run.problem.Problem` of the directory.
        directory: `run.directory.RunDirectory`, locked.
        stages: of the modules.
    """
    for stage in stages:
        if not directory.done(stage):
            print(f"{stage}: training, {problem.epochs(stage)} epochs", flush=True)
            directory.keep(stage, problem.train(stage, directory.partial(stage) / "checkpoint"))


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
