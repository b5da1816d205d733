"""What each protection consists of: a public part, which Eve has too, and a keyed one."""

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Means:
    """The parts of a protection, in the order from the transmitter to the air.

    Attributes:
        arns: whether it has the pair of ARNs, which Algorithm 1 trains.
        build: signal shape -> (Alice's module, Bob's module), another public part, which nothing
            trains; None for none.
        keyed: whether a keyed rotation follows.
        trained: name in `training.TRAINERS` of who trains its public part, modules of its own;
            None for nobody.
        tasks: names in `task.TASKS` that it is for; none for all.
    """

    arns: bool = False
    build: Callable[[tuple[int, ...]], tuple[Any, Any]] | None = None
    keyed: bool = False
    trained: str | None = None
    tasks: tuple[str, ...] = ()

    @property
    def has_public(self):
        """Whether it has modules that Eve has too."""
        return self.arns or self.build is not None or self.trained is not None

    @property
    def any(self):
        """Whether there is any protection."""
        return self.has_public or self.keyed

    def stage(self, knowledge):
        """Where a run directory keeps the public modules; None for none."""
        if self.arns:
            return f"arn/{knowledge}"
        if self.trained:
            return f"modules/{self.trained}"
        return "modules" if self.build else None


NONE = Means()
ARN = Means(arns=True)
KEYED = Means(keyed=True)
ARN_KEYED = Means(arns=True, keyed=True)
PURGE = Means(trained="purge", tasks=("label",))
