"""Least squares with fewer messages than symbols, and with more: one formula, two ways."""

import numpy as np
import pytest

from arn_keras.audit.keys import mapped_back


@pytest.mark.parametrize("messages", [3, 19, 20, 60])
def test_both_ways_are_the_ridge_regression(messages):
    rng = np.random.default_rng(messages)
    known, plain = rng.normal(size=(2, messages, 20))
    heard = rng.normal(size=(7, 20))
    # Ridge regression is ordinary least squares with rows of sqrt(ridge) I below.
    rows = np.vstack([known, np.sqrt(0.1 * messages) * np.eye(20)])
    weights, *_ = np.linalg.lstsq(rows, np.vstack([plain, np.zeros((20, 20))]), rcond=None)
    np.testing.assert_allclose(mapped_back(known, plain, heard, 0.1), heard @ weights, atol=1e-5)
