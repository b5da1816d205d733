"""The mean over an epoch of a number that each step has: of a term of its loss."""

from typing import Any

import keras
from keras import ops


class RunningMean(keras.metrics.Mean):
    """`keras.metrics.Mean` of scalars: Keras's makes thirty operations of each, to find its shape.

    A step as small as the ARNs' feels that.
    """

    def update_state(self, values: Any, sample_weight: Any) -> None:
        """Counts a scalar as that of so many sources, `sample_weight`."""
        weight = ops.cast(sample_weight, self.dtype)
        self.total.assign_add(ops.cast(values, self.dtype) * weight)
        self.count.assign_add(weight)
