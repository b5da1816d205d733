"""`python tests/torture [--only PART ...] [--share X]`: what was tried, and what failed."""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path[:1] = [str(each) for each in pathlib.Path(__file__).absolute().parents[1:3]]

#: Each part, and how many trials it takes at full length.
PARTS = {
    "kills-train": ("kills:train", 100),
    "kills-export": ("kills:export", 100),
    "kills-sweep": ("kills:sweep", 100),
    "kills-audit": ("kills:audit", 100),
    "bundles-damaged": ("forgery:damaged", 4000),
    "bundles-forged": ("forgery:forged", 3000),
    "bundles-signed": ("forgery:signed_then_forged", 3000),
    "bundles-unsigned": ("forgery:unsigned", 100),
    "journals": ("journals:flipped", 10_000),
    "numbers": ("message_numbers:numbers", 300),
    "full-disk": ("disks:full", 50),
    "hostile-files": ("strangers:hostile", 99),
}
#: Parts that cannot end at zero; their own description says why.
FORESEEN = ("bundles-unsigned",)


def main():
    """Runs the parts; returns 0 if nothing failed."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--share", type=float, default=1.0, help="of the trials, for a short form")
    parser.add_argument("--folder", help="where it works (default: a temporary folder)")
    parser.add_argument("--jobs", type=int, default=1, help="parts at once, each in a process")
    given = parser.parse_args()
    if given.jobs > 1:
        return _at_once(given)
    with tempfile.TemporaryDirectory(prefix="torture-", dir=given.folder) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = os.path.join(folder, "tmp")
        os.mkdir(tempfile.tempdir)
        return _run(given, pathlib.Path(folder))


def _at_once(given):
    """Each part by this command in a process of its own; whether one failed."""
    options = ["--share", str(given.share)]
    options += ["--folder", given.folder] if given.folder else []

    def part(name):
        command = [sys.executable, os.path.dirname(__file__), *options, "--only", name]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)

    print(_head(), flush=True)
    failed = False
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(part, n) for n in given.only]):
            print("\n".join(done.result().stdout.splitlines()[1:]), flush=True)
            failed |= bool(done.result().returncode)
    return int(failed)


def _head():
    from torture.tally import KINDS

    return f"{'part':<22}{'tried':>7}" + "".join(f"{kind:>9}" for kind in KINDS)


def _run(given, folder):
    from arn_keras.backend import load_tensorflow
    from arn_keras.rooms import answer

    load_tensorflow()
    print(_head(), flush=True)
    failed = 0
    for name in given.only:
        place, trials = PARTS[name]
        start, part = time.monotonic(), answer({name: f"torture.{place}"}, name)
        tally = part(folder, max(1, round(trials * given.share)))
        print(f"{tally.line()}   {time.monotonic() - start:.0f} s", flush=True)
        for note in tally.notes[:20] * (name not in FORESEEN):
            print("  " + " ".join(note.split()), flush=True)
        failed += sum(tally.found.values()) * (name not in FORESEEN)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
