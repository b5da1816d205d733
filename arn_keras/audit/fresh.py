"""E3: an eavesdropper trained afresh on recordings of protected signals with their labels."""

from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung


def fresh(tap, effort):
    """E3: Eve's own classifier, trained afresh on protected signals with their labels."""
    attack = tap.train(
        tap.build_eve,
        effort.epochs,
        name="fresh",
        keys=tap.keys("training"),
        restarts=effort.restarts,
    )
    more = {"recordings": len(tap.signals[0]), "restarts": effort.restarts}
    return [Finding("fresh", attack.logits, attack.curve, more=more)]


RUNG = Rung(fresh, "fresh Eve, trained on protected signals", contains="E0")
