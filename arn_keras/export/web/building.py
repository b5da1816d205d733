"""From the page's sources to files that a browser loads: `build.mjs`, run by Node."""

import pathlib
import shutil
import subprocess

from arn_keras.errors import ExportError

HERE = pathlib.Path(__file__).parent


def missing():
    """What a build lacks on this machine, in one line, or None."""
    if not (HERE / "build.mjs").is_file():
        return "the page's sources: run it from a checkout of the project"
    if shutil.which("node") is None:
        return "Node.js 20 or later (command node)"
    if not (HERE / "node_modules").is_dir():
        return f"the page's packages: make web, or npm ci --ignore-scripts in {HERE}"
    return None


def build(out):
    """Builds the page into a directory.

    Raises:
        ExportError: if something for it is missing, or the build fails.
    """
    lacking = missing()
    if lacking:
        raise ExportError(f"expected {lacking}")
    done = subprocess.run(
        ["node", str(HERE / "build.mjs"), str(pathlib.Path(out).resolve())],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = next(iter(done.stderr.strip().splitlines()), "no reason was given")
        raise ExportError(f"the page's build failed: {reason}")
