"""Sources a second in training, beside PyTorch with the same mathematics.

    python benchmarks/train_speed.py [--json FILE] [--rounds N] [--threads N]

The ARN stage and the base stage at batches of 256 and 1024: same layers, batch, optimiser, noise
and data (60,000 sources of 28x28x1, random), four epochs a turn, in one `fit` as in a stage, whole
batches only. PyTorch runs on tensors in memory, shuffled by index, the frozen transmitter's output
computed once: as fast as it is usually written.
`bound` is the time of the stage's matrix products alone, in TensorFlow; nothing else is counted.
Needs the extra `bench`; a candidate that is not installed is left out, and named.
"""

import functools
import itertools
import statistics
import sys
import time

import epochs
import numpy as np
from turns import compare, parser, ratio, serve, write

SOURCES, PIXELS, SYMBOLS, CLASSES = 60_000, 784, 128, 10
TRANSMITTER, RECEIVER = (PIXELS, 256, 256, SYMBOLS), (SYMBOLS, 256, 256, PIXELS)
ARN, EVE = (SYMBOLS, 256, 256, SYMBOLS), (SYMBOLS, 256, 128, 64, CLASSES)
EPOCHS = 4  # of a turn
RATE, SNR_DB, PSR_DB, WEIGHTS = 2e-3, 10.0, -10.0, (10.0, 10.0, 1.0)
STAGES, BATCHES = ("arn", "base"), (256, 1024)
TARGETS = {  # least ratio of ours to the other's sources a second
    ("arn", 256): {"torch": 1.5, "torch.compile": 1.5, "bound": 0.6},
    ("arn", 1024): {"torch": 1.4, "torch.compile": 1.4, "bound": 0.7},
    ("base", 256): {"torch": 1.2},
    ("base", 1024): {},
}


def data():
    """Sources of 8 bits and labels; speed does not depend on their values."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (SOURCES, 28, 28, 1), np.uint8)
    return images, generator.integers(0, CLASSES, SOURCES)


def ours(stage, batch, threads):
    """Epochs of one `fit`, as the stages of train.py run it; its arrays are filled in before."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow()
    from arn_keras import SecureLink, SemanticLink, unit_interval
    from arn_keras.eve.dense import build_eavesdropper
    from arn_keras.link.dense import build_receiver, build_transmitter
    from arn_keras.training.algorithm_1 import Schedule
    from arn_keras.training.transmit import transmit

    images, labels = data()
    parts = build_transmitter((28, 28, 1)), build_receiver((28, 28, 1))
    schedule = Schedule(epochs=1000, batch_size=batch, learning_rate=RATE, shards=min(2, threads))
    if stage == "arn":
        x = {"source": images, "signal": transmit(parts[0], images, unit_interval)}
        eve = build_eavesdropper((SYMBOLS,), CLASSES)
        link = SecureLink(*parts, eve, preprocessing=unit_interval)
        schedule.compile(link, SOURCES, shards=schedule.shards)
    else:
        x, labels = images, None
        link = SemanticLink(*parts, preprocessing=unit_interval)
        schedule.compile(link, SOURCES, loss="mse")

    return epochs.of_keras(link, x, labels, SOURCES, batch, EPOCHS)


