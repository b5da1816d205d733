"""The sources, where a data set comes from with and without a network, and the cache around it."""

import shutil
import socket
import time
from unittest.mock import Mock

import numpy as np
import pytest
from tiny_sets import COLOUR, LABELS, assert_split, rows, write_set

from arn_keras.data import find, images, store
from arn_keras.data.dataset import Dataset, Split
from arn_keras.data.images import DataError, check_arrays, load


@pytest.fixture(autouse=True)
def cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "cache" / "arn_keras"


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr(find, "start_probe", lambda: lambda: "the host cannot be reached")


# The sources themselves


def test_sources_are_the_pixel_values_over_255_exactly():
    split = Split(np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1), np.arange(4))
    sources = np.asarray(Dataset("d", split, split, 4, (), "unit_interval").targets(split))
    assert sources.dtype == np.float32
    np.testing.assert_array_equal(sources.ravel(), (np.arange(256) / 255).astype(np.float32))


def test_nothing_is_scaled_unless_the_data_say_so():
    split = Split(np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1), np.zeros(1, int))
    assert Dataset("d", split, split, 1).targets(split) is split.source


def test_a_part_of_a_split_has_these_rows_of_every_array_and_copies_none():
    huge = np.broadcast_to(np.uint8(51), (10**12, 8, 8, 1))
    label = np.broadcast_to(3, 10**12)
    part = Split({"a": huge, "b": huge}, label, target=huge).part(slice(10**9, 10**9 + 2))
    assert part.source["a"].shape == part.source["b"].shape == part.target.shape == (2, 8, 8, 1)
    assert len(part) == 2
    assert np.shares_memory(part.source["a"], huge)


def test_the_digits_are_scikit_learns_each_in_one_split_and_every_class_in_proportion():
    from sklearn.datasets import load_digits

    digits = load("digits")
    assert (digits.name, digits.classes, digits.source_shape) == ("digits", 10, (8, 8, 1))
    assert digits.notes == ()
    assert (len(digits.train), len(digits.test)) == (1437, 360)
    values = (
        np.concatenate([digits.targets(digits.train), digits.targets(digits.test)])[..., 0] * 16
    )
    labels = np.concatenate([digits.train.label, digits.test.label])
    truth = load_digits()
    np.testing.assert_allclose(values, np.round(values), atol=16 * 0.5 / 255 + 1e-6)
    found = sorted(
        (label, *row) for label, row in zip(labels, values.round().reshape(-1, 64), strict=True)
    )
    assert found == sorted((c, *row) for c, row in zip(truth.target, truth.data, strict=True))
    share = np.bincount(digits.test.label) / np.bincount(truth.target)
    assert (np.abs(share - 0.2) < 0.01).all()
    again = load("digits")
    assert_split(again.train, digits.train.source, digits.train.label)


def test_the_limit_keeps_the_first_training_sources_and_all_of_the_test_sources():
    full = load("digits")
    few = load("digits", limit=10)
    assert_split(few.train, full.train.source[:10], full.train.label[:10])
    assert_split(few.test, full.test.source, full.test.label)
    assert len(load("digits", limit=10**9).train) == 1437
    for limit in (0, -1, 2.5):
        with pytest.raises(DataError, match=f"limit of at least 1 training source, got {limit}"):
            load("digits", limit=limit)


# Where a set comes from


@pytest.mark.usefixtures("no_network")
def test_auto_without_network_takes_the_digits_and_says_so(tmp_path):
    dataset = load(data_dir=tmp_path / "nowhere")
    assert dataset.name == "digits"
    assert dataset.notes == (
        f"mnist is not prepared in {tmp_path}/nowhere, and the host cannot be reached: "
        "scikit-learn's 1,797 digits of 8x8 pixels are used instead",
    )


def test_auto_takes_the_digits_where_the_prepared_mnist_is_damaged_and_mnist_does_not(tmp_path):
    splits = {"train": rows(COLOUR[:9]), "test": rows(COLOUR[9:12])}
    (shard,) = write_set(tmp_path / "sets", splits, name="mnist").glob("mnist-train*")
    shard.write_bytes(shard.read_bytes()[:-10])
    (note,) = load("auto", tmp_path / "sets").notes
    assert "its train split cannot be decoded" in note
    assert note.endswith("digits of 8x8 pixels are used instead")
    with pytest.raises(DataError, match="its train split cannot be decoded"):
        load("mnist", tmp_path / "sets")


@pytest.mark.usefixtures("no_network")
def test_a_named_set_is_never_replaced_and_the_ways_out_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError) as error:
        load("mnist")
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"mnist is not prepared in {tmp_path}, and the host cannot be reached; ")
    for way_out in ("--data-dir", "TFDS_DATA_DIR", "network", "--dataset digits"):
        assert way_out in line


def test_an_unknown_name_is_refused_without_waiting_for_the_network(tmp_path, monkeypatch):
    def forbidden():
        raise AssertionError("waited for the network")

    monkeypatch.setattr(find, "start_probe", lambda: forbidden)
    with pytest.raises(DataError, match=r"nor mnits a .* name \(did you mean mnist\?\); either"):
        load("mnits", tmp_path)
    with pytest.raises(DataError, match=r"expected a data set NAME.*got '\.\./mnist'"):
        load("../mnist", tmp_path)


