"""Precisions of an exported module: how it is converted, and how far it may be from Keras."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Precision:
    """How the numbers of a module are stored and multiplied.

    Attributes:
        prepare: function that sets a LiteRT converter of builtin operators, called beside
            TensorFlow; None for a converter as it is.
        mse: change allowed of Bob's mean squared error (of another task, its first measure),
            relative.
        eve_accuracy: change allowed of Eve's accuracy, absolute.
        difference: largest absolute difference allowed of a signal.
        integer: whether its arithmetic is in integers, normalisations apart: ranges are taken from
            calibration signals, another processor may round by up to two steps, and
            microcontrollers run it.
        ends: type of its input and output. Floats stand beside keyed modules, and are exported
            unasked.
    """

    prepare: Callable[[Any], None] | None
    mse: float
    eve_accuracy: float
    difference: float = math.inf
    integer: bool = False
    ends: str = "float32"


def _float16(converter):
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _int8(converter):
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    # One scale a weight matrix instead of one a neuron: a file smaller by a tenth and an arena by
    # three fifths on a microcontroller, at no measurable loss (docs/deploy.md).
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def _int8_io(converter):
    import tensorflow as tf

    _int8(converter)
    converter.inference_input_type = converter.inference_output_type = tf.int8


FLOAT32 = Precision(None, 0.001, 0.001, 1e-5)
#: Weights in 16 bits, arithmetic in float32.
FLOAT16 = Precision(_float16, 0.001, 0.001)
#: Weights and activations in 8 bits, floats at both ends.
INT8 = Precision(_int8, 0.01, 0.005, integer=True)
#: 8 bits at the ends too.
INT8_IO = Precision(_int8_io, 0.01, 0.005, integer=True, ends="int8")
