"""Candidates side by side: each in a process of its own, one turn each in every round.

A busy machine is then busy for all of them. What counts is the median of the rounds, and for a
ratio the median of the ratios within a round.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Process:
    """A candidate at work: `python FILE --candidate NAME`, which takes a turn a line.

    Args:
        file: of the benchmark.
        name: of the candidate.
        threads: that it may use: all cores, or one.
    """

    def __init__(self, file, name, threads):
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads))}
        if threads == 1:
            environment |= dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, file, "--threads", str(threads), "--candidate", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        self.missing = self._process.stdout.readline().strip()  # why, or "" if it is ready

    def turn(self):
        """Measures once; what the candidate says, a number."""
        print("turn", file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


def serve(make):
    """The candidate's side: makes it, then measures at each line of standard input.

    Args:
        make: makes the function that is measured, which returns a number; ImportError if the
            candidate is not installed.
    """
    try:
        measure = make()
        measure()  # traces, compiles, warms up
    except ImportError as error:
        print(f"not installed: {error}", flush=True)
        return
    print(flush=True)
    for _ in sys.stdin:
        print(measure(), flush=True)


def compare(file, names, rounds, threads, say=print):
    """Runs all candidates, each once a round.

    Returns:
        {name: [number of each round, ...]} of those that are installed.
    """
    processes = {}
    try:
        for name in names:
            process = Process(file, name, threads)
            if process.missing:
                say(f"{name}: {process.missing}")
                process.close()
            else:
                processes[name] = process
        found = {name: [] for name in processes}
        for _ in range(rounds):
            for name, process in processes.items():
                found[name].append(process.turn())
        return found
    finally:
        for process in processes.values():
            process.close()


def ratio(found, above, below):
    """Median of the ratios within a round, or None where one of the two is missing."""
    if above not in found or below not in found:
        return None
    return statistics.median(a / b for a, b in zip(found[above], found[below], strict=True))


def machine():
    """What a figure was measured on."""
    from arn_keras.run.directory import versions

    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), ""
    )
    return {"processor": model or platform.processor(), "cores": os.cpu_count(), **versions()}


def parser(description):
    """Command line of a benchmark: `--json FILE`, `--rounds N`, `--threads N`."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--json", metavar="FILE", help="write the figures here, too")
    options.add_argument("--rounds", type=int, default=7, metavar="N")
    options.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N")
    options.add_argument("--candidate", help=argparse.SUPPRESS)
    return options


def write(path, figures):
    """Writes figures and machine as JSON, if a path is given."""
    if path:
        content = {"machine": machine(), **figures}
        pathlib.Path(path).write_text(json.dumps(content, indent=1) + "\n")
