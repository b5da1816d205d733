"""Pictures a second in convolutional training, beside PyTorch with the same mathematics.

    python benchmarks/conv_speed.py [--json FILE] [--rounds N] [--threads N]

The base stage and the ARN stage of `--scenario deepjscc --block conv` (32x32x3 pictures, k/n = 1/6,
residual eavesdropper) at its batch of 64 and at 256: same layers, optimiser, noise and data, one
epoch of random pictures a turn, whole batches only. PyTorch runs eagerly and compiled, in its own
and in the channels-last memory layout, the frozen transmitter's output computed once: as fast as it
is usually written. What counts is the fastest of its four.
`bound` is the time of the stage's convolutions alone, those that its gradients need, by TensorFlow
(oneDNN); no activation, no noise, no optimiser. Needs the extra `bench`.
"""

import functools
import itertools
import statistics
import sys
import time

import epochs
import numpy as np
from turns import compare, parser, ratio, serve, write

PICTURES, SHAPE, CLASSES = 3_200, (32, 32, 3), 10
RATE, SNR_DB, PSR_DB, WEIGHTS = 2e-3, 10.0, -10.0, (10.0, 200.0, 1.0)
STAGES, BATCHES = ("arn", "base"), (64, 256)
PEERS = {  # of PyTorch: compiled, channels last
    "torch": (False, False),
    "torch, channels last": (False, True),
    "torch.compile": (True, False),
    "torch.compile, channels last": (True, True),
}
TARGETS = {"arn": 2.0, "base": 1.3}  # least ratio of ours to the fastest of PyTorch


def data():
    """Pictures of 8 bits and labels; speed does not depend on their values."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (PICTURES, *SHAPE), np.uint8)
    return pictures, generator.integers(0, CLASSES, PICTURES)


def models():
    """Transmitter, receiver, Eve and the two ARNs as the scenario builds them, with conv blocks."""
    from arn_keras.eve.residual import build_residual_eavesdropper
    from arn_keras.link.deepjscc import build_receiver, build_transmitter
    from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn

    signal = build_transmitter(SHAPE).output_shape[1:]
    eve = build_residual_eavesdropper(signal, CLASSES)
    pair = (build(signal, block="conv") for build in (build_transmitter_arn, build_receiver_arn))
    return build_transmitter(SHAPE), build_receiver(SHAPE), eve, *pair


def ours(stage, batch):
    """One epoch of a `fit`, as the stages of train.py run it."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow(split_layers=True)
    from arn_keras import SecureLink, SemanticLink, unit_interval
    from arn_keras.training.algorithm_1 import Schedule
    from arn_keras.training.transmit import transmit

    pictures, labels = data()
    transmitter, receiver, eve, alice, bob = models()
    schedule = Schedule(epochs=1000, batch_size=batch, learning_rate=RATE)
    if stage == "arn":
        x = {"source": pictures, "signal": transmit(transmitter, pictures, unit_interval)}
        link = SecureLink(transmitter, receiver, eve, alice, bob, preprocessing=unit_interval)
        schedule.compile(link, PICTURES, shards=schedule.shards)
        link.loss_weights.assign(WEIGHTS)
    else:
        x, labels = pictures, None
        link = SemanticLink(transmitter, receiver, preprocessing=unit_interval)
        schedule.compile(link, PICTURES, loss="mse")

    return epochs.of_keras(link, x, labels, PICTURES, batch, 1)


