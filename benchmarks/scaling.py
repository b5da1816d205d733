"""How time and memory grow with sources, signal size and number of eavesdroppers.

    python benchmarks/scaling.py [--json FILE] [--rounds N] [--axis NAME ...] [--quick]

An epoch of the ARN stage, the first aside, and the evaluation of one row; fewer than 10^5 sources
are gone through so often that 10^5 are, and one time is the median. Sources: 10^4 to 10^6 of
28x28x1 (the same 10^4 again and again, in a file that is mapped into memory), k = 128, one Eve.
Signal size: k = 32 to 4096 at 10^4 sources. Eavesdroppers: 1 to 8. Each point is a process of its
own, all points once a round; medians. The exponent is the slope of the logarithms, by least
squares. Memory is the peak of the process above what it had when the models were built, pages of
the mapped file left out.
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
TIMES = {  # processor time, too: a host may take the cores away
    "training_seconds": "training us/source",
    "training_processor_seconds": "of processor time",
    "evaluation_seconds": "evaluation us/source",
}
BATCH = 256
AT_LEAST = 100_000  # sources behind one time: an epoch of 10^4 is over in an eighth of a second


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

    from arn_keras import SecureLink, unit_interval
    from arn_keras.data.dataset import Dataset, Split
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.link.dense import build_receiver, build_transmitter
    from arn_keras.measure.evaluation import Evaluation
    from arn_keras.training.algorithm_1 import Schedule

    images, labels = mapped(folder, sources), np.arange(sources) % 10
    shape = images.shape[1:]
    parts = build_transmitter(shape, symbols), build_receiver(shape, symbols)
    eves = [build_eavesdropper((symbols,), 10) for _ in range(eavesdroppers)]
    link = SecureLink(*parts, eves, preprocessing=unit_interval)
    schedule = Schedule(epochs=3, batch_size=BATCH, shards=2)
    schedule.compile(link, sources, shards=2)
    few = slice(0, 2048)
    link.fit(images[few], labels[few], batch_size=BATCH, verbose=0, drop_remainder=True)
    splits = Split(images[few], labels[few]), Split(images, labels)
    scaled = {"preprocessing": "unit_interval"}
    dataset = Dataset("random", splits[1], splits[0], 10, **scaled)
    evaluation = Evaluation(*parts, eves[0], 0, dataset=dataset)
    evaluation.row(splits[0], 10.0)

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.seconds, self.processor_seconds = [], []

        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter(), time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.start[0])
            self.processor_seconds.append(time.process_time() - self.start[1])

    clock, peak = Clock(), Peak()
    before = peak.bytes
    often = max(1, AT_LEAST // sources)
    how = {"batch_size": BATCH, "drop_remainder": True, "verbose": 0}
    link.fit(images, labels, epochs=1 + often, callbacks=[clock], **how)
    evaluated = []
    for _ in range(often):
        start = time.perf_counter()
        evaluation.row(splits[1], 10.0)
        evaluated.append(time.perf_counter() - start)
    return {
        # The first one starts a pipeline.
        "training_seconds": statistics.median(clock.seconds[1:]),
        "training_processor_seconds": statistics.median(clock.processor_seconds[1:]),
        "evaluation_seconds": statistics.median(evaluated),
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
    options.add_argument("--axis", nargs="+", choices=AXES, default=list(AXES), metavar="NAME")
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
            for axis in given.axis
            for value in AXES[axis]
            if value <= limits.get(axis, value)
        ]
        found = {point: [] for point in points}
        for _ in range(given.rounds):
            for axis, value in points:
                what = json.dumps({**FIXED, axis: value, "folder": folder})
                command = [sys.executable, __file__, "--candidate", what]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[axis, value].append(json.loads(done.stdout.splitlines()[-1]))
    for axis in given.axis:
        values = [value for name, value in points if name == axis]
        print(f"\n{axis:<14}" + "".join(f"{name:>22}" for name in TIMES.values()) + f"{'MB':>8}")
        medians = []
        for value in values:
            sources = value if axis == "sources" else FIXED["sources"]
            rounds = found[axis, value]
            row = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
            medians.append(row)
            per_source = "".join(f"{row[name] / sources * 1e6:>22.1f}" for name in TIMES)
            print(f"{value:<14}{per_source}{row['megabytes']:>8.0f}")
        logarithms = np.log([[row[name] for name in TIMES] for row in medians])
        slopes = np.polyfit(np.log(values), logarithms, 1)[0]
        print(f"{'exponents':<14}" + "".join(f"{slope:>22.2f}" for slope in slopes))
        exponents = dict(zip(TIMES, slopes.tolist(), strict=True))
        figures.append({"axis": axis, "values": values, "medians": medians, "exponents": exponents})
        figures[-1]["rounds"] = [found[axis, value] for value in values]
    write(given.json, {"figures": figures})


if __name__ == "__main__":
    sys.exit(main())
