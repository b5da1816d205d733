"""One task of a sweep, as a worker runs it: arrays and files of models in, files and rows out.

A worker touches no file of the sweep, so it may run on any machine. It keeps what tasks share: the
arrays, the frozen models, and one compiled `SecureLink` for each kind of loss, which serves all its
points: SNR, budget, weights of the loss, seed and every weight are variables of the one trace.
"""

import dataclasses
import functools
import os
import pathlib
import tempfile

import numpy as np

from arn_keras.backend import load_tensorflow, own_process
from arn_keras.rooms import load_plugins
from arn_keras.sweep import grid

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def train_stage(data, models, config, stage):
    """Trains a base stage: the link, Eve, a substitute.

    Args:
        data: handle of a `data.dataset.Dataset` (`engines`).
        models: handle of {stage: {name: bytes of a .keras file}}; the stages it builds on.
        config: resolved `run.config.Config`: seed, SNR in dB of these stages, schedules.
        stage: "link", or an eavesdropper's.

    Returns:
        {name: bytes of a .keras file}.
    """
    return _to_bytes(_worker().problem(data, models, config).train(stage))


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
    problem = _worker().problem(data, models, config)
    if point.knowledge is None:
        return None, _measure(problem, point, measured, None)
    if pair is None:
        link = _worker().trained(problem, point)
        pair = _to_bytes(problem.trained_modules(link))
    modules = tuple(_from_bytes(pair[name]) for name in ("transmitter", "receiver"))
    return pair, _measure(problem, point, measured, modules)


def fgsm_example(data, models, config, psr_db):
    """Arrays of the letter's Fig. 1, for `figures.draw.fgsm_picture`.

    The image's classifier is trained here, on images with a little noise; the signal's is Eve's.

    Args:
        data, models, config: as for `train_stage`.
        psr_db: P of Eq. (3) in dB, relative to the power of what is attacked.
    """
    problem = _worker().problem(data, models, config)
    from arn_keras.measure.fgsm import fgsm_example as example

    dataset, scenario = problem.dataset, problem.scenario
    eve = next(iter(scenario.measured.values()))
    shown = dataset.test.part(slice(100))
    pictures = np.asarray(dataset.targets(dataset.train)), np.asarray(dataset.targets(shown))
    reader = problem.train_reader(eve, pictures[0], snr_db=20.0)
    image, signal = (
        example(model, inputs, np.asarray(shown.label), psr_db)
        for model, inputs in (
            (reader, pictures[1]),
            (problem.classifier(eve), problem.transmit(shown)),
        )
    )
    return {f"image_{n}": a for n, a in image.items()} | {
        f"signal_{n}": a for n, a in signal.items()
    }


def _measure(problem, point, measured, modules):
    from arn_keras.measure import evaluation
    from arn_keras.measure.baselines import FastGradientSign, RandomNoise
    from arn_keras.run import channels
    from arn_keras.training.algorithm_1 import stage_seed

    scenario, seed = problem.scenario, problem.config.seed
    test, cases, powers = problem.dataset.test, {"original": {}}, {}
    if modules:
        cases = evaluation.cases(*modules)
        stages = point.in_loss(scenario)
    rows = []
    for case, eve, snr_db in measured:
        measure = problem.evaluation(scenario.stage_of(eve))
        if case in ("random_noise", "fgsm"):
            told = snr_db if point.snr_aware else None  # else it sends alike at every SNR
            if told not in powers:
                powers[told] = measure.row(test, snr_db, **cases["paired"])["measured_psr_db"]
            power = powers[told]
            module = (
                RandomNoise(power, stage_seed(seed, case), scenario.pauses)
                if case == "random_noise"
                else FastGradientSign(map(problem.classifier, stages), power, scenario.pauses)
            )
            row = measure.row(test, snr_db, transmitter_module=module)
        else:
            row = measure.row(test, snr_db, **cases[case])
        protection = {"original": "none", "random_noise": "noise", "fgsm": "fgsm"}
        rows.append(
            grid.identity(point, case, eve, snr_db)
            | {"classes": measure.eavesdropper.output_shape[-1]}
            | {"protection": protection.get(case, "arn"), **row}
            | channels.fields(problem.config)
        )
    return rows


class _Worker:
    """What a process keeps from task to task."""

    def __init__(self):
        # Several processes of one thread beat one process of several.
        os.environ.update(dict.fromkeys(THREADS, "1"))
        own_process()
        load_tensorflow()
        load_plugins()
        self._dataset = self._problem = (None, None)
        self._links = {}

    def problem(self, data, models, config):
        """The problem of these handles; the last one is kept."""
        from arn_keras.run.problem import Problem

        if self._dataset[0] != data.key:
            self._dataset = data.key, data.get()
        if self._problem[0] != (data.key, models.key, config):
            files = models.get()

            def load(stage):
                return {name: _from_bytes(content) for name, content in files[stage].items()}

            problem = Problem(config, self._dataset[1], load)
            self._problem = (data.key, models.key, config), problem
        return self._problem[1]

    def trained(self, problem, point):
        """The link of a point, trained; compiled for the first point of its kind only."""
        from keras.models import clone_model

        from arn_keras.training.privacy import Privacy

        if point.snr_aware:
            problem = problem.with_pairs_told(point.training_snr_db)
        config = problem.config
        privacy = Privacy(point.knowledge, point.black_box or "single", config.privacy_loss)
        frozen = problem.frozen(privacy)
        # Of another seed, too: that is a variable.
        kind = (privacy, dataclasses.replace(config, seed=0), len(problem.dataset.train))
        if kind not in self._links:
            copies = [clone_model(model) for model in frozen]
            self._links[kind] = problem.pair_link(privacy, copies), copies
        link, copies = self._links[kind]
        for copy, model in zip(copies, frozen, strict=True):
            copy.set_weights(model.get_weights())
        problem.train_pair(
            link,
            f"arn/{point.knowledge}",
            snr_db=point.training_snr_db,
            psr_db=point.psr_db,
            seed=config.seed,
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