@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_a_failed_download_replaces_auto_only(tmp_path, monkeypatch, name):
    import tensorflow_datasets as tfds

    def refuse(name, data_dir):
        raise OSError("disk on fire\nand so on")

    monkeypatch.setattr(find, "start_probe", lambda: lambda: "")
    monkeypatch.setattr(tfds, "builder", refuse)
    if name == "auto":
        (note,) = load(name, tmp_path).notes
        assert "(OSError: disk on fire): scikit-learn's" in note
    else:
        with pytest.raises(DataError, match=r"\(OSError: disk on fire\); either"):
            load(name, tmp_path)


def test_a_set_that_can_be_downloaded_is(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    class Builder:
        def __init__(self, name, data_dir):
            assert (name, data_dir) == ("mnist", str(tmp_path / "sets"))

        def download_and_prepare(self):
            self.data_path = write_set(
                tmp_path / "sets",
                {"train": rows(COLOUR[:9]), "test": rows(COLOUR[9:12])},
                name="mnist",
            )

    monkeypatch.setattr(find, "start_probe", lambda: lambda: "")
    monkeypatch.setattr(tfds, "builder", Builder)
    dataset = load("auto", tmp_path / "sets")
    assert (dataset.name, dataset.notes) == ("mnist", ())
    assert_split(dataset.train, COLOUR[:9], LABELS[:9])


def test_a_silent_network_is_given_up_within_ten_seconds(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for variable in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{silent.getsockname()[1]}")
        for variable in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        start = time.monotonic()
        assert load("auto", tmp_path).name == "digits"
        seconds = time.monotonic() - start
        with silent.accept()[0] as connection:
            asked = connection.recv(100)
    assert 4.5 < seconds < 10
    assert asked.startswith(b"CONNECT storage.googleapis.com:443 ")


# The cache


@pytest.fixture
def cached(tmp_path):
    folder = write_set(
        tmp_path / "sets", {"train": rows(COLOUR[:9]), "validation": rows(COLOUR[9:12])}
    )
    load("tiny", tmp_path / "sets")
    return folder


def test_the_second_load_reads_only_the_cache(cached, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "PreparedImages", None)
    dataset = load("tiny", tmp_path / "sets")
    assert isinstance(dataset.train.source, np.memmap)
    assert_split(dataset.train, COLOUR[:9], LABELS[:9])
    assert dataset.notes == ("no test split: the validation split serves as test",)


def test_a_damaged_cache_is_rebuilt(cached, tmp_path, cache_dir, monkeypatch):
    (entry,) = cache_dir.iterdir()
    (entry / "train_images.npy").write_bytes((entry / "train_images.npy").read_bytes()[:-1])
    assert_split(load("tiny", tmp_path / "sets").train, COLOUR[:9], LABELS[:9])
    monkeypatch.setattr(images, "PreparedImages", None)
    assert_split(load("tiny", tmp_path / "sets").train, COLOUR[:9], LABELS[:9])


def test_a_set_prepared_anew_is_read_anew(cached, tmp_path):
    shutil.rmtree(cached)
    write_set(tmp_path / "sets", {"train": rows(COLOUR[20:29]), "validation": rows(COLOUR[9:12])})
    assert_split(load("tiny", tmp_path / "sets").train, COLOUR[20:29], LABELS[:9])


@pytest.mark.parametrize("where", ["a file", "nowhere"])
def test_without_a_cache_it_works_all_the_same(tmp_path, monkeypatch, where):
    write_set(tmp_path / "sets", {"train": rows(COLOUR[:9]), "test": rows(COLOUR[9:12])})
    if where == "a file":
        (tmp_path / "cache").write_text("in the way")
    else:
        monkeypatch.setattr(store, "folder", Mock(side_effect=RuntimeError("no home directory")))
    assert_split(load("tiny", tmp_path / "sets").train, COLOUR[:9], LABELS[:9])


# A user's own arrays


@pytest.mark.parametrize(
    "images",
    [
        np.array([[[0, 255]], [[51, 102]]], np.uint8),
        np.array([[[0, 65535]], [[13107, 26214]]], np.uint16),
        np.array([[[0, 1]], [[0.2, 0.4]]]),
        np.array([[[0, 1]], [[0.2, 0.4]]], np.float32)[..., None],
    ],
)
def test_own_arrays_of_each_type_give_the_same_sources(images):
    split = check_arrays(images, [0, 1], 2)
    np.testing.assert_array_equal(split.source, [[[[0], [255]]], [[[51], [102]]]])
    assert split.source.dtype == np.uint8
    assert split.source.shape == (2, 1, 2, 1)


ONES = np.ones((2, 4, 4, 1))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (ONES[0, 0], [0, 1], r"expected images \[n, h, w, c\], got the shape \[4, 1\]"),
        (ONES[:0], [], r"expected images \[n, h, w, c\], got the shape \[0, 4, 4, 1\]"),
        (ONES, [0], r"expected 2 integer labels, one an image, got int64 of the shape \[1\]"),
        (ONES, [0.0, 1.0], "expected 2 integer labels, one an image, got float64"),
        (ONES, [[1, 0], [0, 1]], r"got int64 of the shape \[2, 2\]"),
        (ONES, [0, 3], "expected labels from 0 to 2, got 0 to 3"),
        (ONES, [-1, 2], "expected labels from 0 to 2, got -1 to 2"),
        (ONES * 1.5, [0, 1], r"expected float images in \[0, 1\], got 1.5 to 1.5"),
        (ONES * np.nan, [0, 1], r"expected float images in \[0, 1\], got nan to nan"),
        (ONES * np.inf, [0, 1], r"expected float images in \[0, 1\], got inf to inf"),
        (ONES.astype(int), [0, 1], "expected images of uint8, uint16, bool or float, got int64"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        check_arrays(images, labels, 3)