def torch_stage(stage, batch, compiled, channels_last):
    """The same epoch in PyTorch, its layers read off our models."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow()
    import torch
    from torch_layers import Translated
    from torch_stages import loss_and_optimizer

    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    pictures, labels = (torch.from_numpy(array) for array in data())
    pictures = pictures.permute(0, 3, 1, 2).contiguous(memory_format=layout)
    transmitter, receiver, eve, alice, bob = (
        Translated(model).to(memory_format=layout) for model in models()
    )
    trained = [alice, bob] if stage == "arn" else [transmitter, receiver]
    for frozen in {transmitter, receiver, eve.eval(), alice, bob} - set(trained):
        frozen.requires_grad_(False)
    trained = [each for model in trained for each in model.parameters()]
    how = {"snr_db": SNR_DB, "psr_db": PSR_DB, "weights": WEIGHTS, "rate": RATE}
    ends = transmitter, receiver, eve, alice, bob
    loss, optimizer = loss_and_optimizer(stage, pictures, labels, ends, trained, **how)
    if compiled:
        loss = torch.compile(loss)
    return epochs.of_torch(loss, optimizer, PICTURES, batch, 1)


def convolutions(stage, batch):
    """A step's convolutions: (kind, kernel's shape, stride, its larger side's and smaller's shape).

    A transposed convolution is the gradient of one by its input; each is computed forwards, and
    backwards by its input and by its weights where the stage needs that.
    """
    transmitter, receiver, eve, alice, bob = models()
    trained = (transmitter, receiver) if stage == "base" else (alice, bob)
    for model in trained if stage == "base" else (alice, bob, receiver, eve):
        behind = set() if model is trained[0] else {model.layers[0].name}  # what gradients come to
        for layer in model.layers[1:]:
            (node,) = layer._inbound_nodes
            given = {tensor._keras_history.operation.name for tensor in node.input_tensors}
            through, kind = not behind.isdisjoint(given), type(layer).__name__
            if through or layer.count_params():
                behind.add(layer.name)
            if kind not in ("Conv2D", "Conv2DTranspose"):
                continue
            wide, narrow = ((batch, *end.shape[1:]) for end in (layer.input, layer.output))
            kinds = ["forward", "input"]
            if kind == "Conv2DTranspose":
                wide, narrow, kinds = narrow, wide, ["input", "forward"]
            how = tuple(layer.kernel.shape), layer.strides[0], wide, narrow
            yield kinds[0], *how
            if through:
                yield kinds[1], *how
            if model in trained:
                yield "weights", *how


def bound(stage, batch):
    """The convolutions of an epoch's steps."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow(split_layers=True)
    import tensorflow as tf

    made = []
    for kind, kernel, stride, wide, narrow in convolutions(stage, batch):
        tensors = {
            name: tf.random.normal(shape)
            for name, shape in (("wide", wide), ("narrow", narrow), ("kernel", kernel))
        }
        made.append((kind, stride, wide, kernel, tensors))

    @tf.function
    def step():
        results = []
        for kind, stride, wide, kernel, at in made:
            if kind == "forward":
                result = tf.nn.conv2d(at["wide"], at["kernel"], stride, "SAME")
            elif kind == "input":
                result = tf.nn.conv2d_transpose(at["narrow"], at["kernel"], wide, stride, "SAME")
            else:
                result = tf.raw_ops.Conv2DBackpropFilter(
                    input=at["wide"],
                    filter_sizes=kernel,
                    out_backprop=at["narrow"],
                    strides=[1, stride, stride, 1],
                    padding="SAME",
                )
            results.append(result[0, 0, 0, 0])
        return results

    steps = PICTURES // batch

    def epoch():
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return steps * batch / (time.perf_counter() - start)

    return epoch


def candidates(stage, batch):
    """What is compared: {name: function that makes it}."""
    peers = {
        name: functools.partial(torch_stage, stage, batch, *how) for name, how in PEERS.items()
    }
    return {
        "arn_keras": functools.partial(ours, stage, batch),
        **peers,
        "bound": functools.partial(bound, stage, batch),
    }


def main():
    """Runs the comparison and prints it."""
    given = parser(__doc__.splitlines()[0]).parse_args()
    if given.candidate:
        stage, batch, name = given.candidate.split("/")
        serve(candidates(stage, int(batch))[name])
        return
    figures = []
    print(f"pictures a second, {given.threads} threads, median of {given.rounds} rounds")
    for stage, batch in itertools.product(STAGES, BATCHES):
        names = [f"{stage}/{batch}/{name}" for name in candidates(stage, batch)]
        found = compare(__file__, names, given.rounds, given.threads)
        found = {name.rpartition("/")[2]: values for name, values in found.items()}
        peers = [name for name in found if name in PEERS]
        fastest = max(peers, key=lambda name: statistics.median(found[name]), default=None)
        print(f"\n{stage} stage, batch {batch}")
        for name, values in found.items():
            over = ratio(found, "arn_keras", name)
            wanted = f"  (at least {TARGETS[stage]})" if name == fastest else ""
            speed = statistics.median(values)
            print(f"  {name:<30}{speed:>8.0f}   ours over it {over:.2f}{wanted}")
            figures.append({"stage": stage, "batch": batch, "candidate": name})
            figures[-1] |= {"pictures_a_second": values, "ours_over_it": over}
            figures[-1]["least"] = TARGETS[stage] if name == fastest else None
    write(given.json, {"threads": given.threads, "figures": figures})


if __name__ == "__main__":
    sys.exit(main())
