"""Prepared sets of every shape, decoded exactly, in the stored order, or refused in one line."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import COLOUR, LABELS, assert_split, rows, write_set

from arn_keras.data import find
from arn_keras.data.images import DataError, load

SHARED = Path(__file__).parents[2] / "shared" / "tensorflow_datasets"


@pytest.fixture(autouse=True)
def cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "cache" / "arn_keras"


def test_colour_images_are_read_exactly_in_the_stored_order(tmp_path):
    import tensorflow_datasets as tfds

    write_set(tmp_path / "sets", {"train": rows(COLOUR), "test": rows(COLOUR[::-1], LABELS[::-1])})
    dataset = load("tiny", tmp_path / "sets", limit=290)
    assert_split(dataset.train, COLOUR[:290], LABELS[:290])
    assert_split(dataset.test, COLOUR[::-1], LABELS[::-1])
    assert (dataset.classes, dataset.source_shape, dataset.notes) == (7, (32, 32, 3), ())
    assert dataset.label_names == tuple("0123456")  # TFDS's own where a set has none
    names = ["no", "yes", "six", "a-z", "b c", "d", "e"]
    named = {"label": tfds.features.ClassLabel(names=names)}
    write_set(tmp_path / "named", {"train": rows(COLOUR), "test": rows(COLOUR)}, **named)
    for _ in range(2):  # decoded, and from the cache
        assert load("tiny", tmp_path / "named").label_names == tuple(names)


def test_the_real_mnist_or_its_stand_in_is_what_its_records_hold(tmp_path):
    import tensorflow as tf
    from PIL import Image

    from arn_keras.data.decode import PreparedImages

    folder = find.find("mnist", SHARED)
    if folder is None:
        gray = COLOUR[:, :28, :28, :1]
        folder = write_set(
            tmp_path / "sets",
            {"train": rows(gray), "test": rows(gray[:9])},
            shape=(28, 28, 1),
            name="mnist",
        )
    images = PreparedImages(folder)
    got = dict(part for part, _ in zip(images.parts(), range(2), strict=False))
    (shard,) = folder.glob("mnist-train*")
    layout = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], "int64"),
    }
    records = [
        tf.io.parse_single_example(record, layout)
        for record in tf.data.TFRecordDataset(str(shard)).take(len(got["train_labels"]))
    ]
    pixels = [np.asarray(Image.open(io.BytesIO(r["image"].numpy()))) for r in records]
    np.testing.assert_array_equal(got["train_images"][..., 0], pixels)
    np.testing.assert_array_equal(got["train_labels"], [int(r["label"]) for r in records])
    sizes = json.loads((folder / "dataset_info.json").read_text())["splits"]
    train = next(int(s["shardLengths"][0]) for s in sizes if s["name"] == "train")
    assert images.layout["train_images"] == ("uint8", (train, 28, 28, 1))


def test_images_of_varying_size_are_resized_and_keep_their_colour(tmp_path):
    colours = [(10, 20, 30), (200, 0, 255), (1, 2, 3)]
    sizes = [(80, 96), (5, 7), (64, 64)]
    flat = [np.full((*size, 3), colour) for size, colour in zip(sizes, colours, strict=True)]
    flat = [image.astype(np.uint8) for image in flat]
    write_set(
        tmp_path / "sets", {"train": rows(flat), "test": rows(flat[:1])}, shape=(None, None, 3)
    )
    dataset = load("tiny", tmp_path / "sets")
    assert dataset.notes == ("images of varying size are resized to 64x64",)
    truth = np.broadcast_to(np.array(colours, np.uint8)[:, None, None], (3, 64, 64, 3))
    assert_split(dataset.train, truth, LABELS[:3])


def test_a_validation_split_serves_as_test(tmp_path):
    write_set(tmp_path / "sets", {"train": rows(COLOUR[:9]), "validation": rows(COLOUR[9:12])})
    dataset = load("tiny", tmp_path / "sets")
    assert_split(dataset.test, COLOUR[9:12], LABELS[:3])
    assert dataset.notes == ("no test split: the validation split serves as test",)


def test_without_one_a_tenth_of_train_is_held_out_once_and_for_all(tmp_path):
    write_set(tmp_path / "sets", {"train": rows(COLOUR)})
    dataset = load("tiny", tmp_path / "sets")
    (note,) = dataset.notes
    assert note.startswith("no test split: 30 of 300 training sources")
    cut = np.zeros(300, bool)
    cut[np.random.RandomState(0).permutation(300)[-30:]] = True
    assert_split(dataset.train, COLOUR[~cut], LABELS[~cut])
    assert_split(dataset.test, COLOUR[cut], LABELS[cut])


def test_sixteen_bit_images_keep_their_upper_byte(tmp_path):
    values = np.arange(0, 65536, 16, dtype=np.uint16).reshape(4, 32, 32, 1)
    write_set(
        tmp_path / "sets", {"train": rows(values), "test": rows(values[:1])}, (32, 32, 1), np.uint16
    )
    dataset = load("tiny", tmp_path / "sets")
    np.testing.assert_allclose(
        dataset.targets(dataset.train), values / 65535, atol=0.5 / 255 + 1e-6
    )
    assert dataset.notes == ("uint16 images, 0 to 65535, are kept in 8 bits",)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 5.0)])
def test_float_images_are_scaled_by_the_range_of_the_whole_set(tmp_path, low, high):
    unit = np.linspace(0, 1, 4 * 64, dtype=np.float32).reshape(4, 8, 8, 1)
    values = (low + (high - low) * unit).astype(np.float32)
    write_set(
        tmp_path / "sets",
        {"train": rows(values[:3]), "test": rows(values[3:])},
        (8, 8, 1),
        np.float32,
    )
    dataset = load("tiny", tmp_path / "sets")
    np.testing.assert_allclose(dataset.targets(dataset.train), unit[:3], atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(dataset.targets(dataset.test), unit[3:], atol=0.5 / 255 + 1e-6)
    assert dataset.notes == (f"float32 images, {low:g} to {high:g}, are kept in 8 bits",)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_float_that_is_not_finite_is_refused(tmp_path, bad):
    values = np.zeros((2, 8, 8, 1), np.float32)
    values[1, 2, 3] = bad
    write_set(
        tmp_path / "sets", {"train": rows(values), "test": rows(values[:1])}, (8, 8, 1), np.float32
    )
    with pytest.raises(DataError, match=r"tiny in .*: expected finite images, got NaN or infinity"):
        load("tiny", tmp_path / "sets")


def test_a_set_without_a_label_is_refused_with_its_features_named(tmp_path):
    import tensorflow_datasets as tfds

    examples = [{"image": image, "text": "a"} for image in COLOUR[:3]]
    write_set(tmp_path / "sets", {"train": examples}, label=None, text=tfds.features.Text())
    with pytest.raises(DataError, match=r"expected one Image.*got image: Image, text: Text$"):
        load("tiny", tmp_path / "sets")


def test_of_two_labels_the_supervised_one_is_taken_and_without_it_none(
    tmp_path,
):
    import tensorflow_datasets as tfds

    examples = rows(COLOUR[:3], coarse=1)
    folder = write_set(
        tmp_path / "sets",
        {"train": examples, "test": examples},
        coarse=tfds.features.ClassLabel(num_classes=2),
    )
    with pytest.raises(DataError, match=r"got coarse: ClassLabel, image: Image, label"):
        load("tiny", tmp_path / "sets")
    info = json.loads((folder / "dataset_info.json").read_text())
    keys = [{"featureKey": "image"}, {"featureKey": "coarse"}]
    info["supervisedKeys"] = {"tuple": {"items": keys}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    dataset = load("tiny", tmp_path / "sets")
    assert_split(dataset.train, COLOUR[:3], [1, 1, 1])
    assert dataset.classes == 2


def test_a_set_without_labels_for_its_test_split_is_refused(tmp_path):
    write_set(
        tmp_path / "sets", {"train": rows(COLOUR[:3]), "test": rows(COLOUR[:3], [-1, -1, -1])}
    )
    with pytest.raises(DataError, match=r"from 0 to 6 in the test split, got -1 to -1$"):
        load("tiny", tmp_path / "sets")


def test_a_set_without_a_train_split_is_refused(tmp_path):
    write_set(tmp_path / "sets", {"test": rows(COLOUR[:3])})
    with pytest.raises(DataError, match=r"expected a train split, got test$"):
        load("tiny", tmp_path / "sets")


@pytest.mark.parametrize("damage", ["cut", "lost", "info"])
def test_a_damaged_set_is_one_clear_line(tmp_path, damage):
    folder = write_set(tmp_path / "sets", {"train": rows(COLOUR[:9]), "test": rows(COLOUR[:3])})
    (shard,) = folder.glob("tiny-train*")
    if damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-10])
    elif damage == "lost":
        shard.unlink()
    else:
        (folder / "dataset_info.json").write_text("{")
    reason = "it cannot be opened" if damage == "info" else "its train split cannot be decoded"
    with pytest.raises(DataError, match=rf"^data set tiny in .*: {reason} \(.+\)$") as error:
        load("tiny", tmp_path / "sets")
    assert len(str(error.value).splitlines()) == 1
    assert "{{" not in str(error.value)
    assert "Op:" not in str(error.value)
