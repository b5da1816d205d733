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
from arn_keras.export import PRECISIONS, float_norms
from arn_keras.rooms import answer

_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}


def convert(module, precision, calibration=None):
    """Converts to one precision; as `convert_all`, which is quicker for several."""
    return convert_all(module, [precision], calibration)[precision]


def convert_all(module, precisions, calibration=None):
    """Converts a Keras model of real inputs (or token ids) and real outputs.

    The graph is traced once and not written to disk: a SavedModel for each file took seven times
    as long. What that would have kept, the names of the ends, is added to the file.

    Args:
        module: Keras model of one input, or of a list of them; the names of its inputs and outputs
            become the signature's.
        precisions: names of `arn_keras.export.PRECISIONS`.
        calibration: for integers, real inputs from which the ranges are taken: [signals, ...], or
            a list of such arrays, one for each input.

    Returns:
        {precision: bytes of a `.tflite` file}.

    Raises:
        ConfigError: if a precision is unknown.
        ExportError: if integers lack calibration signals, or the module computes in other floats
            than float32, or needs an operator that is not builtin; the operator is named.
    """
    other = _floats(module) & {"float64", "float16", "bfloat16"}
    if other:
        got = ", ".join(sorted(other))
        raise ExportError(f"{module.name}: expected a module that computes in float32, got {got}")
    arrays = calibration if isinstance(calibration, (list, tuple)) else [calibration]
    arrays = [each for each in arrays if each is not None and len(each)]
    chosen = {precision: answer(PRECISIONS, precision) for precision in precisions}
    for name, precision in chosen.items():
        if precision.integer:
            _check_calibration(module, name, arrays)
    import tensorflow as tf

    names = [each.name for each in module.inputs]
    outputs = output_names(module)

    def serve(*signals):
        return module(signals[0] if len(signals) == 1 else list(signals), training=False)

    ends = [
        tf.TensorSpec((1, *each.shape[1:]), each.dtype, name=each.name) for each in module.inputs
    ]
    function = tf.function(serve, input_signature=ends, autograph=False).get_concrete_function()
    files, norms = {}, float_norms.operations(module, function.graph)
    for name, precision in chosen.items():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        converter.experimental_lower_to_saved_model = False
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision.prepare:
            precision.prepare(converter)
        if precision.integer:
            converter.representative_dataset = _signals(arrays, ends)
        model = _converted(converter, module.name, norms if precision.integer else [])
        files[name] = _with_signature(model, names, outputs)
        foreign = [name for name in operators(model) if name not in _NAMES.values()]
        if foreign:
            raise ExportError(_not_builtin(module.name, foreign))
    return files


def _floats(module):
    """The types that a model, with those inside it, computes in."""
    inner = [_floats(each) for each in getattr(module, "layers", ())]
    return {module.compute_dtype}.union(*inner)


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


def facts(model):
    """What a manifest says of the bytes of a `.tflite` file.

    Returns:
        {"operators": their names}; where integers stand for the floats that it is given, also
        "largest": four times what it was calibrated for, beyond which they say nothing of a value.
    """
    found, span = {"operators": operators(model)}, _input_span(model)
    return found if span is None else {**found, "largest": 4 * span}


def _input_span(model):
    """From the least to the largest value that the input's integers stand for; None for floats."""
    content = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    (graph,) = content.subgraphs
    for operator in graph.operators:
        code = content.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind == schema.BuiltinOperator.QUANTIZE and graph.inputs[0] in operator.inputs:
            taken = graph.tensors[operator.outputs[0]]
            bits = 16 if taken.type == schema.TensorType.INT16 else 8
            return float(taken.quantization.scale[0]) * 2**bits
    return None


def _check_calibration(module, precision, arrays):
    if not arrays:
        raise ExportError(f"expected calibration signals for {precision}, got none")
    lengths = [len(array) for array in arrays]
    if len(arrays) != len(module.inputs) or len(set(lengths)) > 1:
        raise ExportError(
            f"expected {len(module.inputs)} arrays of calibration signals of one length, got "
            f"lengths {', '.join(map(str, lengths))}"
        )


def _signals(calibration, ends):
    """The calibration signals one by one, as the converter asks for them."""
    arrays = [
        np.asarray(array, np.float32).reshape(-1, *end.shape)
        for array, end in zip(calibration, ends, strict=True)
    ]
    return lambda: map(list, zip(*arrays, strict=True))


def _converted(converter, name, floats):
    with quiet_stderr(), warnings.catch_warnings():
        # Of an older way to quantise; here the ranges come from the calibration signals.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        try:
            return float_norms.converted_but(converter, floats) if floats else converter.convert()
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
