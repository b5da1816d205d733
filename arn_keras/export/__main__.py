"""`python -m export RUN_DIR`: the command line of the edge bundle."""

import sys

from arn_keras.arguments import Parser, exit_status
from arn_keras.export import PRECISIONS, bundle, manifest, runtime


def main(arguments=None):
    """Exports one run's pair; returns the exit status."""
    parser = Parser(
        prog="python -m export",
        description="Writes the pair of modules of a finished run as a bundle for edge devices, "
        "and proves it in a process without TensorFlow.",
    )
    parser.add_argument("run_dir", metavar="RUN_DIR", help="a finished run directory")
    parser.add_argument(
        "--knowledge", choices=bundle.KNOWLEDGE, help="which pair (default: white if trained)"
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=list(PRECISIONS),
        help="the first is what a device loads by default (default: "
        f"{' '.join(bundle.default_precisions())}; keyed modules are float32 alone)",
    )
    parser.add_argument("--out", metavar="DIR", help="the bundle (default: RUN_DIR/bundle)")
    parser.add_argument("--data-dir", metavar="DIR", help="where prepared data sets are")
    parser.add_argument("--force", action="store_true", help="replace another pair's bundle")
    parser.add_argument("--sign", metavar="KEYFILE", help="sign with this Ed25519 key (PEM)")
    parser.add_argument(
        "--card", action="store_true", help="write README.md as a Hugging Face model card, too"
    )
    given = parser.parse_args(arguments)
    return exit_status(
        "export",
        lambda: _run(**vars(given)),
        runtime.BundleError,
        interrupted="nothing was written",
    )


def _run(run_dir, precision, **options):
    say = print if sys.stdout.isatty() else None  # a bar's rule: who reads a file sees no progress
    place, written = bundle.export(run_dir, precisions=precision, say=say, **options)
    print(manifest.table(written))
    print(f"bundle of pair {written['pair'][:12]}, {manifest.kind(written)}: {place}")


if __name__ == "__main__":
    raise SystemExit(main())
