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

import numpy as np

EFFICIENCY = 0.6
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
    def _link(self):
        from arn_keras.pair.arn import build_transmitter_arn

        link = self._given("link")
        transmitter, receiver = link.values() if link else self._scenario.build_link(self._dataset)
        self._shape = transmitter.output_shape[1:]
        block, options = self._config.block or self._scenario.block, {}
        if block == self._scenario.block:
            options = self._scenario.block_options
        arn = build_transmitter_arn(self._shape, block=block, **options)
        return [multiplications(model) for model in (transmitter, receiver, arn)]

    @functools.cache  # noqa: B019  as long as the plan that it is asked for
    def _classifier(self, stage):
        self._link  # noqa: B018  the signal's shape
        models, classes = self._given(stage), self._dataset.classes
        return multiplications(
            models["classifier"]
            if models
            else self._scenario.build_classifier(stage, self._shape, classes)
        )

    def stage(self, stage):
        """Operations to train a base stage."""
        sources = len(self._dataset.train)
        if stage == "link":
            transmitter, receiver, _ = self._link
            return 6 * (transmitter + receiver) * sources * self._config.link_epochs
        return 6 * self._classifier(stage) * sources * self._config.eve_epochs

    def pair(self, classifier_stages):
        """Operations to train a pair against these classifiers."""
        _, receiver, arn = self._link
        frozen = receiver + sum(map(self._classifier, classifier_stages))
        return (6 * 2 * arn + 4 * frozen) * len(self._dataset.train) * self._config.epochs

    def rows(self, number):
        """Operations to measure this many rows."""
        transmitter, receiver, arn = self._link
        eve = self._classifier(next(iter(self._scenario.measured.values())))
        return 2 * (transmitter + 2 * arn + receiver + 2 * eve) * len(self._dataset.test) * number


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
