"""Python in another process: this package's own modules, whatever lies in the working directory."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).absolute().parents[1]


def run_python(*arguments):
    """Runs a fresh Python that finds this package first, and nothing in the working directory.

    Args:
        arguments: of the interpreter, for example "-m", "arn_keras.export", path.

    Returns:
        `subprocess.CompletedProcess` with its output as text.
    """
    before = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), before)))}
    command = [sys.executable, "-P", "-B", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def last_line(done):
    """The reason that an ended process gave: its last line on standard error."""
    return (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
