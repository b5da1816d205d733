"""A step that is given batches as its link takes them, never what stands for one."""

import contextvars
import functools

from arn_keras.training.batches import Start

_in_step = contextvars.ContextVar("in_step", default=False)


def given_batches(step):
    """Wraps `train_step` or `test_step` of a `NoisyLink`, also one of a subclass."""

    @functools.wraps(step)
    def with_batches(self, data):
        if _in_step.get():  # of a subclass, which calls this one with its batch
            return step(self, data)
        token = _in_step.set(True)
        try:
            gathered = isinstance(data, Start)  # from arrays that were looked at as a whole
            data = self._tables.gather(data) if gathered else data
            with self.tracing():
                return step(self, self.prepared(data, looked_at=gathered))
        finally:
            _in_step.reset(token)

    return with_batches
