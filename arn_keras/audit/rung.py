"""A rung of the ladder: one kind of eavesdropper."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Rung:
    """One line of `audit.RUNGS` names it.

    Attributes:
        attack: (`wiretap.Wiretap`, `effort.Effort`) -> list of `effort.Finding`; or several such,
            made one after the other, each of them kept when it is done.
        about: what she does, one line for the report.
        contains: the rung whose means she has too, so that she should name no fewer labels; None
            for none.
        keyed_only: whether it is for protections with keys only.
    """

    attack: Callable | tuple[Callable, ...]
    about: str
    contains: str | None = None
    keyed_only: bool = False
