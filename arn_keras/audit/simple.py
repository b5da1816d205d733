"""E7: eavesdroppers without a network: power alone, and the nearest recordings."""

import numpy as np

from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung


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


RUNG = Rung(simple, "power only; nearest neighbours")