def torch_stage(stage, batch, compiled):
    """The same epochs in PyTorch."""
    import torch
    from torch import nn
    from torch_stages import loss_and_optimizer

    torch.manual_seed(0)
    images, labels = (torch.from_numpy(array) for array in data())
    images = images.reshape(SOURCES, PIXELS)

    def dense(*sizes, last=None):
        layers = []
        for into, out in itertools.pairwise(sizes):
            layers += [nn.Linear(into, out), nn.ReLU()]
        return nn.Sequential(*layers[:-1], *([last] if last else []))

    transmitter, receiver = dense(*TRANSMITTER), dense(*RECEIVER, last=nn.Sigmoid())

    def transmit(source):
        return nn.functional.normalize(transmitter(source), dim=1) * SYMBOLS**0.5

    if stage == "arn":
        residual, bobs, eve = dense(*ARN), dense(*ARN), dense(*EVE)
        for frozen in (receiver, eve):
            frozen.requires_grad_(False)
        trained = [*residual.parameters(), *bobs.parameters()]
        modules = (lambda signal: signal + residual(signal)), (lambda heard: heard - bobs(heard))
        models = transmit, receiver, eve, *modules
    else:
        trained = [*transmitter.parameters(), *receiver.parameters()]
        models = transmit, receiver, None, None, None
    how = {"snr_db": SNR_DB, "psr_db": PSR_DB, "weights": WEIGHTS, "rate": RATE}
    loss, optimizer = loss_and_optimizer(stage, images, labels, models, trained, **how)
    if compiled:
        loss = torch.compile(loss)
    return epochs.of_torch(loss, optimizer, SOURCES, batch, EPOCHS)


def products(stage):
    """Inner sizes of a stage's matrix products: forward, to the input, to the weights."""

    def layers(sizes, trained, through):
        for into, out in itertools.pairwise(sizes):
            yield "forward", into, out
            if trained:
                yield "weights", into, out
            if through:
                yield "input", into, out
            through = True

    if stage == "base":
        return [*layers(TRANSMITTER, True, False), *layers(RECEIVER, True, True)]
    modules = [*layers(ARN, True, False), *layers(ARN, True, True)]
    return [*modules, *layers(RECEIVER, False, True), *layers(EVE, False, True)]


def bound(stage, batch):
    """The products of the steps of these epochs."""
    from arn_keras.backend import load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    shapes = {
        "forward": lambda into, out: ((batch, into), (into, out)),
        "input": lambda into, out: ((batch, out), (out, into)),
        "weights": lambda into, out: ((into, batch), (batch, out)),
    }
    pairs = [
        [tf.random.normal(shape) for shape in shapes[kind](into, out)]
        for kind, into, out in products(stage)
    ]

    @tf.function
    def step():
        return [tf.matmul(*pair)[0, 0] for pair in pairs]

    def epochs():
        steps = EPOCHS * (SOURCES // batch)
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return steps * batch / (time.perf_counter() - start)

    return epochs


def candidates(stage, batch, threads):
    """What is compared: {name: function that makes it}."""
    return {
        "arn_keras": functools.partial(ours, stage, batch, threads),
        "torch": functools.partial(torch_stage, stage, batch, False),
        "torch.compile": functools.partial(torch_stage, stage, batch, True),
        "bound": functools.partial(bound, stage, batch),
    }


def main():
    """Runs the comparison and prints it."""
    given = parser(__doc__.splitlines()[0]).parse_args()
    if given.candidate:
        stage, batch, name = given.candidate.split("/")
        serve(candidates(stage, int(batch), given.threads)[name])
        return
    figures = []
    print(f"sources a second, {given.threads} threads, median of {given.rounds} rounds")
    for stage, batch in itertools.product(STAGES, BATCHES):
        names = [f"{stage}/{batch}/{name}" for name in candidates(stage, batch, given.threads)]
        found = compare(__file__, names, given.rounds, given.threads)
        found = {name.rpartition("/")[2]: values for name, values in found.items()}
        print(f"\n{stage} stage, batch {batch}")
        for name, values in found.items():
            over, least = ratio(found, "arn_keras", name), TARGETS[stage, batch].get(name)
            wanted = f"  (at least {least})" if least else ""
            print(
                f"  {name:<14}{statistics.median(values):>10.0f}   ours over it {over:.2f}{wanted}"
            )
            figures.append({"stage": stage, "batch": batch, "candidate": name, "least": least})
            figures[-1] |= {"sources_a_second": values, "ours_over_it": over}
    write(given.json, {"threads": given.threads, "figures": figures})


if __name__ == "__main__":
    sys.exit(main())
