"""Places that one process works in and that are replaced whole, and processes of this package."""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from arn_keras.errors import ExportError
from arn_keras.machine.places import lock, replace_directory, restore_directory
from arn_keras.machine.process import run_python

ROOT = pathlib.Path(__file__).parents[1]


def test_a_directory_is_replaced_whole_or_stays_as_it_was(tmp_path, monkeypatch):
    place, fresh = tmp_path / "bundle", tmp_path / "fresh"
    for folder in (place, fresh):
        folder.mkdir()
        (folder / "of").write_text(folder.name)
    rename, calls = os.rename, []

    def fail(one, other):
        calls.append(one)
        if one == fresh:
            raise OSError(28, "No space left on device")
        rename(one, other)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="No space"):
        replace_directory(fresh, place)
    assert (place / "of").read_text() == "bundle"
    monkeypatch.undo()
    rename(place, tmp_path / ".replaced.bundle")  # where a kill leaves it
    restore_directory(place)
    assert (place / "of").read_text() == "bundle"
    replace_directory(fresh, place)
    assert (place / "of").read_text() == "fresh"
    assert [each.name for each in tmp_path.iterdir()] == ["bundle"]


def test_a_child_ends_with_its_killed_parent_and_gives_its_lock_free(tmp_path):
    program = (
        "import sys; from arn_keras.machine.process import run_python; run_python(*sys.argv[1:])"
    )
    holder = tmp_path / "holder.py"
    holder.write_text(
        "import pathlib, sys, time; from arn_keras.machine.places import lock\n"
        "held = lock(sys.argv[1]); pathlib.Path(sys.argv[1] + '.held').touch(); time.sleep(600)\n"
    )
    place = tmp_path / "lock"
    command = [sys.executable, "-c", program, str(holder), str(place)]
    parent = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 60
    while not place.with_name("lock.held").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    os.close(lock(place))  # waits for the child's end, not for ten minutes


def test_a_file_system_without_locks_is_told_from_a_directory_in_use(tmp_path, monkeypatch):
    import fcntl

    for number in (9, 37, 38):  # EBADF, ENOLCK, ENOSYS

        def flock(handle, how, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)
        with pytest.raises(ExportError, match="expected a file system with working locks, got"):
            lock(tmp_path / "lock", ExportError)


def test_a_fresh_python_reads_nothing_of_the_working_directory_and_says_why_it_ended(tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    script = tmp_path / "script.py"
    script.write_text("import json, sys; print(json.dumps(sys.argv[1:])); sys.exit(3)")
    done = run_python(script, "--help", "x")
    assert (done.returncode, json.loads(done.stdout)) == (3, ["--help", "x"])
