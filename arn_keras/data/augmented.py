"""More training pictures out of those that are there: shifted, and mirrored left to right.

As CIFAR's classifiers are trained since Krizhevsky (2012). An eavesdropper learns less by heart.
"""

import dataclasses

import numpy as np

#: Pixels of a shift in each direction, at most; what comes in repeats the border.
MOST_SHIFT = 3


def with_variants(split, copies, seed=0):
    """A split with further copies of each picture, each shifted, every other one mirrored.

    Args:
        split: `data.dataset.Split` of pictures [n, h, w, c].
        copies: further ones of each picture.
        seed: of the shifts.

    Returns:
        Split of (1 + copies) n pictures, the given ones first, each to be recovered as it is.
    """
    draw, padded = np.random.default_rng(seed), [(0, 0), *2 * [(MOST_SHIFT, MOST_SHIFT)], (0, 0)]
    pictures = np.asarray(split.source)
    count, height, width, _ = pictures.shape
    made = np.empty(((1 + copies) * count, *pictures.shape[1:]), pictures.dtype)
    made[:count] = pictures
    wide = np.pad(pictures, padded, "edge")
    for copy in range(1, 1 + copies):
        rows, columns = draw.integers(0, 2 * MOST_SHIFT + 1, (2, count))
        for shift in np.ndindex(2 * MOST_SHIFT + 1, 2 * MOST_SHIFT + 1):
            (those,) = np.nonzero((rows == shift[0]) & (columns == shift[1]))
            window = wide[those, shift[0] : shift[0] + height, shift[1] : shift[1] + width]
            made[copy * count + those] = window[:, :, ::-1] if copy % 2 else window
    labels = np.tile(split.label, 1 + copies)
    return dataclasses.replace(split, source=made, label=labels)
