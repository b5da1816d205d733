"""A Keras module as LiteRT (`.tflite`) bytes: builtin operators only, fixed batch 1.

The converter leaks memory; a program that converts many modules runs this in a subprocess, as
`export` does.
"""

import re
import warnings

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from arn_keras.backend import quiet_stderr
from arn_keras.errors import ExportError

PRECISIONS = ("float32", "float16", "int8", "int8-io")
_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


def convert(module, precision, calibration=None):
    """Converts to one precision; as `convert_all`, which is quicker for several."""
    return convert_all(module, [precision], calibration)[precision]


def convert_all(module, precisions, calibration=None):
    """Converts a Keras model of real inputs and real outputs.

    The graph is traced once and not written to disk: a SavedModel for each file took seven times
    as long. What that would have kept, the names of the ends, is added to the file.

    Args:
        module: Keras model of one input, or of a list of them; the names of its inputs and outputs
            become the signature's.
        precisions: of "float32"; "float16": weights in 16 bits, arithmetic in float32; "int8":
            weights and activations in 8 bits, floats at both ends; "int8-io": 8 bits at the ends
            too.
        calibration: for 8 bits, real inputs from which the ranges are taken: [signals, ...], or a
            list of such arrays, one for each input.

    Returns:
        {precision: bytes of a `.tflite` file}.

    Raises:
        ExportError: if a precision is unknown, 8 bits lack calibration signals, or the module
            needs an operator that is not builtin; the operator is named.
    """
    arrays = calibration if isinstance(calibration, (list, tuple)) else [calibration]
    arrays = [each for each in arrays if each is not None and len(each)]
    for precision in precisions:
        if precision not in PRECISIONS:
            raise ExportError(f"expected a precision of {', '.join(PRECISIONS)}, got {precision!r}")
        if precision.startswith("int8"):
            _check_calibration(module, precision, arrays)
    import tensorflow as tf

    names = [each.name for each in module.inputs]
    outputs = output_names(module)

    def serve(*signals):
        return module(signals[0] if len(signals) == 1 else list(signals), training=False)

    ends = [
        tf.TensorSpec((1, *each.shape[1:]), tf.float32, name=each.name) for each in module.inputs
    ]
    function = tf.function(serve, input_signature=ends, autograph=False).get_concrete_function()
    files = {}
    for precision in precisions:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        converter.experimental_lower_to_saved_model = False
        _set_precision(converter, precision, ends, arrays)
        model = _converted(converter, module.name)
        files[precision] = _with_signature(model, names, outputs)
        foreign = [name for name in operators(model) if name not in _NAMES.values()]
        if foreign:
            raise ExportError(_not_builtin(module.name, foreign))
    return files


def output_names(module):
    """Names of a Keras model's outputs; a Sequential one has none of its own."""
    return getattr(module, "output_names", None) or [module.layers[-1].name]


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


def _check_calibration(module, precision, arrays):
    if not arrays:
        raise ExportError(f"expected calibration signals for {precision}, got none")
    lengths = [len(array) for array in arrays]
    if len(arrays) != len(module.inputs) or len(set(lengths)) > 1:
        raise ExportError(
            f"expected {len(module.inputs)} arrays of calibration signals of one length, got "
            f"lengths {', '.join(map(str, lengths))}"
        )


def _set_precision(converter, precision, ends, calibration):
    import tensorflow as tf

    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    arrays = [
        np.asarray(array, np.float32).reshape(-1, *end.shape)
        for array, end in zip(calibration, ends, strict=True)
    ]
    converter.representative_dataset = lambda: map(list, zip(*arrays, strict=True))
    # One scale a weight matrix instead of one a neuron: a file smaller by a tenth and an arena by
    # three fifths on a microcontroller, at no measurable loss (docs/deploy.md).
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if precision == "int8-io":
        converter.inference_input_type = converter.inference_output_type = tf.int8


def _converted(converter, name):
    with quiet_stderr(), warnings.catch_warnings():
        # Of an older way to quantise; here the ranges come from the calibration signals.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        try:
            return converter.convert()
        except Exception as error:  # the converter's own errors share no base class
            message = str(error)
    foreign = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", message)))
    if foreign:
        raise ExportError(_not_builtin(name, foreign))
    raise ExportError(f"{name}: the LiteRT converter failed: {message.strip().splitlines()[0]}")


def _with_signature(model, inputs, outputs):
    """The file with the names of its ends, in their order, as signature `serve`."""
    content = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    signature = schema.SignatureDefT(signatureKey="serve", subgraphIndex=0)
    (graph,) = content.subgraphs
    signature.inputs = _named(inputs, graph.inputs)
    signature.outputs = _named(outputs, graph.outputs)
    content.signatureDefs = [signature]
    builder = flatbuffers.Builder(len(model) + 1024)
    builder.Finish(content.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _named(names, tensors):
    return [
        schema.TensorMapT(name=name, tensorIndex=int(tensor))
        for name, tensor in zip(names, tensors, strict=True)
    ]


def _not_builtin(name, found):
    return f"{name}: expected builtin LiteRT operators only, got {', '.join(found)}"
