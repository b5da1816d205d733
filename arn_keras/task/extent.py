"""What black and white are among pictures of a user's own: nobody says it, their values do."""

import math

#: Ends that are usual: floats, and 8 bits as they are.
USUAL = ((0.0, 1.0), (-0.5, 0.5), (-1.0, 1.0), (0.0, 255.0))
#: By how much of white values may be beyond either end: a resize leaves such.
_BEYOND = 0.1
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


def brightness(pictures, ends):
    """Pictures from black, 0, to white, 1; what is beyond is cut off.

    Args:
        pictures: an array.
        ends: (black, white).
    """
    import numpy as np

    low, high = ends
    return np.clip((np.asarray(pictures) - low) / (high - low), 0, 1)


def ends_of(least, most):
    """(black, white) of pictures whose values go from `least` to `most`.

    Args:
        least, most: of all of them.

    Returns:
        The first of the `USUAL` ends that they hardly leave, and go halfway to (0 to 1 is there
        for dark pictures, too); those values themselves if there are none.
    """
    for low, high in USUAL:
        beyond = _BEYOND * min(high, most) if low == 0 else _BEYOND * high
        inside = low - beyond <= least and most <= (1 + _BEYOND) * high
        reached = (low == 0 or least <= low / 2) and ((low, high) == USUAL[0] or most > high / 2)
        if inside and reached:
            return low, high
    return float(least), max(float(most), float(least) + 1e-6)
