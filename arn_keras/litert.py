"""A Keras module as LiteRT (`.tflite`) bytes: builtin operators only, fixed batch 1.

The converter leaks memory; a program that converts many modules runs this in a subprocess, as
`export` does.
"""

import tempfile

import keras
import numpy as np
import tensorflow as tf

PRECISIONS = ("float32", "int8")


def convert(module, precision, calibration=None):
    """Converts a Keras model of one real input and one real output.

    Args:
        module: Keras model; its input's and output's names become the signature's.
        precision: "float32", or "int8": weights and activations in 8 bits, floats at both ends.
        calibration: for int8, real inputs, [signals, ...], from which the ranges are taken.

    Returns:
        Bytes of a `.tflite` file.

    Raises:
        ValueError: if the precision is unknown or int8 lacks calibration signals.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}")
    (given,), (taken,) = module.inputs, module.output_names
    shape = (1, *module.input_shape[1:])

    spec = tf.TensorSpec(shape, tf.float32, name=given.name)
    archive = keras.export.ExportArchive()
    archive.track(module)
    archive.add_endpoint(
        "serve", lambda signal: {taken: module(signal, training=False)}, input_signature=[spec]
    )
    with tempfile.TemporaryDirectory() as saved:
        archive.write_out(saved, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=["serve"])
        return _converted(converter, precision, shape, calibration)


def _converted(converter, precision, shape, calibration):
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision == "int8":
        if calibration is None or not len(calibration):
            raise ValueError("expected calibration signals for int8, got none")
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        rows = np.asarray(calibration, np.float32).reshape(-1, *shape)
        converter.representative_dataset = lambda: ([row] for row in rows)
    return converter.convert()
