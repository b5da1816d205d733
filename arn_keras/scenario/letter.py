"""The letter's problem: pictures over its dense link, the label is what Eve wants (Section V)."""

import dataclasses

from arn_keras.scenario.scenario import Scenario


@dataclasses.dataclass(frozen=True)
class Letter(Scenario):
    """The letter's own: everything is as `Scenario` has it."""

    about = "the letter's: pictures over a fully connected link"
