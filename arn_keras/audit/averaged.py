"""E6: an eavesdropper with many looks at each message."""

from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung
from arn_keras.power import ratio_to_db


def averaged(tap, effort):
    """E6: a fresh Eve with N looks at each message, N antennas: their mean has N times the SNR."""
    found = []
    for looks in effort.looks:
        attack = tap.train(
            tap.build_eve,
            effort.epochs,
            name=f"{looks} looks",
            keys=tap.keys("training"),
            snr_db=tap.snr_db + ratio_to_db(looks),
        )
        found.append(Finding("fresh", attack.logits, attack.curve, more={"looks": looks}))
    return found


RUNG = Rung(averaged, "averaging many looks", contains="E3")
