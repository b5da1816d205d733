"""The means over an epoch of what each step reports: the terms of its loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops


class RunningMeans(keras.metrics.Metric):
    """Means of scalars by name, each weighted by the sources that it is of.

    `keras.metrics.Mean` makes thirty operations of each scalar, which a step as small as the ARNs'
    feels; here all of them are one vector.

    Args:
        names: of the scalars.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(name="means")
        self._names = tuple(names)
        self.total = self.add_variable((len(self._names),), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Mapping[str, Any], sources: Any) -> None:
        """Counts a step's scalars, as many as there are names, as those of so many sources."""
        weight = ops.cast(sources, self.dtype)
        values = ops.stack([ops.cast(values[name], self.dtype) for name in self._names])
        self.total.assign_add(values * weight)
        self.count.assign_add(weight)

    def result(self) -> dict[str, Any]:
        """The means so far by name; 0 before there is any."""
        means = ops.divide_no_nan(self.total, self.count)
        return dict(zip(self._names, ops.unstack(means), strict=True))
