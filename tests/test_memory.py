"""Memory of a trained link, in a process of its own."""

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes
import gc
import sys
import numpy as np, psutil
from arn_keras.backend import load_tensorflow
load_tensorflow()
import keras
from arn_keras import SecureLink, unit_interval
from arn_keras.machine import files
from arn_keras.data.dataset import Dataset, Split
from arn_keras.eve.dense import build_eavesdropper
from arn_keras.measure.evaluation import Evaluation
from arn_keras.link.dense import build_receiver, build_transmitter
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn

process = psutil.Process()
def megabytes():
    return process.memory_info().rss / 2**20
def kept():  # not what waits for the collector, or what the allocator has back and keeps
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return megabytes()
# What grows would be the sources; so little is made of them that to compute it takes no time.
parts = build_transmitter((16, 16, 4), 4, 4), build_receiver((16, 16, 4), 4, 4)
eve = build_eavesdropper((4,), 10, (4,))
pair = build_transmitter_arn((4,), (16,)), build_receiver_arn((4,), (16,))
link = SecureLink(*parts, eve, *pair, preprocessing=unit_interval)
link.compile("adam", steps_per_execution=20)
sources = np.zeros((20_000, 16, 16, 4), np.uint8)  # 20 MB
labels = np.arange(20_000) % 10
seen = []
note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(kept()))
link.fit(sources, labels, batch_size=1000, epochs=15, verbose=0, callbacks=[note])
print(seen[-1] - seen[4])
before = kept()
for _ in range(8):
    link.fit(sources, labels, batch_size=1000, epochs=1, verbose=0)
print(kept() - before)
# From here on sources are read from the disk.
del sources
kept()
rows, tile = int(sys.argv[1]), np.zeros((1000, 16, 16, 4), np.uint8)
images = np.lib.format.open_memmap(sys.argv[2], "w+", np.uint8, (rows, 16, 16, 4))
for start in range(0, rows, 1000):
    images[start:start + 1000] = tile
images.flush()
images = np.lib.format.open_memmap(sys.argv[2], "r")
labels = np.arange(rows) % 10
files.IN_MEMORY_BYTES = 1 << 22
def own():  # pages of the file that happen to be mapped are not memory of this process
    return (process.memory_info().rss - process.memory_info().shared) / 2**20
link.fit(images[:4000], labels[:4000], batch_size=500, epochs=2, verbose=0)
split = Split(images, labels)
dataset = Dataset("large", split, split, 10, preprocessing="unit_interval")
measure = Evaluation(*parts, eve, 0, dataset=dataset)
measure.row(split.part(slice(4000)), 10.0)
before = own()
link.fit(images, labels, batch_size=500, epochs=1, verbose=0)
print(own() - before)
measure.row(split, 10.0)
print(own() - before)
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Megabytes that each part of the program adds."""
    images = tmp_path_factory.mktemp("images") / "images.npy"  # 100 MB
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "100000", str(images)],
        capture_output=True,
        text=True,
        check=False,
        # glibc: one heap for all threads, or what is freed stays a while in a heap of each.
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [float(line) for line in done.stdout.split()]


def test_memory_does_not_grow_with_sources_that_are_read_from_disk(grown):
    _, _, by_training, by_evaluation = grown
    assert by_training < 40
    assert by_evaluation < 40


def test_memory_grows_neither_with_epochs_nor_with_fits(grown):
    by_epochs, by_fits, _, _ = grown
    assert by_epochs < 2
    assert by_fits < 12  # 160 if each fit kept its copy of the sources
