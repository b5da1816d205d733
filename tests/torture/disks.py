"""A disk that is full at some moment of a run: one line, status 2, and on it goes with room."""

import contextlib
import json
import resource
import shutil
import signal
import subprocess

from torture.kills import _RUN, SECONDS
from torture.tally import Attempt, Tally, judge

LEAST = 8  # kilobytes: a lock and a configuration


def full(folder, trials, seed=0):
    """Runs on disks of so many sizes; a file system in memory for root, a limit on files else."""
    from arn_keras.run import command

    tally, place = Tally("full-disk"), folder / "disk"
    place.mkdir()
    whole = folder / "whole-run"
    how = [*_RUN, "--run-dir", str(whole), "--quiet"]
    first = Attempt(lambda: command.main(how), folder / "full")
    if not judge(tally, first, first.wait(SECONDS), (0,)):
        return tally
    expected = json.loads((whole / "results.json").read_text())
    most = sum(file.stat().st_size for file in whole.rglob("*")) // 1024
    for trial in range(trials):
        tally.tried += 1
        kilobytes = LEAST + (most - LEAST) * trial // max(1, trials - 1)
        with _disk(place, kilobytes) as (mounted, grow):
            how = [*_RUN, "--run-dir", str(place / "run"), "--quiet"]

            def start(how=how, limit=None if mounted else kilobytes * 1024 // 4):
                if limit:
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                return command.main(how)

            attempt = Attempt(start, folder / "full")
            if not judge(tally, attempt, attempt.wait(SECONDS)):
                continue
            grow()
            attempt = Attempt(lambda how=how: command.main(how), folder / "full")
            if judge(tally, attempt, attempt.wait(SECONDS), (0,)):
                found = json.loads((place / "run" / "results.json").read_text())
                if found != expected:
                    tally.count("wrong", f"{kilobytes} kB: other rows than on an empty disk")
    return tally


@contextlib.contextmanager
def _disk(place, kilobytes):
    """An empty disk of this size: (whether it is one, a function that makes room on it)."""
    size = f"size={kilobytes}k"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    mounted = not subprocess.run(command, capture_output=True, check=False).returncode
    try:
        yield mounted, lambda: mounted and _mount("-o", "remount,size=256m", str(place))
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)
        else:
            shutil.rmtree(place / "run", ignore_errors=True)


def _mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)
