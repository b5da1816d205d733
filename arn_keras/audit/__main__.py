"""`python -m arn_keras.audit RUN_DIR`: what an eavesdropper who moves last gets out of a run.

The ladder of eavesdroppers is in `ladder.py`, what is left behind in `conduct.py`. Nothing heavy is
imported before the options are known to be good.
"""

import pathlib
import sys

from arn_keras.arguments import Parser, exit_status
from arn_keras.audit.conduct import DEFAULT_PROTECTIONS, conduct
from arn_keras.pair import PROTECTIONS


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
    audit = conduct(
        options.run_dir,
        quick=options.quick,
        protections=options.protection,
        knowledge=options.knowledge,
        seeds=options.seeds,
        data_dir=options.data_dir,
        command=f"python -m arn_keras.audit {' '.join(words)}",
    )
    _tell(audit, pathlib.Path(options.run_dir) / "audit")


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
