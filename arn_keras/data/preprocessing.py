"""What is done with stored sources before a transmitter gets them; a choice, never silent."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("arn_keras")
def unit_interval(sources):
    """Pictures of 8 bits scaled to [0, 1], floats unchanged: s = stored / 255.

    Args:
        sources: tensor or array, [batch, ...].

    Returns:
        float32 in [0, 1] for uint8, anything else as it is.
    """
    if keras.backend.standardize_dtype(sources.dtype) == "uint8":
        return ops.cast(sources, "float32") / 255.0
    return sources
