"""`python -m arn_keras.export.web [RUN_DIR]`: the command line of the page.

Nothing heavy is imported before the options are known to be good.
"""

import contextlib
import pathlib

from arn_keras.arguments import Parser, exit_status
from arn_keras.errors import ExportError, RunDirError
from arn_keras.export import runtime
from arn_keras.export.web import building
from arn_keras.export.web.server import server
from arn_keras.run.saved import SavedRun

PORT = 8000


def parse(arguments=None):
    """Options; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog="python -m arn_keras.export.web",
        description="Writes a finished run as a page that runs in a browser, and serves it on "
        "this machine.",
    )
    parser.add_argument(
        "run_dir",
        nargs="?",
        metavar="RUN_DIR",
        help="a finished run directory with its bundle (default: the newest in runs/)",
    )
    parser.add_argument("--out", metavar="DIR", help="the page (default: RUN_DIR/page)")
    parser.add_argument("--data-dir", metavar="DIR", help="where prepared data sets are")
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"(default: {PORT}; 0: any free one)"
    )
    parser.add_argument("--no-serve", action="store_true", help="only write the page")
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 2**16:
        parser.error(f"--port: expected 0 to {2**16 - 1}, got {options.port}")
    return options


def main(arguments=None):
    """Writes and serves the page; returns the exit status."""
    options = parse(arguments)
    return exit_status("export.web", lambda: run(options), runtime.BundleError)


def run(options):
    """Writes the page, and serves it if asked."""
    out = export(options.run_dir, options.out, options.data_dir)
    print(f"page: {out}", flush=True)
    if not options.no_serve:
        _serve(out, options.port)


def export(run_dir=None, out=None, data_dir=None):
    """Writes and builds the page of one run.

    Args:
        run_dir: a run directory with its bundle; by default the newest in `runs`.
        out: the page's directory; by default `page` in the run directory.
        data_dir: where prepared data sets are; by default as TensorFlow Datasets decides.

    Returns:
        The page's directory.

    Raises:
        ArnError, runtime.BundleError: if run, bundle, data or build cannot be used.
    """
    lacking = building.missing()
    if lacking:
        raise ExportError(f"expected {lacking}")
    run_dir = pathlib.Path(run_dir) if run_dir else newest(pathlib.Path("runs"))
    saved, manifest = made(run_dir)
    config, problem = saved.config, saved.problem(data_dir)
    from arn_keras.export.web import contents
    from arn_keras.export.web.air import Air
    from arn_keras.export.web.eavesdroppers import overhear
    from arn_keras.export.web.kind import kind_of
    from arn_keras.training.algorithm_1 import stage_seed

    kind, air = kind_of(problem), Air(*problem.channels.values())
    air.check(config.channel)
    out = pathlib.Path(out) if out else run_dir / "page"
    models = contents.trained(
        run_dir, manifest["knowledge"], problem.scenario.judges, problem.rotation
    )
    levels = {"snr_db": sum(config.snr_db) / 2, "psr_db": config.psr_db}
    with saved.directory() as directory:
        overheard = overhear(
            directory, models, problem, **levels, seed=config.seed, pair=manifest["pair"]
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        contents.write(
            out,
            kind=kind,
            air=air,
            models=models,
            overheard=overheard,
            dataset=problem.dataset,
            bundle=run_dir / "bundle",
            seed=stage_seed(config.seed, "page"),
            facts={
                **{name: manifest[name] for name in ("dataset", "knowledge", "pair", "seed")},
                **levels,
                "keeps_power": problem.keeps_power,
                # A place of the signal that is not sent where all its reals are 0.
                "place": problem.signal_shape[-1] if problem.scenario.pauses else None,
            },
        )
        building.build(out)
    except OSError as error:
        raise ExportError(f"{out}: expected a place to write to: {error.strerror}") from None
    return out


def newest(runs):
    """The run directory with a bundle whose bundle is the newest.

    Raises:
        RunDirError: if there is none.
    """
    found = [path.parents[1] for path in runs.glob("*/bundle/manifest.json")]
    if not found:
        raise RunDirError(f"{runs}: expected a finished run with its bundle; run train.py first")
    return max(found, key=lambda run: (run / "bundle" / "manifest.json").stat().st_mtime)


def made(run_dir):
    """A run with a bundle: `run.saved.SavedRun`, and the bundle's manifest.

    Raises:
        RunDirError, runtime.BundleError: if it is none that a page can be made of.
    """
    saved = SavedRun.read(run_dir)
    if not (run_dir / "bundle" / "manifest.json").is_file():
        raise RunDirError(f"{run_dir}: expected a bundle in it: python -m export {run_dir}")
    manifest = runtime.read_manifest(run_dir / "bundle")
    if not manifest["modules"]:
        raise RunDirError(
            f"{run_dir}: expected a bundle with a pair of ARNs, which the page compares with keys, "
            f"got one of protection {manifest['protection']}"
        )
    arns = (each for of_role in manifest["modules"].values() for each in of_role.values())
    if any(name in each for each in arns for name in runtime.TOLD_INPUTS):
        raise RunDirError(f"{run_dir}: expected a pair that is not told the SNR, for the page")
    return saved, manifest


def _serve(out, port):
    try:
        serving = server(out, port)
    except OSError as error:
        raise ExportError(f"port {port}: {error.strerror}; choose another --port") from None
    with serving, contextlib.suppress(KeyboardInterrupt):
        print(f"http://127.0.0.1:{serving.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        serving.serve_forever()


if __name__ == "__main__":
    raise SystemExit(main())
