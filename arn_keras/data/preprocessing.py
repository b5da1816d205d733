"""What is done to sources before a transmitter takes them: explicit, and part of the data.

Nothing is scaled unasked. Every link takes `preprocessing=`, a Keras layer or a registered
function; `unit_interval` is that of the letter's images.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("arn_keras")
def unit_interval(images):
    """8-bit images scaled to [0, 1], s = image / 255 in float32; anything else unchanged.

    Args:
        images: array or tensor, [batch, ...].
    """
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "float32") / 255.0
    return images
