"""New weights from a seed, in a process whose own random numbers go on as if nothing had been."""

import contextlib
import random

import keras
import numpy as np


@contextlib.contextmanager
def seeded(seed):
    """Context of a process seeded for Keras; Python's and NumPy's generators are the caller's
    again afterwards, who may draw the order of his folds from them.

    Args:
        seed: integer.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
