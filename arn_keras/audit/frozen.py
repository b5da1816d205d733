"""E0: the letter's eavesdropper, who does not learn of the protection."""

from arn_keras.audit.attack import predict
from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung


def frozen(tap, effort):
    """E0: the letter's Eve, trained before there was a protection."""
    return [Finding("frozen", predict(tap.eavesdropper, tap.test()))]


RUNG = Rung(frozen, "the letter's Eve, frozen")
