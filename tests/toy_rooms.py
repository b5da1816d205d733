"""Answers from outside the package: each is one object and one line, as a user's own would be.

As in the package, naming them loads no Keras: the models are in `toy_models`.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from arn_keras import audit, channel, eve, export, pair, scenario, task
from arn_keras.data.dataset import Dataset, Split
from arn_keras.export.precision import Precision
from arn_keras.pair.protection import Means
from arn_keras.scenario.scenario import Scenario, option
from arn_keras.task.signal import Signal, SquaredErrorMeter
from arn_keras.task.task import Measure


def sixteen_bits(converter):
    """A precision: weights in 8 bits, activations in 16."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    name = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    converter.target_spec.supported_ops = [tf.lite.OpsSet[name]]


class LargestMeter(SquaredErrorMeter):
    """The meter of the task: the largest error of a source, in mean."""

    def add(self, target, estimate):
        error = np.abs(np.asarray(target) - np.asarray(estimate))
        self._total += float(error.max(axis=1).sum())

    def fields(self, sources):
        return {"largest_error": self._total / sources}


class Worst(Signal):
    """A task: Bob is judged by his largest error."""

    measures = (Measure("largest_error", "largest error", ".3f", better="lower"),)
    blind_field = "largest_error_mean_source"

    def meter(self):
        return LargestMeter()


def flipped(signal_shape):
    """A protection without a secret."""
    from toy_models import flip

    return flip(signal_shape)


@dataclasses.dataclass(frozen=True)
class Toy(Scenario):
    """A scenario: numbers, whose first one's sign is private."""

    about = "numbers over a linear link"
    block = "linear"
    defaults: ClassVar = {**Scenario.defaults, "batch_size": 32}
    measured: ClassVar = {"frozen": "logistic"}
    larger = ("wide",)
    rivals = ("logistic", "eve_wide")

    spread: float = option(1.0, "standard deviation of the sources")

    def dataset(self, name, data_dir, limit, folder=None):
        generator = np.random.default_rng(0)
        splits = []
        for count in (limit or 320, 100):
            source = generator.normal(0, self.spread, (count, 8)).astype("float32")
            splits.append(Split(source, (source[:, 0] > 0).astype(int)))
        return Dataset("toys", *splits, 2)

    def task(self, dataset):
        return "worst"

    def build_link(self, dataset):
        from toy_models import build_link

        return build_link()


channel.CHANNELS["half"] = "toy_models:Half"
pair.BLOCKS["linear"] = "toy_models:linear"
eve.EVES["logistic"] = "toy_models:build_logistic"
export.PRECISIONS["int16"] = Precision(sixteen_bits, 0.01, 0.005, integer=True)
task.TASKS["worst"] = Worst()
pair.PROTECTIONS["flipped"] = Means(build=flipped)
scenario.SCENARIOS["toy"] = Toy
audit.RUNGS["E9"] = "toy_models:FIRST_SYMBOL"
