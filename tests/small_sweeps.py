"""A small sweep that several tests compare with: its command, its rows, and its fixture."""

import functools
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from arn_keras.errors import ArnError
from arn_keras.figures import curves, draw
from arn_keras.measure.sweep_rows import read_rows
from arn_keras.sweep import __main__ as sweep
from arn_keras.sweep import points

ROOT = pathlib.Path(__file__).parents[1]
SMALL = [
    *("--dataset", "digits", "--limit", "100", "--epochs", "2", "--link-epochs", "2"),
    *("--eve-epochs", "1", "--case", "original", "paired"),
]
GRID = [*SMALL, "--knowledge", "black", "--snr-db", "0", "10", "--psr-db", "-10", "-5"]
ROWS = 2 + 2 * 2  # the original link at two SNRs; SNR x budget


def start(*options):
    return subprocess.Popen(
        [sys.executable, "-m", "arn_keras.sweep", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class HereEngine:
    """An engine whose only worker is this process, which has loaded TensorFlow already."""

    workers = 1
    _keys = itertools.count()

    def share(self, value):
        return _Held(next(self._keys), value)

    def run(self, function, tasks):
        for index, task in enumerate(tasks):
            try:
                yield index, function(*task)
            except (ArnError, ArithmeticError) as error:
                yield index, error

    def close(self):
        pass


class _Held:
    def __init__(self, key, value):
        self.key, self._value = key, value

    def get(self):
        return self._value


def run_here(patch):
    """Has sweeps run in this process, by a worker that starts anew."""
    patch.setattr(sweep, "_engine", lambda options, folder: HereEngine())
    for name in points.THREADS:
        patch.setenv(name, "1")
    patch.setattr(points, "_worker", functools.cache(points._Worker))


@pytest.fixture
def here(monkeypatch):
    """Sweeps in this test run in this process: what is asked is not where they run."""
    run_here(monkeypatch)


def draw_nothing(patch):
    """Has sweeps draw nothing: what is asked is in the rows."""
    patch.setattr(draw, "draw", lambda path: [])


@pytest.fixture
def undrawn(monkeypatch):
    """Sweeps that this process runs in this test draw nothing."""
    draw_nothing(monkeypatch)


@pytest.fixture
def unpainted(monkeypatch):
    """Figures that this process draws in this test are empty: what is asked is which there are."""
    monkeypatch.setattr(curves, "_draw", lambda path, *_: path.touch())


def measured(path):
    """Rows of a directory in a fixed order."""
    return sorted(read_rows(path).values(), key=lambda row: json.dumps(row, sort_keys=True))


def await_rows(path, number, process):
    deadline = time.monotonic() + 300
    while len(read_rows(path)) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished sweep, run in this process: what other processes make is compared with it."""
    path = tmp_path_factory.mktemp("sweep") / "out"
    with pytest.MonkeyPatch.context() as patch:
        run_here(patch)
        draw_nothing(patch)
        assert sweep.main([*GRID, "--out", str(path), "--quiet"]) == 0
    return path


@pytest.fixture
def shared_only(finished, tmp_path):
    """A directory in which link and eavesdroppers are trained, and nothing else is done."""
    path = tmp_path / "out"
    shutil.copytree(finished, path, ignore=shutil.ignore_patterns("arn", "rows.*", "figures"))
    return path
