"""Whole arrays that a link is given, function by function: what they are, split, and weighted."""

import numpy as np
import pytest
import tensorflow as tf

from arn_keras.errors import ConfigError, DataError
from arn_keras.training.arrays import as_arrays, is_numpy, split_off, validation, weighted

ROWS = np.arange(20.0, dtype="float32").reshape(10, 2)
LABELS = np.arange(10) % 3


def test_a_list_of_one_array_is_that_array_and_of_several_a_tuple():
    np.testing.assert_array_equal(as_arrays([ROWS]), ROWS)
    found = as_arrays([ROWS, LABELS])
    assert isinstance(found, tuple)
    np.testing.assert_array_equal(found[0], ROWS)
    np.testing.assert_array_equal(found[1], LABELS)
    assert as_arrays({"label": None})["label"] is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[1.0, float("nan")], [2.0, 3.0]], "expected finite sources"),
        ([[1.0], [2.0, 3.0]], "expected lists of one length"),
        (np.ma.masked_less(ROWS, 3.0), "got a masked array: fill it"),
        ([1.0, None], "expected lists of one length|expected arrays of numbers"),
        ([], r"expected at least one source, got \[\]"),
        ({}, "expected at least one source, got {}"),
        (np.zeros((10, 0)), r"expected at least one source, got an array of shape \(10, 0\)"),
        (np.zeros(3, "V8"), r"expected arrays of numbers, got \|V8"),
        (np.array([1.0, 1e300]), "expected finite sources"),  # infinity in float32
        (np.array([1.0, -1e39]), "expected finite sources"),
    ],
)
def test_what_lists_and_masks_hide_is_told(given, message):
    with pytest.raises(DataError, match=message):
        as_arrays(given)


def test_bits_and_halves_of_every_kind_are_numbers():
    np.testing.assert_array_equal(as_arrays(list(LABELS > 0)), LABELS > 0)
    np.testing.assert_array_equal(as_arrays(tf.constant(ROWS, "bfloat16")), ROWS)
    np.testing.assert_array_equal(as_arrays(ROWS.astype("float16")), ROWS)
    assert as_arrays(np.array([3.4e38])) == 3.4e38


def test_only_numpys_own_arrays_are_taken_for_numpys():
    assert is_numpy((ROWS, {"label": LABELS}, None))
    assert not is_numpy((ROWS, tf.sparse.from_dense(ROWS)))
    assert not is_numpy((None, None))


def test_validation_data_are_a_tuple_of_up_to_three_arrays_or_sources_alone():
    for count in (1, 2, 3):
        found = validation([ROWS, LABELS, np.ones(10)][:count])
        assert isinstance(found, tuple)
        assert len(found) == count
    lists = validation([ROWS.tolist(), LABELS.tolist(), [1.0] * 10])  # no three rows of one array
    for one, other in zip(lists, (ROWS, LABELS, np.ones(10)), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(validation(ROWS), ROWS)
    assert len(validation((ROWS,) * 4)) == 4  # sources of four inputs
    with pytest.raises(DataError, match="expected sources, got none"):
        validation((None, LABELS))
    with pytest.raises(DataError, match="expected arrays of one length, got 10, 9"):
        validation((ROWS, LABELS[1:]))


@pytest.mark.parametrize(
    ("share", "first"), [(0.25, 7), (np.float32(0.25), 7), (0.2, 8), (0.89, 1)]
)
def test_what_is_split_off_is_the_last_share_of_every_array(share, first):
    train, test = split_off((ROWS, {"label": LABELS}, None), share)
    for part, rows in ((train, slice(None, first)), (test, slice(first, None))):
        np.testing.assert_array_equal(part[0], ROWS[rows])
        np.testing.assert_array_equal(part[1]["label"], LABELS[rows])
        assert part[2] is None


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 0.95, "0.2", None])
def test_a_share_that_leaves_one_side_without_sources_is_refused(share):
    with pytest.raises(ConfigError, match="expected a validation_split of 10 sources, got"):
        split_off((ROWS, LABELS), share)


def test_a_class_without_a_weight_counts_as_one():
    found, left = weighted(LABELS, None, {0: 0.5, 2: np.float32(3.0)})
    np.testing.assert_allclose(found, np.choose(LABELS, (0.5, 1.0, 3.0)))
    assert left is None
    ones = np.ones((10, 1), int)  # a column of labels, no one-hot ones of a single class
    np.testing.assert_allclose(weighted(ones, None, {0: 0.5, 1: 3.0})[0], 3.0)
    given = {"label": LABELS}
    assert weighted(given, None, {0: 2.0}) == (None, {0: 2.0})  # refused where it belongs to
    assert weighted(None, None, None) == (None, None)


@pytest.mark.parametrize(
    ("y", "weights", "of_classes", "message"),
    [
        (LABELS, np.where(LABELS == 1, -0.5, 1.0), None, "expected weights >= 0, got -0.5"),
        (LABELS, None, {0: -0.5}, "expected weights >= 0, got -0.5"),
        (LABELS, np.ones(10), {0: 1.0}, "expected class_weight or sample_weight, got both"),
        (None, np.ones(10), None, "expected targets beside weights"),
        (None, None, {0: 1.0}, "expected targets beside weights"),
        (LABELS, None, {"0": 1.0}, "expected class_weight as {class number: weight}"),
        (LABELS, None, [1.0, 2.0, 3.0], "expected class_weight as {class number: weight}"),
        (LABELS, None, {-1: 1.0}, "expected class_weight of classes from 0 on, got -1"),
        (LABELS, {"a": np.ones(10)}, None, "expected sample_weight as numbers, one a source, got"),
        (LABELS, np.array(["a"] * 10, object), None, "as numbers, one a source, got object"),
    ],
)
def test_weights_that_would_be_dropped_or_reverse_a_lesson_are_refused(
    y, weights, of_classes, message
):
    with pytest.raises(ConfigError, match=message):
        weighted(y, weights, of_classes)
    with pytest.raises(DataError, match="expected arrays of one length, got 10, 9"):
        weighted(LABELS, np.ones(9), None)


def test_weights_of_zero_are_taken():
    assert weighted(LABELS, np.zeros(10), None)[0].sum() == 0.0
