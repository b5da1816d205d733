"""A Keras module as LiteRT (`.tflite`) bytes: builtin operators only, fixed batch 1.

The converter leaks memory; a program that converts many modules runs this in a subprocess, as
`export` does.
"""

import re
import tempfile

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from arn_keras.backend import quiet_stderr
from arn_keras.errors import ExportError

PRECISIONS = ("float32", "float16", "int8", "int8-io")
_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


def convert(module, precision, calibration=None):
    """Converts a Keras model of one real input and one real output.

    Args:
        module: Keras model; its input's and output's names become the signature's.
        precision: "float32"; "float16": weights in 16 bits, arithmetic in float32; "int8": weights
            and activations in 8 bits, floats at both ends; "int8-io": 8 bits at the ends too.
        calibration: for 8 bits, real inputs, [signals, ...], from which the ranges are taken.

    Returns:
        Bytes of a `.tflite` file.

    Raises:
        ExportError: if the precision is unknown, 8 bits lack calibration signals, or the module
            needs an operator that is not builtin; the operator is named.
    """
    if precision not in PRECISIONS:
        raise ExportError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision.startswith("int8") and (calibration is None or not len(calibration)):
        raise ExportError(f"expected calibration signals for {precision}, got none")
    import keras
    import tensorflow as tf

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
        _set_precision(converter, precision, shape, calibration)
        model = _converted(converter, module.name)
    foreign = [name for name in operators(model) if name not in _NAMES.values()]
    if foreign:
        raise ExportError(_not_builtin(module.name, foreign))
    return model


def operators(model):
    """Names of the operators in the bytes of a `.tflite` file, sorted; a custom one by its own."""
    codes = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)).operatorCodes
    return sorted(
        {
            code.customCode.decode()
            if code.customCode
            else _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
            for code in codes
        }
    )


def _set_precision(converter, precision, shape, calibration):
    import tensorflow as tf

    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    rows = np.asarray(calibration, np.float32).reshape(-1, *shape)
    converter.representative_dataset = lambda: ([row] for row in rows)
    # One scale a weight matrix instead of one a neuron: a file smaller by a tenth and an arena by
    # three fifths on a microcontroller, at no measurable loss (docs/deploy.md).
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if precision == "int8-io":
        converter.inference_input_type = converter.inference_output_type = tf.int8


def _converted(converter, name):
    with quiet_stderr():
        try:
            return converter.convert()
        except Exception as error:  # the converter's own errors share no base class
            message = str(error)
    needed = re.findall(
        r"'tf\.(\w+)' op is neither|Quantization not yet supported for op: '(\w+)'", message
    )
    if needed:
        raise ExportError(_not_builtin(name, sorted({a or b for a, b in needed})))
    raise ExportError(f"{name}: the LiteRT converter failed: {message.strip().splitlines()[0]}")


def _not_builtin(name, found):
    return f"{name}: expected builtin LiteRT operators only, got {', '.join(found)}"
