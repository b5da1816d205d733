"""Seconds until a command says something, and what loading the data costs.

    python benchmarks/startup.py [--json FILE] [--rounds N]

Each is a process of its own, all of them once a round; the median of the rounds counts. The data
set is MNIST where it is prepared (`TFDS_DATA_DIR`), and is left out, and named, where it is not;
the first round fills the cache of decoded images if it is empty, and does not count.
"""

import statistics
import subprocess
import sys
import time

from turns import parser, write

PROGRAMS = {
    "python, nothing else": ["-c", "pass"],
    "import arn_keras": ["-c", "import arn_keras"],
    "train.py --help": ["train.py", "--help"],
    "a wrong option": ["train.py", "--epochs", "0"],
    "import tensorflow": ["-c", "import tensorflow"],
    "load MNIST from the cache": ["-c", "from arn_keras.data import images; images.load('mnist')"],
}
LIMITS = {"train.py --help": 1.0, "a wrong option": 1.0, "load MNIST from the cache": 1.0}


def seconds(arguments):
    """Seconds that a fresh Python takes; why it fails, where otherwise than by a wrong option."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False, text=True)
    taken = time.perf_counter() - start
    if done.returncode == 0 or "--epochs" in arguments:
        return taken
    return done.stderr.strip().splitlines()[-1]


def main():
    """Runs all programs and prints their medians."""
    given = parser(__doc__.splitlines()[0]).parse_args()
    found = {name: [] for name in PROGRAMS}
    for counted in (False, *[True] * given.rounds):
        for name, arguments in PROGRAMS.items():
            taken = seconds(arguments)
            if counted:
                found[name].append(taken)
    figures = []
    for name, values in found.items():
        if isinstance(values[0], str):
            print(f"{name:<28} left out: {values[0]}")
            continue
        limit = LIMITS.get(name)
        wanted = f"  (at most {limit:g})" if limit else ""
        print(f"{name:<28}{statistics.median(values):>8.2f} s{wanted}")
        figures.append({"program": name, "seconds": values, "limit": limit})
    write(given.json, {"figures": figures})


if __name__ == "__main__":
    sys.exit(main())
