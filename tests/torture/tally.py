"""What trials are counted as, and a function tried in a process of its own."""

import collections
import contextlib
import os
import signal
import sys
import time
import traceback

KINDS = ("wrong", "lost", "crashed", "hung", "unclear")
REFUSED = 2  # status of a program that says in one line what is to be mended


class Tally:
    """Trials of one part: how many were tried, and of each kind of failure how many."""

    def __init__(self, name):
        self.name, self.tried, self.notes = name, 0, []
        self.found = collections.Counter()

    def count(self, kind, note):
        """A trial that failed, with a line on how."""
        self.found[kind] += 1
        self.notes.append(f"{self.name}: {kind}: {note}")

    def line(self):
        """Its line of the table."""
        return f"{self.name:<22}{self.tried:>7}" + "".join(f"{self.found[k]:>9}" for k in KINDS)


class Attempt:
    """A function in a forked process: its status, or None while it runs; what it printed.

    The process is forked from one that has loaded TensorFlow and computed nothing, so that kills
    fall into work and not into imports.
    """

    def __init__(self, function, log):
        self.log = log
        sys.stdout.flush()
        self.process = os.fork()
        if not self.process:
            os._exit(_child(function, log))

    def wait(self, seconds):
        """The status after at most so many seconds: negative for a signal, None if it runs on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found, status = os.waitpid(self.process, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        return None

    def kill(self):
        """Kills it, as the system does where memory is short."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)

    def said(self):
        """What it printed on standard error."""
        return self.log.with_suffix(".err").read_text(errors="replace")


def _child(function, log):
    for number, ending in ((1, ".out"), (2, ".err")):
        handle = os.open(log.with_suffix(ending), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
    try:
        status = function() or 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def judge(tally, attempt, status, allowed=(0, REFUSED)):
    """Counts how a program ended, unless it ended well or refused in one line; whether it did."""
    said = attempt.said()
    if status is None:
        attempt.kill()
        tally.count("hung", said[-200:])
    elif status < 0 or (status == 1 and "Traceback" in said):
        tally.count("crashed", f"status {status}: {said[-300:]}")
    elif status not in allowed or len(said.splitlines()) > 1 - (status == 0):
        tally.count("unclear", f"status {status}: {said[-300:]}")
    else:
        return True
    return False
