import numpy as np

from arn_keras.data.augmented import MOST_SHIFT, with_variants
from arn_keras.data.dataset import Split


def test_every_copy_is_a_shift_of_its_picture_every_other_one_mirrored():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (40, 12, 10, 3), np.uint8)
    labels = rng.integers(0, 10, 40)
    made = with_variants(Split(pictures, labels), copies=3, seed=1)
    assert made.source.dtype == np.uint8
    np.testing.assert_array_equal(made.label, np.tile(labels, 4))
    np.testing.assert_array_equal(made.source[:40], pictures)
    shifts = set()
    for copy in (1, 2, 3):
        for picture, found in zip(pictures, made.source[40 * copy :], strict=False):
            found = found[:, ::-1] if copy % 2 else found
            shifts.add(_shift(picture, found))
    assert len(shifts) > 40  # of 49: all kinds
    again = with_variants(Split(pictures, labels), copies=3, seed=1)
    np.testing.assert_array_equal(again.source, made.source)


def _shift(picture, found):
    """By how much the one is the other, moved, its border repeated; fails if it is not."""
    height, width, _ = picture.shape
    span = range(-MOST_SHIFT, MOST_SHIFT + 1)
    for down in span:
        for right in span:
            rows = np.clip(np.arange(height) + down, 0, height - 1)
            columns = np.clip(np.arange(width) + right, 0, width - 1)
            if np.array_equal(picture[rows][:, columns], found):
                return down, right
    raise AssertionError("expected a shifted picture")
