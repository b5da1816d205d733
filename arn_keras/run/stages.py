"""The stages of Algorithm 1: what each is trained from, and what it leaves.

"link", an eavesdropper's by her name in `eve.EVES`, "arn/white", "arn/black", and "modules/NAME" of
a protection that trains modules of its own.
"""

import numpy as np

from arn_keras.errors import ConfigError, DataError
from arn_keras.pair import PROTECTIONS
from arn_keras.rooms import answer
from arn_keras.run import given
from arn_keras.task import TASKS
from arn_keras.training import TRAINERS, algorithm_1
from arn_keras.training.privacy import Privacy
from arn_keras.training.transmit import transmit

LINK = "link"
ARN = "arn"
MODULES = "modules"
PAIR = ("transmitter", "receiver")
CLASSIFIER = ("classifier",)


def names(stage):
    """Names of a stage's models."""
    return PAIR if stage.partition("/")[0] in (LINK, ARN, MODULES) else CLASSIFIER


def sources(config, stage):
    """Names of the stages that a stage is made from."""
    kind, _, which = stage.partition("/")
    if kind == ARN:
        return LINK, *config.problem.in_loss(which, config.black_box)
    return () if kind == LINK else (LINK,)


def train(problem, stage, checkpoint_dir):
    """Trains the models of a stage, or takes those that are given: {name: Keras model}.

    Args:
        problem: `problem.Problem`.
        stage: its name.
        checkpoint_dir: where the state after each epoch is kept; None for nowhere.
    """
    how = {
        "snr_db": problem.config.snr_db,
        "seed": problem.config.seed,
        "checkpoint_dir": checkpoint_dir,
    }
    kind, _, which = stage.partition("/")
    files = problem.scenario.given().get(stage)
    if files:
        models = given.load(files)
        check(problem, stage, models)
        return models
    if kind == LINK:
        return _train_link(problem, how)
    if kind == ARN:
        privacy = Privacy(which, problem.config.black_box, problem.config.privacy_loss)
        link = problem.pair_link(privacy)
        problem.train_pair(link, stage, psr_db=problem.config.psr_db, **how)
        return problem.trained_modules(link)
    if kind == MODULES:
        return answer(TRAINERS, which)(
            problem.receiver,
            problem.signals,
            np.asarray(problem.dataset.targets(problem.dataset.train)),
            problem.schedule(stage),
            channel=problem.channels["bob_channel"],
            **how,
        )
    return {"classifier": problem.train_classifier(stage, problem.signals, **how)}


def check_untrained(problem):
    """Builds link and ARNs, or looks at the link that is given, and throws them away: what does
    not fit is refused before there is a run directory.

    Raises:
        ConfigError: for a link that the data, or a block that the link's signals do not fit.
        DataError: for training labels that are all the same.
        ModelError: for models that are given and cannot be used.
    """
    if len(np.unique(problem.dataset.train.label)) < 2:
        raise DataError(f"{problem.dataset.name}: expected two or more labels, got one")
    files = dict(problem.scenario.given())
    if link := files.pop(LINK, None):
        models = given.load(link)
        transmitter = models["transmitter"]
        problem.scenario.check_link(models, problem.dataset)
        signal = given.check_link(models, problem.dataset, problem.scenario.pauses)
        for stage, eve in files.items():
            given.check_classifier(stage, given.load(eve), signal, problem.dataset.classes)
    else:
        transmitter, _ = problem.scenario.build_link(problem.dataset)
    if not answer(PROTECTIONS, problem.config.protection).arns:
        return
    try:
        problem.modules(transmitter.output_shape[1:])
    except ConfigError as error:
        block = problem.config.block or problem.scenario.block
        raise ConfigError(f"--block {block}: {error}") from None


def check(problem, stage, models):
    """Refuses models, which may be a stranger's, that the data or the link do not fit.

    Args:
        problem: `problem.Problem`.
        stage: whose models they are.
        models: {name: Keras model}.

    Raises:
        ModelError: with what was expected and what is there.
    """
    if stage == LINK:
        given.check_link(models, problem.dataset, problem.scenario.pauses)
        return
    few = problem.transmit(problem.dataset.test.part(slice(100)))
    if names(stage) == PAIR:
        given.check_modules(stage, models, few)
    else:
        given.check_classifier(stage, models, few, problem.dataset.classes)


def _train_link(problem, how):
    first = problem.scenario.link_task
    dataset, task = problem.dataset, problem.task
    if first is not None:
        dataset, task = dataset.without_target(), answer(TASKS, first)
    if not problem.scenario.trains_link:
        return dict(zip(PAIR, problem.scenario.build_link(dataset), strict=True))
    link = algorithm_1.train_link(
        lambda: problem.scenario.build_link(dataset),
        problem.scenario.link_data(dataset),
        problem.schedule(LINK),
        loss=task.link_loss,
        channel=problem.channels["bob_channel"],
        **how,
    )
    if first is None:
        return {"transmitter": link.transmitter, "receiver": link.receiver}
    return {
        "transmitter": link.transmitter,
        "receiver": _train_receiver(problem, link.transmitter, how),
    }


def _train_receiver(problem, transmitter, how):
    """Bob's receiver of a label, behind a transmitter that was trained for something else."""
    folder = how["checkpoint_dir"]
    targets = np.asarray(problem.dataset.train.target)
    return algorithm_1.train_eavesdropper(
        "receiver",
        problem.scenario.build_label_receiver,
        transmit(transmitter, problem.dataset.train.source, problem.dataset.prepare),
        targets,
        1 + int(targets.max()),
        problem.schedule(LINK),
        channel=problem.channels["bob_channel"],
        **{**how, "checkpoint_dir": folder and folder.with_name("checkpoint_receiver")},
    )
