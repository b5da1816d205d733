"""How time and memory grow with sources, signal size and number of eavesdroppers.

    python benchmarks/scaling.py [--json FILE] [--rounds N] [--quick]

The ARN stage, its second epoch, and the evaluation of one row. Sources: 10^4 to 10^6 of 28x28x1
(the same 10^4 again and again, in a file that is mapped into memory), k = 128, one Eve. Signal
size: k = 32 to 4096 at 10^4 sources. Eavesdroppers: 1 to 8. Each point is a process of its own, all
points once a round; medians. The exponent is the slope of the logarithms, by least squares.
Memory is the peak of the process above what it had when the models were built, pages of the mapped
file left out.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from turns import parser, write

AXES = {
    "sources": (10_000, 100_000, 1_000_000),
    "symbols": (32, 128, 512, 2048, 4096),
    "eavesdroppers": (1, 2, 4, 8),
}
FIXED = {"sources": 10_000, "symbols": 128, "eavesdroppers": 1}
BATCH = 256


class Peak(threading.Thread):
    """Largest memory of this process that is its own, looked at every 5 ms."""

    def __init__(self):
        import psutil

        super().__init__(daemon=True)
        self._process = psutil.Process()
        self.bytes = self.now()
        self.start()

    def now(self):
        memory = self._process.memory_info()
        return memory.rss - memory.shared

    def run(self):
        while True:
            self.bytes = max(self.bytes, self.now())
            time.sleep(0.005)


def measure(sources, symbols, eavesdroppers, folder):
    """{quantity: number} of one point."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow()
    import keras

    from arn_keras import SecureLink
    from arn_keras.data import Split
    from arn_keras.eavesdropper import build_eavesdropper
    from arn_keras.evaluation import Evaluation
    from arn_keras.semantic import build_receiver, build_transmitter
    from arn_keras.stages import Schedule

    images, labels = mapped(folder, sources), np.arange(sources) % 10
    shape = images.shape[1:]
    parts = build_transmitter(shape, symbols), build_receiver(shape, symbols)
    eves = [build_eavesdropper((symbols,), 10) for _ in range(eavesdroppers)]
    link = SecureLink(*parts, eves)
    schedule = Schedule(epochs=3, batch_size=BATCH, shards=2)
    schedule.compile(link, sources, shards=2)
    few = slice(0, 2048)
    link.fit(images[few], labels[few], batch_size=BATCH, verbose=0, drop_remainder=True)
    evaluation = Evaluation(*parts, eves[0], 0)
    evaluation.row(Split(images[few], labels[few]), 10.0)

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.start

    clock, peak = Clock(), Peak()
    before = peak.bytes
    how = {"batch_size": BATCH, "drop_remainder": True, "verbose": 0}
    link.fit(images, labels, epochs=2, callbacks=[clock], **how)  # the first one starts a pipeline
    start = time.perf_counter()
    evaluation.row(Split(images, labels), 10.0)
    return {
        "training_seconds": clock.seconds,
        "evaluation_seconds": time.perf_counter() - start,
        "megabytes": (peak.bytes - before) / 2**20,
    }


def mapped(folder, sources):
    """Random sources in a file, made on first use, as a memory map."""
    file = pathlib.Path(folder) / f"{sources}.npy"
    if not file.exists():
        block = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28, 1), np.uint8)
        array = np.lib.format.open_memmap(file, "w+", np.uint8, (sources, 28, 28, 1))
        for start in range(0, sources, len(block)):
            array[start : start + len(block)] = block[: sources - start]
        array.flush()
    return np.lib.format.open_memmap(file, "r")


def main():
    """Runs all points and prints times, memory and exponents."""
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(rounds=3)
    options.add_argument("--quick", action="store_true", help="up to 10^5 sources and 512 symbols")
    given = options.parse_args()
    if given.candidate:
        print(json.dumps(measure(**json.loads(given.candidate))))
        return
    limits = {"sources": 100_000, "symbols": 512} if given.quick else {}
    figures = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCALING_DIR")) as folder:
        points = [
            (axis, value)
            for axis, values in AXES.items()
            for value in values
            if value <= limits.get(axis, value)
        ]
        found = {point: [] for point in points}
        for _ in range(given.rounds):
            for axis, value in points:
                what = json.dumps({**FIXED, axis: value, "folder": folder})
                command = [sys.executable, __file__, "--candidate", what]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[axis, value].append(json.loads(done.stdout.splitlines()[-1]))
    for axis in AXES:
        values = [value for name, value in points if name == axis]
        print(f"\n{axis:<14}{'training us/source':>20}{'evaluation us/source':>22}{'MB':>8}")
        medians = []
        for value in values:
            sources = value if axis == "sources" else FIXED["sources"]
            row = {
                name: statistics.median(each[name] for each in found[axis, value])
                for name in found[axis, value][0]
            }
            medians.append(row)
            per_source = [row[f"{name}_seconds"] / sources for name in ("training", "evaluation")]
            print(
                f"{value:<14}{per_source[0] * 1e6:>20.1f}{per_source[1] * 1e6:>22.1f}"
                f"{row['megabytes']:>8.0f}"
            )
        exponents = {
            name: float(np.polyfit(np.log(values), np.log([row[name] for row in medians]), 1)[0])
            for name in ("training_seconds", "evaluation_seconds")
        }
        print("exponents     " + ", ".join(f"{n}: {e:.2f}" for n, e in exponents.items()))
        figures.append({"axis": axis, "values": values, "medians": medians, "exponents": exponents})
    write(given.json, {"figures": figures})


if __name__ == "__main__":
    sys.exit(main())
