"""What a model is given, looked at before the model is called, told from types and shapes alone."""

import keras

from arn_keras.errors import DataError
from arn_keras.loss.shapes import shape_of
from arn_keras.training.parts import agree


def taken_by(model, given):
    """What is given to a model, if it takes that.

    An axis of one at the end may be there or not, as Keras has it.

    Args:
        model: Keras model; one that does not say what it takes is believed to take this.
        given: tensor, or a nest of them for several inputs.

    Raises:
        DataError: for text in the place of numbers, floats in that of integers, or other inputs or
            shapes than the model's.
    """
    try:
        inputs = keras.tree.flatten(model.inputs)
    except (AttributeError, ValueError):  # subclassed, or not built yet
        return given
    if not inputs:
        return given
    for each, wanted in _pairs(model, inputs, given):
        dtypes = [keras.backend.standardize_dtype(tensor.dtype) for tensor in (each, wanted)]
        text, takes_text = (dtype == "string" for dtype in dtypes)
        if text != takes_text:
            kinds = "numbers", "text"
            raise DataError(f"expected {kinds[takes_text]} for {model.name!r}, got {kinds[text]}")
        if (
            "int" in dtypes[1] and "float" in dtypes[0]
        ):  # Keras would cut off what is behind the point
            raise DataError(f"expected {dtypes[1]} for {model.name!r}, got {dtypes[0]}")
        shape, expected = shape_of(each, "sources")[1:], tuple(wanted.shape[1:])
        if not any(agree(other, expected) for other in (shape, (*shape, 1), _squeezed(shape))):
            raise DataError(
                f"expected {list(expected)} a source for {model.name!r}, got {list(shape)}"
            )
    return given


def _pairs(model, inputs, given):
    """Each tensor with the input that it is for."""
    if isinstance(given, dict):
        named = {each.name: each for each in inputs}
        if isinstance(model.input, dict):
            named = model.input
        if given.keys() != named.keys():
            wanted, got = (", ".join(map(repr, sorted(names))) for names in (named, given))
            raise DataError(f"expected the inputs {wanted} of {model.name!r}, got {got}")
        return [(given[name], named[name]) for name in named]
    tensors = keras.tree.flatten(given)
    if len(tensors) != len(inputs):
        hint = ": of a list of sources make one array, numpy.stack" * (len(inputs) == 1)
        raise DataError(
            f"expected as many arrays as {model.name!r} has inputs, {len(inputs)}, "
            f"got {len(tensors)}{hint}"
        )
    return zip(tensors, inputs, strict=True)


def _squeezed(shape):
    return shape[:-1] if shape[-1:] == (1,) else shape
