"""Recovery of numbers that are no picture: L2 = mean((s - s_hat)^2), Eq. (21)."""

from arn_keras.power import mean_power
from arn_keras.task.task import Measure, Task


class Signal(Task):
    """Bob is to recover real numbers, of any shape."""

    measures = (Measure("mse", "Bob MSE", ".5f", better="lower", log=True),)
    blind_field = "mse_mean_source"

    @property
    def task_loss(self):
        """The mean squared error of Eq. (21)."""
        from arn_keras.loss.composite import mean_squared_error

        return mean_squared_error

    def blind(self, targets, count):
        """The mean source."""
        import numpy as np

        mean = np.mean(targets, axis=0)
        return np.broadcast_to(mean, (count, *mean.shape))

    def meter(self):
        """A new `SquaredErrorMeter`."""
        return SquaredErrorMeter()


class SquaredErrorMeter:
    """Mean squared error of estimates."""

    def __init__(self):
        self._total = 0.0

    def add(self, target, estimate):
        """Adds a batch: targets and estimates, arrays or tensors, [batch, ...]."""
        import numpy as np

        self._total += float(np.sum(mean_power(target - estimate), dtype=float))

    def fields(self, sources):
        """The row's fields over so many sources."""
        return {"mse": self._total / sources}


SIGNAL = Signal()
