"""E1: frozen eavesdroppers of other architectures than the protection was trained against."""

import functools

from arn_keras.audit.attack import predict
from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung


def unseen(tap, effort):
    """E1: frozen Eves of architectures that the protection was not trained against."""
    heard = tap.test()
    return [
        Finding(f"frozen {name}", predict(clean_larger(tap, effort, name).classifier, heard))
        for name in tap.scenario.larger[: effort.larger]
    ]


def clean_larger(tap, effort, name):
    """A larger Eve trained on unprotected signals."""
    build = functools.partial(tap.build, name)
    return tap.trained_on_unprotected(build, effort.larger_epochs, name=name)


RUNG = Rung(unseen, "unseen frozen Eves")
