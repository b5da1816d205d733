"""E4: larger eavesdroppers trained afresh, their ensemble, and one with fewer recordings."""

import functools

import numpy as np
import tensorflow as tf

from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung
from arn_keras.audit.unseen import clean_larger


def larger(tap, effort):
    """E4: fresh larger Eves, their ensemble, and one with fewer labelled recordings."""
    found, everything = [], len(tap.signals[0])
    for name in tap.scenario.larger[: effort.larger]:
        if tap.protected:
            attack = tap.train(
                functools.partial(tap.build, name),
                effort.larger_epochs,
                name=name,
                keys=tap.keys("training"),
            )
        else:
            attack = clean_larger(tap, effort, name)
        more = {"recordings": everything}
        found.append(Finding(name, attack.logits, attack.curve, more=more))
    if len(found) > 1:
        shares = [tf.nn.softmax(each.logits).numpy() for each in found]
        logits = np.log(np.mean(shares, axis=0) + 1e-9)
        found.append(Finding("ensemble", logits, more={"recordings": everything}))
    for recordings in effort.recordings:
        if recordings < everything:
            attack = tap.train(
                tap.build_eve,
                effort.epochs,
                name=f"recordings {recordings}",
                keys=tap.keys("training"),
                recordings=recordings,
            )
            more = {"recordings": recordings}
            found.append(Finding("fewer recordings", attack.logits, attack.curve, more=more))
    return found


RUNG = Rung(larger, "fresh larger Eves and their ensemble", contains="E3")
