"""What a sweep costs before it is run: floating-point operations, and seconds on this machine.

A weight that is used at p places takes 2 p operations a source forward, as many to pass a gradient
back through it, and as many to train it. Nothing else is counted, so the time is a lower bound
divided by `EFFICIENCY`, the share of NumPy's matrix-product rate that a sweep reaches (measured:
0.65 where TensorFlow's products are as fast, 1.1 where they are twice as fast).
"""

import functools
import math
import re
import time
from typing import NamedTuple

import numpy as np

from arn_keras.sweep.grid import Point

EFFICIENCY = 0.6
#: Of a stage's training, some minutes of one core: see `Costs.turns`.
LONG = 2e13
START_SECONDS = 20.0  # a worker loads TensorFlow and compiles its step


def multiplications(model):
    """Multiplications of one source through a Keras model: weights times places of use.

    A transposed convolution uses its kernel at each place that it is given, another layer at each
    that it gives; a matrix of its own is used once. Biases and embeddings multiply nothing.
    """
    import keras

    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += multiplications(layer)
            continue
        kernels = [
            weight.shape
            for weight in layer.weights
            if len(weight.shape) > 1 and weight.name not in ("bias", "embeddings")
        ]
        if kernels:
            total += sum(map(math.prod, kernels)) * math.prod(_places(layer))
    return total


def _places(layer):
    """Sizes of the axes along which a layer uses one kernel again and again."""
    from keras import layers

    transposed = layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose
    if isinstance(layer, transposed):
        return layer.input.shape[1:-1]
    if isinstance(layer, layers.EinsumDense):
        kernel, made = re.fullmatch(r".*,(.*)->(.*)", layer.equation).groups()
        sizes = zip(made, layer.output.shape, strict=True)
        return [size for axis, size in list(sizes)[1:] if axis not in kernel]
    return layer.output.shape[1:-1]


class Cost:
    """Operations of the tasks of one data set.

    Args:
        scenario: `scenario.scenario.Scenario`.
        dataset: `data.dataset.Dataset`.
        config: resolved `run.config.Config`.
        given: function from a stage to its models, {name: Keras model}, where nothing trains them,
            else None.
    """

    def __init__(self, scenario, dataset, config, given=lambda stage: None):
        self._scenario, self._dataset, self._config = scenario, dataset, config
        self._given = given

    @functools.cached_property
    def _parts(self):
        """Multiplications of (transmitter, receiver, one ARN), and the signal's shape."""
        from arn_keras.pair.arn import build_transmitter_arn

        link, config = self._given("link"), self._config
        transmitter, receiver = link.values() if link else self._scenario.build_link(self._dataset)
        shape = transmitter.output_shape[1:]
        how = self._scenario.block_of(config.block, config.block_width, config.block_depth)
        models = transmitter, receiver, build_transmitter_arn(shape, **how)
        return [multiplications(model) for model in models], shape

    @property
    def _link(self):
        return self._parts[0]

    @functools.cache  # noqa: B019  as long as the plan that it is asked for
    def _classifier(self, stage):
        models, classes = self._given(stage), self._dataset.classes
        shape = self._parts[1]
        return multiplications(
            models["classifier"]
            if models
            else self._scenario.build_classifier(stage, shape, classes)
        )

    def stage(self, stage):
        """Operations to train a base stage."""
        sources = len(self._dataset.train)
        if stage == "link":
            transmitter, receiver, _ = self._link
            return 6 * (transmitter + receiver) * sources * self._config.link_epochs
        return 6 * self._classifier(stage) * sources * self._config.eve_epochs

    def pair(self, classifier_stages, told=False):
        """Operations to train a pair against these classifiers; `told`: the SNR."""
        _, receiver, arn = self._link
        frozen = receiver + sum(map(self._classifier, classifier_stages))
        epochs = self._config.epochs_if_told if told else self._config.epochs
        return (6 * 2 * arn + 4 * frozen) * len(self._dataset.train) * epochs

    def rows(self, number):
        """Operations to measure this many rows."""
        transmitter, receiver, arn = self._link
        eve = self._classifier(next(iter(self._scenario.measured.values())))
        return 2 * (transmitter + 2 * arn + receiver + 2 * eve) * len(self._dataset.test) * number


class Task(NamedTuple):
    """What a worker is given: a pair to train where it is not there, and rows to measure.

    Attributes:
        point: `grid.Point`.
        measured: its rows, [(case, eve, snr_db), ...].
        operations: what it costs.
    """

    point: Point
    measured: list
    operations: float


class Costs:
    """Operations of the tasks of a sweep.

    Args:
        scenario: `scenario.scenario.Scenario`.
        datasets: {name: `data.dataset.Dataset`}.
        configs: {`grid.Point.base`: resolved `run.config.Config`}.
        given: as of `Cost`, of a base and a stage.
    """

    def __init__(self, scenario, datasets, configs, given):
        self._scenario, self._datasets, self._configs = scenario, datasets, configs
        self._given = given

    @functools.cache  # noqa: B019  as long as this sweep
    def _of(self, *base):
        of = self._datasets[base[0]], self._configs[base]
        return Cost(self._scenario, *of, functools.partial(self._given, base))

    def stage(self, *of):
        """Of a base stage, (*base, stage)."""
        *base, stage = of
        return self._of(*base).stage(stage)

    def pair(self, point):
        """Of the training of a point's pair."""
        return self._of(*point.base).pair(point.in_loss(self._scenario), point.snr_aware)

    def rows(self, point, measured):
        """Of the rows of a point."""
        return self._of(*point.base).rows(len(measured))

    def turns(self, left, missing):
        """What workers are given, one turn after the other: lists of `Task`s.

        Where training is `LONG`, a pair is kept before any row of it is measured, and each row
        before the next: who stops the sweep loses one of them, and no hour.

        Args:
            left: {point: rows to measure}.
            missing: points whose pair is to be trained.
        """
        pairs = {point: self.pair(point) for point in missing}
        first, second = [], []
        for point, measured in left.items():
            trained = pairs.get(point, 0.0)
            if not self._is_long(point):
                second.append(Task(point, measured, trained + self.rows(point, measured)))
                continue
            if point in pairs:
                first.append(Task(point, [], trained))
            second += [Task(point, [row], self.rows(point, [row])) for row in measured]
        return [first, second]

    def _is_long(self, point):
        return (self.pair(point) if point.knowledge else self.stage(*point.base, "link")) > LONG


def operations_a_second(size=512, seconds=0.2):
    """Rate of one core in float32 matrix products, measured now."""
    from threadpoolctl import threadpool_limits

    left = np.ones((size, size), np.float32)
    with threadpool_limits(1):
        left @ left
        start, products = time.process_time(), 0
        while time.process_time() - start < seconds:
            left @ left
            products += 1
        return 2 * size**3 * products / (time.process_time() - start)


def seconds(operations, workers, rate):
    """Estimated time of a sweep on a number of single-threaded workers."""
    return START_SECONDS + operations / (rate * EFFICIENCY * workers)
