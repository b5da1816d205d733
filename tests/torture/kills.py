"""Programs killed again and again, restarted each time, compared with an undisturbed run."""

import json
import os
import pathlib
import random
import shutil
import tempfile
import time

from torture.tally import Attempt, Tally, judge

SECONDS = 300  # after which a run hangs
_SMALL = [
    *("--dataset", "digits", "--limit", "100", "--epochs", "2", "--link-epochs", "2"),
    *("--eve-epochs", "1"),
]
_RUN = [*_SMALL, "--knowledge", "white", "--no-export"]
_SWEEP = [*_SMALL, "--case", "original", "paired", "--psr-db", "-10", "-5", "--jobs", "2"]


def train(folder, kills, seed=0):
    """`train.py` to its rows and picture."""
    from arn_keras.run import command

    def start(place):
        return command.main([*_RUN, "--run-dir", str(place / "run"), "--quiet"])

    return _killed("kills-train", folder, kills, seed, start, lambda place: _json(place / "run"))


def export(folder, kills, seed=0):
    """`python -m export` of a trained run."""
    from arn_keras.export.__main__ import main

    run = _trained(folder)

    def start(place):
        return main([str(run), "--precision", "float32", "--out", str(place / "bundle")])

    def product(place):
        return {file.name: file.read_bytes() for file in (place / "bundle").iterdir()}

    return _killed("kills-export", folder, kills, seed, start, product)


def sweep(folder, kills, seed=0):
    """`python -m arn_keras.sweep` on two workers."""
    from arn_keras.measure.sweep_rows import read_rows
    from arn_keras.sweep.__main__ import main

    def start(place):
        return main([*_SWEEP, "--out", str(place / "out"), "--quiet"])

    def product(place):
        rows = [json.dumps(row, sort_keys=True) for row in read_rows(place / "out").values()]
        return sorted(rows)

    return _killed("kills-sweep", folder, kills, seed, start, product, share=0.5)


def audit(folder, kills, seed=0):
    """`python -m arn_keras.audit --quick` of a trained run."""
    from arn_keras.audit.__main__ import main

    run = _trained(folder)

    def start(place):
        if not (place / "run").exists():
            shutil.copytree(run, place / "copied")
            os.rename(place / "copied", place / "run")
        return main([str(place / "run"), "--quick", "--protection", "keyed"])

    def product(place):
        return json.loads((place / "run" / "audit" / "audit.json").read_text())["rows"]

    return _killed("kills-audit", folder, kills, seed, start, product, share=0.5)


def _trained(folder):
    from arn_keras.run import command

    run = folder / "trained"
    if not run.exists():
        how = [*_RUN, "--run-dir", str(run), "--quiet"]
        assert Attempt(lambda: command.main(how), folder / "trained-log").wait(SECONDS) == 0
    return run


def _json(run):
    return json.loads((run / "results.json").read_text())


def _killed(name, folder, kills, seed, start, product, share=1.0):
    """Runs `start(place)` under kills at random moments until it ends, in place after place.

    Kills fall into the first `share` of the time that it takes undisturbed: what goes on where it
    was comes to its end all the same, and most attempts are killed.
    """
    tally, chance = Tally(name), random.Random(seed)
    before, processes = _outside(), []
    place = folder / f"{name}-undisturbed"
    place.mkdir()
    began, whole = time.monotonic(), Attempt(lambda: start(place), folder / name)
    if not judge(tally, whole, whole.wait(SECONDS), (0,)):
        return tally
    seconds, expected, number = time.monotonic() - began, product(place), 0
    while tally.tried < kills:
        number += 1
        place = folder / f"{name}-{number}"
        place.mkdir()
        while True:
            # A log each: what a killed one's helpers still say is not the next one's.
            log = folder / f"{name}-{len(processes)}"
            attempt = Attempt(lambda place=place: start(place), log)
            processes.append(attempt.process)
            last = tally.tried >= kills
            status = attempt.wait(SECONDS if last else chance.uniform(0, share * seconds))
            if status is None and not last:
                tally.tried += 1
                attempt.kill()
                continue
            if judge(tally, attempt, status, (0,)) and product(place) != expected:
                tally.count("wrong", f"{place}: not what an undisturbed run gives")
            break
        if not tally.found:
            shutil.rmtree(place)
    time.sleep(1)
    of_ours = [f"-{process}-" for process in processes]
    left = sorted(
        name
        for name in _outside() - before
        if not name.startswith("/dev/shm") or any(each in name for each in of_ours)
    )
    if left:
        tally.count("unclear", f"left outside its directory: {left}")
    return tally


def _outside():
    """What lies in the temporary folder, which is the torture's own, and in shared memory."""
    places = [pathlib.Path(tempfile.gettempdir()), pathlib.Path("/dev/shm")]
    return {str(each) for place in places if place.is_dir() for each in place.iterdir()}
