"""What is done to sources before a transmitter takes them: explicit, and part of the data.

Nothing is scaled unasked. Every link takes `preprocessing=`, a Keras layer or a registered
function; `unit_interval` is that of the letter's images.
"""

from typing import Any

import keras
from keras import ops

from arn_keras.errors import DataError


@keras.saving.register_keras_serializable("arn_keras")
def unit_interval(images: Any) -> Any:
    """8-bit images scaled to [0, 1], s = image / 255 in float32; anything else unchanged.

    Args:
        images: array or tensor, [batch, ...], or a nest of them.

    Raises:
        DataError: for what is no array.
    """
    return keras.tree.map_structure(_scaled, images)


def _scaled(array):
    if not hasattr(array, "dtype"):
        raise DataError(f"expected arrays, got {type(array).__name__}")
    if keras.backend.standardize_dtype(array.dtype) == "uint8":
        return ops.cast(array, "float32") / 255.0
    return array
