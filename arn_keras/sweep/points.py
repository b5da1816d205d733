"""One task of a sweep, as a worker runs it: arrays and files of models in, files and rows out.

A worker touches no file of the sweep, so it may run on any machine. It keeps what tasks share: the
arrays, the frozen models, and one compiled `SecureLink` for each kind of loss, which serves all its
points: SNR, budget, weights of the loss, seed and every weight are variables of the one trace.
"""

import functools
import os
import pathlib
import tempfile

import numpy as np

from arn_keras.backend import load_tensorflow
from arn_keras.eve import EVE_STAGES
from arn_keras.sweep import grid
from arn_keras.training.privacy import Privacy

_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def train_stage(data, models, config, stage):
    """Trains a base stage: the link, Eve, a substitute.

    Args:
        data: handle of a `data.images.Dataset` (`engines`).
        models: handle of {stage: {name: bytes of a .keras file}}; the stages it builds on.
        config: resolved `run.config.Config`: seed, SNR in dB of these stages, schedules.
        stage: "link", or one of `algorithm_1.BUILD_CLASSIFIER`.

    Returns:
        {name: bytes of a .keras file}.
    """
    worker = _worker()
    from arn_keras.training import algorithm_1

    how = {"snr_db": config.snr_db, "seed": config.seed, "checkpoint_dir": None}
    train = worker.dataset(data).train
    if stage == "link":
        schedule = schedule_of(config, config.link_epochs)
        link = algorithm_1.train_link(train.images, schedule, **how)
        return _to_bytes({"transmitter": link.transmitter, "receiver": link.receiver})
    classifier = algorithm_1.train_eavesdropper(
        stage,
        worker.base(data, models).signals,
        train.labels,
        worker.dataset(data).classes,
        schedule_of(config, config.eve_epochs),
        **how,
    )
    return _to_bytes({"classifier": classifier})


def run_point(data, models, config, point, measured, pair):
    """Trains the pair of a point where it is not there yet, and measures its rows.

    Args:
        data, models, config: as for `train_stage`.
        point: `grid.Point`.
        measured: what to measure, [(case, eve, snr_db), ...].
        pair: {name: bytes} if it is trained already, else None.

    Returns:
        (files of the pair or None for the plain link, rows).
    """
    base = _worker().base(data, models)
    if point.knowledge is None:
        return None, _measure(base, config, point, measured, None)
    if pair is None:
        link = _worker().trained(base, config, point)
        pair = _to_bytes({"transmitter": link.transmitter_arn, "receiver": link.receiver_arn})
    modules = tuple(_from_bytes(pair[name]) for name in ("transmitter", "receiver"))
    return pair, _measure(base, config, point, measured, modules)


def fgsm_example(data, models, config, psr_db):
    """Arrays of the letter's Fig. 1, for `figures.fgsm_picture`.

    The image's classifier is trained here, on images with a little noise; the signal's is Eve's.

    Args:
        data, models, config: as for `train_stage`.
        psr_db: P of Eq. (3) in dB, relative to the power of what is attacked.
    """
    worker = _worker()
    from arn_keras.measure.fgsm import fgsm_example as example
    from arn_keras.training import algorithm_1
    from arn_keras.training.transmit import transmit

    base, dataset = worker.base(data, models), worker.dataset(data)
    classifier = algorithm_1.train_eavesdropper(
        "eve",
        dataset.train.sources(),
        dataset.train.labels,
        dataset.classes,
        schedule_of(config, config.eve_epochs),
        snr_db=20.0,
        seed=config.seed,
        checkpoint_dir=None,
    )
    images, labels = dataset.test.sources(0, 100), np.asarray(dataset.test.labels[:100])
    signals = transmit(base.transmitter, images)
    image, signal = (
        example(model, inputs, labels, psr_db)
        for model, inputs in ((classifier, images), (base["eve"], signals))
    )
    return {f"image_{n}": a for n, a in image.items()} | {
        f"signal_{n}": a for n, a in signal.items()
    }


def schedule_of(config, epochs, jit_compile=False):
    """The `algorithm_1.Schedule` of a stage of this many epochs; XLA pays for pairs alone."""
    from arn_keras.training import algorithm_1

    return algorithm_1.Schedule(
        epochs=epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        jit_compile=jit_compile,
    )


