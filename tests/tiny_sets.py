"""Data sets in TensorFlow Datasets' own format, small enough for a test to write."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]

COLOUR = np.random.RandomState(0).randint(0, 256, (300, 32, 32, 3), np.uint8)
LABELS = np.arange(300) % 7


def rows(images, labels=LABELS, **more):
    """Examples of a split: each image with its label."""
    return [
        {"image": image, "label": int(label), **more}
        for image, label in zip(images, labels, strict=False)
    ]


def write_set(data_dir, splits, shape=(32, 32, 3), dtype=np.uint8, name="tiny", **features):
    """Writes the splits {name: examples} in the order given; returns the folder of the version."""
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=shape, dtype=dtype),
        "label": tfds.features.ClassLabel(num_classes=7),
        **features,
    }
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=tfds.features.FeaturesDict({k: v for k, v in features.items() if v is not None}),
        split_datasets={split: list(enumerate(examples)) for split, examples in splits.items()},
        data_dir=data_dir,
        disable_shuffling=True,
    )
    return Path(builder.data_path)


def assert_split(split, images, labels):
    """The split holds exactly these images, in this order."""
    np.testing.assert_array_equal(split.source, images)
    np.testing.assert_array_equal(split.label, labels)
    assert split.source.dtype == np.uint8
    assert len(split) == len(images)


def start_load(name, data_dir, cache_home):
    """Loads in a fresh process, which prints: seconds, sources, is TensorFlow in, is TFDS in."""
    program = (
        "import sys, time; start = time.perf_counter()\n"
        "from arn_keras.data.images import load; d = load(sys.argv[1], sys.argv[2])\n"
        "print(time.perf_counter() - start, len(d.train), 'tensorflow' in sys.modules, "
        "'tensorflow_datasets' in sys.modules)"
    )
    settings = {name: value for name, value in os.environ.items() if name[:7] != "TF_CPP_"}
    return subprocess.Popen(
        [sys.executable, "-c", program, name, str(data_dir)],
        env={**settings, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache_home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
