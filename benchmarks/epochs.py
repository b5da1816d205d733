"""Sources a second of whole batches, in one `fit` of Keras or in a loop as PyTorch has it."""

import itertools
import time


def of_keras(link, x, labels, sources, batch, epochs):
    """A function that trains for so many epochs and returns the sources a second.

    What `fit` does before its first step and after its last does not count.
    """
    import keras

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.start = time.perf_counter()

        def on_train_end(self, logs=None):
            self.seconds = time.perf_counter() - self.start

    clock, starts = Clock(), itertools.count(step=epochs)

    def turn():
        start = next(starts)
        link.fit(
            x,
            labels,
            batch_size=batch,
            drop_remainder=True,
            initial_epoch=start,
            epochs=start + epochs,
            callbacks=[clock],
            verbose=0,
        )
        return epochs * (sources - sources % batch) / clock.seconds

    return turn


def of_torch(loss, optimizer, sources, batch, epochs):
    """The same of a function from the numbers of a batch's sources to a loss."""
    import torch

    whole = sources - sources % batch

    def turn():
        start = time.perf_counter()
        for _ in range(epochs):
            for rows in torch.randperm(sources)[:whole].split(batch):
                optimizer.zero_grad(set_to_none=True)
                loss(rows).backward()
                optimizer.step()
        return epochs * whole / (time.perf_counter() - start)

    return turn
