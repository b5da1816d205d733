"""Python in another process: this package's own modules, whatever lies in the working directory.

A child ends with its parent: on Linux at once (prctl(2), PR_SET_PDEATHSIG), elsewhere within a
tenth of a second, by a thread of its own.
"""

import ctypes
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).absolute().parents[2]
_PR_SET_PDEATHSIG = 1


def run_python(*arguments, scratch=None):
    """Runs a fresh Python that finds this package first, and nothing in the working directory.

    Args:
        arguments: "-m" and a module of this package, or a file's absolute path; then its arguments.
        scratch: folder for its temporary files; the system's by default.

    Returns:
        `subprocess.CompletedProcess` with its output as text.
    """
    before = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), before)))}
    if scratch is not None:
        environment["TMPDIR"] = str(scratch)
    command = [sys.executable, "-P", "-B", "-m", __name__, os.getpid(), *arguments]
    return subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
        env=environment,
    )


def last_line(done):
    """The reason that an ended process gave: its last line on standard error."""
    return (done.stderr.strip().splitlines() or ["no reason was given"])[-1]


def end_with_parent(parent):
    """Has this process end when its parent does.

    Args:
        parent: its process number, as the parent itself knows it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)


def _main(parent, *arguments):
    end_with_parent(int(parent))
    if arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    _main(*sys.argv[1:])
