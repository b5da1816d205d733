"""What black and white are among pictures of a user's own: nobody says it, their values do."""

#: Ends that are usual: floats of either kind, and 8 bits as they are.
USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
#: By how much of their extent values may be beyond: a resize leaves such.
_BEYOND = 0.01


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
