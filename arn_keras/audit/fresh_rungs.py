"""The eavesdroppers E3, E4, E6, E7: they learn from recordings of protected signals with labels.

Each is a function of a `wiretap.Wiretap` and an `effort.Effort`, and gives findings: what an Eve
says of the test sources.
"""

import functools

import numpy as np
import tensorflow as tf

from arn_keras.audit.effort import Finding
from arn_keras.audit.frozen_rungs import clean_larger


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


def averaged(tap, effort):
    """E6: a fresh Eve with N looks at each message, N antennas: their mean has N times the SNR."""
    found = []
    for looks in effort.looks:
        attack = tap.train(
            tap.build_eve,
            effort.epochs,
            name=f"{looks} looks",
            keys=tap.keys("training"),
            snr_db=tap.snr_db + 10 * float(np.log10(looks)),
        )
        found.append(Finding("fresh", attack.logits, attack.curve, more={"looks": looks}))
    return found


def simple(tap, effort):
    """E7: an Eve who hears nothing but the power, and one who looks up the nearest recordings."""
    count = min(len(tap.signals[0]), max(effort.neighbours, 20000))
    known = tap.overhear(tap.signals[0][:count], tap.keys("recorded"), purpose="recorded")
    heard, labels = tap.test(), tap.labels[0][:count]
    return [
        Finding("norm only", by_power(known, labels, heard, tap.classes)),
        Finding("nearest neighbours", _nearest(known, labels, heard, tap.classes, effort)),
    ]


def by_power(known, labels, heard, classes, bins=50):
    """Log-posterior of the label given the bin of the received power, from recordings."""
    powers, power = (np.mean(np.square(x.reshape(len(x), -1)), axis=1) for x in (known, heard))
    edges = np.quantile(powers, np.linspace(0, 1, min(bins, max(2, len(known) // 100)) + 1)[1:-1])
    prior = np.bincount(labels, minlength=classes) / len(labels)
    counts = np.zeros((len(edges) + 1, classes)) + classes * prior
    np.add.at(counts, (np.digitize(powers, edges), labels), 1)
    share = counts[np.digitize(power, edges)] + 1e-9
    return np.log(share / share.sum(axis=1, keepdims=True))


def _nearest(known, labels, heard, classes, effort, neighbours=10):
    from sklearn import config_context
    from sklearn.neighbors import KNeighborsClassifier

    known, labels = known[: effort.neighbours], labels[: effort.neighbours]
    model = KNeighborsClassifier(min(neighbours, len(known)), algorithm="brute")
    model.fit(known.reshape(len(known), -1), labels)
    share = np.full((len(heard), classes), 1e-9)
    with config_context(working_memory=128):  # MiB of distances at a time; 1024 by default
        share[:, model.classes_] += model.predict_proba(heard.reshape(len(heard), -1))
    return np.log(share + 0.1 / neighbours)


def planted_norm(tap, effort):
    """The norm-only Eve where the amplitude tells the label: 0.8 for the first to 1.2 for the last.

    A self-check: she must find this.
    """
    gains = [0.8 + 0.4 * labels / (tap.classes - 1) for labels in tap.labels]
    heard = [
        tap.overhear(
            (z * gain.reshape(-1, *(1,) * len(tap.shape))).astype(np.float32), purpose=purpose
        )
        for z, gain, purpose in zip(tap.signals, gains, ("recorded", "test"), strict=True)
    ]
    return [Finding("norm only", by_power(heard[0], tap.labels[0], heard[1], tap.classes))]
