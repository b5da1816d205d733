import gc
import tempfile

import keras
import numpy as np
import pytest

from arn_keras.errors import DataError
from arn_keras.machine import files
from arn_keras.machine.files import empty_rows
from arn_keras.training.batches import EpochBatches, in_shards
from arn_keras.training.transmit import in_batches


@pytest.fixture(scope="module", autouse=True)
def _little_to_collect():
    """Each data set has garbage collected: of what is made from here on, not all that is there."""
    gc.collect()
    gc.freeze()


def _epoch(batches, epoch):
    batches.on_epoch_begin(epoch)
    return [np.asarray(rows) for (rows,) in batches.dataset]


def test_every_source_comes_once_an_epoch_and_the_last_batch_is_what_is_left():
    batches = EpochBatches((np.arange(10),), 4, seed=1)
    parts = _epoch(batches, 0)
    assert [len(part) for part in parts] == [4, 4, 2]
    assert sorted(np.concatenate(parts)) == list(range(10))
    assert int(batches.dataset.cardinality()) == 3


def test_an_epochs_order_follows_from_seed_and_epoch_alone():
    rows = np.arange(100)
    first, second = EpochBatches((rows,), 8, seed=1), EpochBatches((rows,), 8, seed=1)
    orders = [np.concatenate(_epoch(first, epoch)) for epoch in range(3)]
    np.testing.assert_array_equal(orders[2], np.concatenate(_epoch(second, 2)))
    assert not np.array_equal(orders[0], orders[1])
    other = np.concatenate(_epoch(EpochBatches((rows,), 8, seed=2), 0))
    assert not np.array_equal(orders[0], other)


def test_rows_of_all_arrays_stay_together():
    batches = EpochBatches(({"a": np.arange(20)}, np.arange(20) * 3), 6, seed=0)
    batches.on_epoch_begin(4)
    for inputs, targets in batches.dataset:
        np.testing.assert_array_equal(3 * inputs["a"], targets)


def test_without_shuffling_the_order_is_kept():
    parts = _epoch(EpochBatches((np.arange(7),), 3, shuffle=False), 5)
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(7))


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="expected arrays of one length, got 3, 4"):
        EpochBatches((np.arange(3), np.arange(4)), 2)


def test_a_dropped_remainder_is_another_one_in_each_epoch():
    batches = EpochBatches((np.arange(10),), 4, seed=1, drop_remainder=True)
    left = [set(range(10)) - set(np.concatenate(_epoch(batches, epoch))) for epoch in range(4)]
    assert all(len(rest) == 2 for rest in left)
    assert len({frozenset(rest) for rest in left}) > 1
    assert len(_epoch(EpochBatches((np.arange(3),), 4, drop_remainder=True), 0)[0]) == 3


def test_the_shards_of_a_batch_are_all_of_it_and_each_knows_its_share():
    batch = {"a": np.arange(7), "b": np.arange(14).reshape(7, 2)}
    parts = in_shards(batch, 3)
    for name, whole in batch.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part, _ in parts]), whole)
    assert [len(part["a"]) for part, _ in parts] == [2, 2, 3]
    np.testing.assert_allclose([float(share) for _, share in parts], [2 / 7, 2 / 7, 3 / 7])


def test_arrays_too_large_for_memory_give_the_same_batches_from_disk(tmp_path, monkeypatch):
    images = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (50, 3, 2))
    images[:] = np.arange(300).reshape(50, 3, 2) % 256
    arrays = ({"a": images, "b": np.arange(50.0)}, np.arange(50))

    def epoch():
        found = EpochBatches(arrays, 8, seed=2)
        found.on_epoch_begin(3)
        return found.dataset.element_spec, list(found.dataset.as_numpy_iterator())

    spec, in_memory = epoch()
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 100)
    spec_on_disk, from_disk = epoch()
    assert spec_on_disk == spec
    for one, other in zip(in_memory, from_disk, strict=True):
        for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_a_step_gathers_is_what_the_pipeline_gathers():
    arrays = ({"a": np.arange(60, dtype=np.uint8).reshape(20, 3)}, np.arange(20) * 3)
    by_step = EpochBatches(arrays, 6, seed=3, in_step=True)
    by_pipeline = EpochBatches(arrays, 6, seed=3)
    assert by_pipeline.tables is None
    for batches in (by_step, by_pipeline):
        batches.on_epoch_begin(2)
    with by_step.filled():
        found = [by_step.tables.gather(start) for start in by_step.dataset]
    expected = list(by_pipeline.dataset)
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
            np.testing.assert_array_equal(a, b)


def test_tables_are_empty_after_training_and_serve_arrays_of_their_kind():
    first = EpochBatches((np.arange(10.0),), 5, in_step=True)
    start = next(iter(first.dataset))
    with pytest.raises(KeyboardInterrupt), first.filled():
        raise KeyboardInterrupt
    with pytest.raises(Exception, match="indices"):  # five rows of nothing
        first.tables.gather(start)
    again = EpochBatches((np.arange(20.0),), 5, in_step=True, tables=first.tables)
    assert again.tables is first.tables
    for arrays, size in [((np.arange(10),), 5), ((np.ones((10, 1)),), 5), ((np.arange(10.0),), 4)]:
        assert EpochBatches(arrays, size, in_step=True, tables=first.tables).tables is not (
            first.tables
        )


def test_rows_to_fill_go_to_a_file_without_a_name_where_they_are_too_large(tmp_path, monkeypatch):
    assert not isinstance(empty_rows((10, 2)), np.memmap)
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 79)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = empty_rows((10, 2))
    assert isinstance(rows, np.memmap)
    rows[:] = np.arange(20).reshape(10, 2)
    np.testing.assert_array_equal(rows[9], [18, 19])
    assert not list(tmp_path.iterdir())


def test_what_a_function_makes_of_batches_goes_there_too(monkeypatch):
    numbers, factors = np.arange(50).reshape(25, 2), np.arange(25)
    made = [in_batches(lambda a, b: a * b[:, None], numbers, factors, batch_size=4)]
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 399)
    made += [in_batches(lambda a, b: a * b[:, None], numbers, factors, batch_size=4)]
    assert [isinstance(each, np.memmap) for each in made] == [False, True]
    for each in made:
        assert each.dtype == numbers.dtype
        np.testing.assert_array_equal(each, numbers * factors[:, None])
    with pytest.raises(DataError, match=r"expected rows shaped \(4, 2\), got \(1, 2\)"):
        in_batches(lambda a: a[:1], numbers, batch_size=4)
