"""A convolutional Keras model's layers in PyTorch, for a comparison of speed."""

import torch
from torch import nn

ACTIVATIONS = {"linear": nn.Identity, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}


class Translated(nn.Module):
    """The same graph of the same layers, channels first.

    Convolutions of stride 2 and 4 are padded alike at both borders, where Keras puts the odd pixel
    behind: as they are written in PyTorch, and the same work.

    Args:
        model: Functional Keras model with one input.
    """

    def __init__(self, model):
        super().__init__()
        self.layers, self.steps = nn.ModuleList(), []
        for layer in model.layers[1:]:
            (node,) = layer._inbound_nodes
            self.layers.append(_translated(layer))
            given = [tensor._keras_history.operation.name for tensor in node.input_tensors]
            self.steps.append((layer.name, given))
        self.first = model.layers[0].name

    def forward(self, signal):
        """The model's one output."""
        made = {self.first: signal}
        for layer, (name, given) in zip(self.layers, self.steps, strict=True):
            made[name] = layer(*(made[each] for each in given))
        return made[name]


def _translated(layer):
    kind = type(layer).__name__
    if kind in ("Conv2D", "Conv2DTranspose"):
        return _convolution(layer, kind.endswith("Transpose"))
    if kind == "Dense":
        return nn.Linear(layer.kernel.shape[0], layer.units)
    if kind == "PReLU":
        return nn.PReLU(layer.alpha.shape[-1])
    if kind == "BatchNormalization":
        return nn.BatchNorm2d(layer.gamma.shape[0], eps=layer.epsilon)
    if kind == "Activation":
        return ACTIVATIONS[layer.activation.__name__]()
    return _OTHERS[kind](layer)


def _convolution(layer, transposed):
    (kernel, _), (stride, _) = layer.kernel_size, layer.strides
    into, out = layer.kernel.shape[2:][:: -1 if transposed else 1]
    padding = (kernel - stride + 1) // 2
    if transposed:
        more = {"output_padding": stride - kernel + 2 * padding}
        made = nn.ConvTranspose2d(into, out, kernel, stride, padding, bias=layer.use_bias, **more)
    else:
        made = nn.Conv2d(into, out, kernel, stride, padding, bias=layer.use_bias)
    return nn.Sequential(made, ACTIVATIONS[layer.activation.__name__]())


class _Each(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *signals):
        return self.function(*signals)


def _normalized(signal):
    return nn.functional.normalize(signal.flatten(1)).view_as(signal)


_OTHERS = {
    "Add": lambda layer: _Each(torch.add),
    "Subtract": lambda layer: _Each(torch.sub),
    "Dropout": lambda layer: nn.Identity(),  # of a frozen classifier
    "GlobalAveragePooling2D": lambda layer: _Each(lambda signal: signal.mean((2, 3))),
    "ReLU": lambda layer: nn.ReLU(),
    "Rescaling": lambda layer: _Each(lambda signal: signal * layer.scale + layer.offset),
    "UnitNormalization": lambda layer: _Each(_normalized),
}