def _measure(base, config, point, measured, modules):
    from arn_keras.measure import evaluation
    from arn_keras.measure.baselines import FastGradientSign, RandomNoise
    from arn_keras.training import algorithm_1

    seed = algorithm_1.stage_seed(config.seed, "test")
    cases, power = {"original": {}}, None
    if modules:
        cases = evaluation.cases(*modules)
        privacy = Privacy(point.knowledge, point.black_box or "single")
    rows = []
    for case, eve, snr_db in measured:
        measure = evaluation.Evaluation(
            base.transmitter, base.receiver, base[EVE_STAGES[eve]], seed
        )
        if case in ("random_noise", "fgsm"):
            if power is None:  # of the trained pair, whatever the SNR
                power = measure.row(base.test, snr_db, **cases["paired"])["measured_psr_db"]
            module = (
                RandomNoise(power, algorithm_1.stage_seed(config.seed, case))
                if case == "random_noise"
                else FastGradientSign([base[stage] for stage in privacy.stages], power)
            )
            row = measure.row(base.test, snr_db, transmitter_module=module)
        else:
            row = measure.row(base.test, snr_db, **cases[case])
        protection = {"original": "none", "random_noise": "noise", "fgsm": "fgsm"}
        rows.append(
            grid.identity(point, case, eve, snr_db)
            | {"classes": measure.eavesdropper.output_shape[-1]}
            | {"protection": protection.get(case, "arn"), **row}
        )
    return rows


class _Base:
    """The frozen models of one data set and seed."""

    def __init__(self, dataset, models):
        from arn_keras.data.preprocessing import unit_interval
        from arn_keras.training.transmit import transmit

        self.test, self.train = dataset.test, dataset.train
        self._files = models
        self._classifiers = {}
        self.transmitter = _from_bytes(models["link"]["transmitter"])
        self.receiver = _from_bytes(models["link"]["receiver"])
        self.signals = transmit(self.transmitter, dataset.train.images, unit_interval)

    def __getitem__(self, stage):
        if stage not in self._classifiers:
            self._classifiers[stage] = _from_bytes(self._files[stage]["classifier"])
        return self._classifiers[stage]


class _Worker:
    """What a process keeps from task to task."""

    def __init__(self):
        # Several processes of one thread beat one process of several.
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        load_tensorflow()
        self._dataset = self._base = (None, None)
        self._links = {}

    def dataset(self, data):
        """The data set of a handle; the last one is kept."""
        if self._dataset[0] != data.key:
            self._dataset = data.key, data.get()
        return self._dataset[1]

    def base(self, data, models):
        """The frozen models of a handle; the last ones are kept."""
        if self._base[0] != models.key:
            self._base = models.key, _Base(self.dataset(data), models.get())
        return self._base[1]

    def trained(self, base, config, point):
        """The link of a point, trained; compiled for the first point of its kind only."""
        from keras.models import clone_model

        from arn_keras.training import algorithm_1

        privacy = Privacy(point.knowledge, point.black_box or "single", config.privacy_loss)
        schedule = schedule_of(config, config.epochs, config.jit_compile)
        stage = f"arn/{point.knowledge}"
        frozen = [base.transmitter, base.receiver, *(base[name] for name in privacy.stages)]
        sources = len(base.train)
        kind = (privacy, schedule, point.dataset, sources)
        if kind not in self._links:
            copies = [clone_model(model) for model in frozen]
            link = algorithm_1.build_pair_link(
                privacy, *copies[:2], copies[2:], schedule, sources, stage
            )
            self._links[kind] = link, copies
        link, copies = self._links[kind]
        for copy, model in zip(copies, frozen, strict=True):
            copy.set_weights(model.get_weights())
        algorithm_1.train_pair(
            link,
            base.train.images,
            base.signals,
            base.train.labels,
            schedule,
            snr_db=point.training_snr_db,
            psr_db=point.psr_db,
            seed=config.seed,
            stage=stage,
            checkpoint_dir=None,
        )
        return link


@functools.cache
def _worker():
    """This process's `_Worker`, made with the first task."""
    return _Worker()


def _to_bytes(models):
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            file = pathlib.Path(folder) / f"{name}.keras"
            model.save(file)
            files[name] = file.read_bytes()
    return files


def _from_bytes(content):
    import keras

    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.keras"
        file.write_bytes(content)
        return keras.saving.load_model(file, compile=False)
