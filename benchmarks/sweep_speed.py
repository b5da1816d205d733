"""A sweep of 16 points: one after another on all cores, or one single-threaded worker a core.

    python benchmarks/sweep_speed.py [--json FILE] [--rounds N] [--points N] [--limit N]

Points differ in budget and SNR; base link and eavesdropper are trained before the clock starts.
Tracing counts. `in turn` trains as `python train.py` does, two shards of a batch side by side;
`in turn, whole batches` without shards, all cores in every operation, as TensorFlow does by
itself. After them, in the same run, what a worker does in training alone: the sources a second of
single-threaded processes, one a core and all at once, beside those of the stage's matrix products
run the same way.
"""

import concurrent.futures
import functools
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

from turns import Process, parser, ratio, write

from arn_keras.backend import usable_cores

EPOCHS = 20
BATCH = 256
CORES = usable_cores()
FASTER, SHARE = 1.35, 0.75  # what is asked for: over in turn, and of the matrix products
TURNS = 15  # of train_speed.py behind that share: both cores at once are noisier than one


def points(count):
    """Points of a sweep, white box, each another budget and SNR."""
    from arn_keras.sweep.grid import Point

    return [
        Point("random", 0, "white", None, (snr_db, snr_db), -10.0 - index)
        for index, snr_db in enumerate(float(i % 4 * 5) for i in range(count))
    ]


def prepared(limit, threads):
    """(data set, {stage: files}, config) of a base link and an Eve, trained for one epoch.

    Args:
        limit: number of training sources.
        threads: (of one operation, operations at a time), None for TensorFlow's own.
    """
    names = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
    os.environ |= {name: str(count) for name, count in zip(names, threads, strict=True)}

    import numpy as np

    from arn_keras.backend import load_tensorflow
    from arn_keras.data.images import Dataset, check_arrays
    from arn_keras.run.config import Config

    load_tensorflow()
    import tensorflow as tf

    tf.constant(0) + 0  # from here on the number of threads is fixed
    from arn_keras.sweep import points as tasks

    generator = np.random.default_rng(0)
    train, test = (
        check_arrays(generator.integers(0, 256, (n, 28, 28, 1), np.uint8), np.arange(n) % 10, 10)
        for n in (limit, 1000)
    )
    dataset = Dataset("random", train, test, 10, preprocessing="unit_interval")
    config = Config(batch_size=BATCH, link_epochs=1, eve_epochs=1, epochs=EPOCHS)
    config = config.resolve("random", limit)
    models = {"link": tasks.train_stage(_Here(dataset), _Here({}), config, "link")}
    models["eve"] = tasks.train_stage(_Here(dataset), _Here(dict(models)), config, "eve")
    return dataset, models, config


class _Here:
    """A shared value of this process."""

    def __init__(self, value):
        self.key, self._value = id(value), value

    def get(self):
        return self._value


MEASURED = [("paired", "frozen", 10.0)]


def in_turn(count, limit, *, threads, shards):
    """Seconds to train all points in this process, tracing included."""
    dataset, models, config = prepared(limit, threads)
    from arn_keras.run import problem
    from arn_keras.sweep import points as tasks

    in_shards = functools.partial(problem.Problem, shards=shards)
    handles = _Here(dataset), _Here(models)
    start = time.perf_counter()
    with mock.patch.object(problem, "Problem", in_shards):
        for point in points(count):
            tasks.run_point(*handles, config, point, MEASURED, None)
    return time.perf_counter() - start


def in_workers(count, limit):
    """Seconds on the sweep's local engine; its processes start within the time."""
    dataset, models, config = prepared(limit, (1, 1))
    from arn_keras.sweep import points as tasks
    from arn_keras.sweep.engines import LocalEngine

    start = time.perf_counter()
    folder = tempfile.TemporaryDirectory()
    engine = LocalEngine(folder.name)
    try:
        shared = engine.share(dataset), engine.share(models)
        todo = [(*shared, config, point, MEASURED, None) for point in points(count)]
        for _, result in engine.run(tasks.run_point, todo):
            if isinstance(result, Exception):
                raise result
    finally:
        engine.close()
        folder.cleanup()
    return time.perf_counter() - start


def side_by_side(rounds):
    """{candidate of train_speed.py: sources a second of each round, all cores together}."""
    file = str(pathlib.Path(__file__).with_name("train_speed.py"))
    crews = {
        name: [Process(file, f"arn/{BATCH}/{name}", 1) for _ in range(CORES)]
        for name in ("arn_keras", "bound")
    }
    found = {name: [] for name in crews}
    try:
        with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
            for _ in range(rounds):
                for name, crew in crews.items():
                    found[name].append(sum(pool.map(Process.turn, crew)))
    finally:
        for crew in crews.values():
            for process in crew:
                process.close()
    return found


CANDIDATES = {
    "one worker a core": in_workers,
    "in turn": functools.partial(in_turn, threads=(max(1, CORES // 2), min(2, CORES)), shards=2),
    "in turn, whole batches": functools.partial(in_turn, threads=(CORES, CORES), shards=1),
}


def main():
    """Runs the comparison and prints it."""
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(rounds=3)
    options.add_argument("--points", type=int, default=16, metavar="N")
    options.add_argument("--limit", type=int, default=12_800, metavar="N")
    given = options.parse_args()
    size = given.points, given.limit
    if given.candidate:
        print(CANDIDATES[given.candidate](*size))
        return
    found = {name: [] for name in CANDIDATES}
    words = ["--points", str(given.points), "--limit", str(given.limit)]
    for _ in range(given.rounds):
        for name, values in found.items():
            command = [sys.executable, __file__, *words, "--candidate", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            values.append(float(done.stdout.split()[-1]))
    print(
        f"{given.points} points of {EPOCHS} epochs over {given.limit} sources, "
        f"median of {given.rounds} rounds"
    )
    figures = []
    for name, values in found.items():
        over = ratio(found, name, "one worker a core")
        print(f"  {name:<24}{statistics.median(values):>8.1f} s   over the workers' {over:.2f}")
        figures.append({"candidate": name, "seconds": values, "over_the_workers": over})
    print(f"  (in turn: at least {FASTER})")
    rates = side_by_side(TURNS)
    share = ratio(rates, "arn_keras", "bound")
    print(f"\nsources a second in training, a process a core, all at once, median of {TURNS}")
    for name, values in rates.items():
        print(f"  {name:<24}{statistics.median(values):>8.0f}")
    print(f"  {'share of the products':<24}{share:>8.2f}  (at least {SHARE})")
    training = {"sources_a_second": rates, "share_of_the_products": share}
    write(
        given.json,
        {"points": given.points, "limit": given.limit, "figures": figures, "training": training},
    )


if __name__ == "__main__":
    sys.exit(main())
