"""What black and white are among pictures of a user's own: nobody says it, their values do."""

import math

#: Ends that are usual: floats of either kind, and 8 bits as they are.
USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
#: By how much of their extent values may be beyond: a resize leaves such.
_BEYOND = 0.01
_AT_ONCE = 1000


def ends_in(dataset):
    """(black, white) of a set's pictures: those of all that Bob is to recover in the test.

    Args:
        dataset: `data.dataset.Dataset`.

    Returns:
        See `ends_of`.
    """
    import numpy as np

    least, most, test = math.inf, -math.inf, dataset.test
    if dataset.preprocessing == "unit_interval" and test.target is None:
        return USUAL[0]
    for start in range(0, len(test), _AT_ONCE):
        pictures = dataset.targets(test.part(slice(start, start + _AT_ONCE)))
        least, most = min(least, float(np.min(pictures))), max(most, float(np.max(pictures)))
    return ends_of(least, most)


def ends_of(least, most):
    """(black, white) of pictures whose values go from `least` to `most`.

    Args:
        least, most: of all of them.

    Returns:
        The first of the `USUAL` ends that they fill by more than half and hardly leave; those
        values themselves if there are none.
    """
    for low, high in USUAL:
        beyond = _BEYOND * (high - low)
        inside = low - beyond <= least and most <= high + beyond
        if inside and (high <= 1 or most > high / 2):
            return low, high
    return float(least), max(float(most), float(least) + 1e-6)
