"""Integers everywhere but in normalisations: a module's int8 file whose norms stay floats.

Before a normalisation a few tokens of a trained transformer are tens of times as large as others.
Their squares, in one scale of 8 bits, leave nothing of the others' (docs/deploy.md).
"""

import re


def operations(module, graph):
    """Names of the operations in a graph of a module that belong to its normalisations.

    Args:
        module: Keras model.
        graph: `tf.Graph` that calls it.
    """
    from keras import layers

    kinds = layers.LayerNormalization, layers.RMSNormalization, layers.GroupNormalization
    names = [re.escape(each.name) for each in module._flatten_layers() if isinstance(each, kinds)]
    if not names:
        return []
    inside = re.compile(rf"(^|/)({'|'.join(names)})(_\d+)?/")
    return [each.name for each in graph.get_operations() if inside.search(each.name)]


def converted_but(converter, operations):
    """The bytes of a `.tflite` file in integers, these operations in floats.

    Args:
        converter: `tf.lite.TFLiteConverter`, set for 8 bits, with its calibration signals.
        operations: their names.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    converter._experimental_calibrate_only = True
    one_scale = converter._experimental_disable_per_channel_quantization_for_dense_layers
    return mlir_quantize(
        converter.convert(),
        input_data_type=converter.inference_input_type,
        output_data_type=converter.inference_output_type,
        denylisted_nodes=operations,
        disable_per_channel_for_dense_layers=one_scale,
    )
