"""The short form of `make torture`: a share of the trials that need no training."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
PARTS = ("journals", "bundles-damaged", "bundles-forged", "bundles-signed", "hostile-files")


def test_nothing_that_is_damaged_forged_or_hostile_is_taken_lost_crashed_or_unclear():
    done = subprocess.run(
        [sys.executable, "tests/torture", "--share", "0.02", "--only", *PARTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    head, *rows = (line.split() for line in done.stdout.splitlines())
    assert head == ["part", "tried", "wrong", "lost", "crashed", "hung", "unclear"]
    assert [row[0] for row in rows] == list(PARTS)
    for _, tried, *failed, _, _ in rows:
        assert int(tried) > 0
        assert failed == ["0"] * 5
