"""The page's eavesdroppers: the frozen one, and for each protection one who learnt from it.

The second is the audit's rung E3: Eve's own classifier, trained afresh on labelled recordings of
protected signals, a fresh key for each message. She is kept in the run directory, `retrained/`.
"""

import dataclasses
from typing import Any

from arn_keras.audit.attack import predict
from arn_keras.audit.bob import bob
from arn_keras.audit.wiretap import Wiretap
from arn_keras.measure.leakage import accuracy
from arn_keras.pair.chain import protection

#: What the page shows side by side.
PROTECTIONS = ("none", "arn", "keyed")
EPOCHS = 4


@dataclasses.dataclass(frozen=True)
class Overheard:
    """One protection, and who listens to it.

    Attributes:
        protection: `pair.chain.Protection`.
        eves: classifiers: the frozen ones, {"frozen", "frozen_2", ...}, and "retrained"; without
            a protection she is the first.
        measured: on all test sources: the first of the task's measures, `perturbation_power`, and
            the accuracy of each Eve under her name.
    """

    protection: Any
    eves: dict
    measured: dict


def overhear(directory, models, problem, *, snr_db, psr_db, seed, pair, epochs=EPOCHS):
    """Trains, or loads, who listens to each protection, and measures them.

    Args:
        directory: `RunDirectory` that the retrained Eves are kept in.
        models: `contents.Models`.
        problem: `run.problem.Problem`.
        snr_db, psr_db: of the link and of the pair, in dB.
        seed: integer.
        pair: identity of the pair, so that another pair's Eve is not taken for this one's.
        epochs: passes over the training sources.

    Returns:
        {name of the protection: `Overheard`}.
    """
    signals = problem.signals, problem.transmit(problem.dataset.test)
    rotation, found = problem.rotation, {}
    learnt = {"arn": f"arn-{pair[:12]}", "keyed": f"keyed-{rotation.name.replace(' ', '-')}"}
    measure = problem.task.measures[0].field
    for name in PROTECTIONS:
        tap = Wiretap(
            problem,
            signals,
            snr_db=snr_db,
            psr_db=psr_db,
            protection=protection(name, models.pair, rotation),
            seed=seed,
        )
        eves = {**models.eves, "retrained": models.eves["frozen"]}
        if tap.protected:
            eves["retrained"] = _retrained(directory, f"retrained/{learnt[name]}", tap, epochs)
        heard = tap.test()
        measured = bob(tap)
        found[name] = Overheard(
            tap.protection,
            eves,
            {
                measure: measured[measure],
                "perturbation_power": measured["perturbation_power"],
                **{
                    eve: accuracy(predict(classifier, heard), tap.labels[1])
                    for eve, classifier in eves.items()
                },
            },
        )
    return found


def _retrained(directory, stage, tap, epochs):
    if not directory.done(stage):
        directory.begin(stage)
        attack = tap.train(tap.build_eve, epochs, name="fresh", keys=tap.keys("training"))
        attack.classifier.save(directory.partial(stage) / "classifier.keras")
        directory.finish(stage)
    (classifier,) = directory.load_models(stage, "classifier")
    return classifier
