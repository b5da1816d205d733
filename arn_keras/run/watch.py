"""What is seen of a stage while it is trained: TensorBoard's pages, or a line of JSON an epoch.

Nothing here draws from a training's random numbers: a watched run gives the models of any other.
Left out: graphs and profiles, which `keras.callbacks.TensorBoard` has for who fits by hand.
"""

import keras
import numpy as np
import tensorflow as tf

from arn_keras.arguments import json_line
from arn_keras.channel.listener import ear
from arn_keras.run.stages import ARN, LINK, MODULES
from arn_keras.system import forward
from arn_keras.task.extent import brightness

#: Pictures of Bob's, test sources that Eve is asked about, and epochs from one view to the next.
PICTURES, SOURCES, EVERY = 8, 1000, 5


def callbacks(problem, stage, folder=None, log_json=False):
    """Keras callbacks of a stage.

    Args:
        problem: `problem.Problem`.
        stage: its name.
        folder: where TensorBoard's files go, one folder a stage; None for none.
        log_json: whether each epoch's figures are printed as a line of JSON.
    """
    found = [EpochLines(stage)] if log_json else []
    if folder is not None:
        board = keras.callbacks.TensorBoard(folder / stage, write_graph=False)
        found += [board, Views(problem, stage, folder / stage)]
    return found


class EpochLines(keras.callbacks.Callback):
    """Prints a line of JSON an epoch: `stage`, `epoch`, `of`, `learning_rate`, each loss term."""

    def __init__(self, stage):
        super().__init__()
        self._stage = stage

    def on_epoch_end(self, epoch, logs=None):
        """Prints the line."""
        rate = float(self.model.optimizer.learning_rate)
        figures = {name: float(value) for name, value in (logs or {}).items()}
        counted = {"epoch": epoch + 1, "of": self.params["epochs"]}
        json_line("epoch", stage=self._stage, **counted, learning_rate=rate, **figures)


class Views(keras.callbacks.Callback):
    """Bob's pictures and Eve's confusion on test sources, every few epochs and at the end.

    Args:
        problem: `problem.Problem`.
        stage: its name.
        folder: of this stage's TensorBoard files.
    """

    def __init__(self, problem, stage, folder):
        super().__init__()
        kind = stage.partition("/")[0]
        self._problem, self._kind = problem, kind if kind in (LINK, ARN, MODULES) else "eve"
        self._few = problem.dataset.test.part(slice(SOURCES))
        self._ears = {
            name: ear(channel, seed, f"{name}_watched")
            for seed, (name, channel) in enumerate(problem.channels.items())
        }
        self._writer = tf.summary.create_file_writer(str(folder / "views"))

    def on_epoch_end(self, epoch, logs=None):
        """Writes what there is to see of this kind of stage."""
        if (epoch + 1) % EVERY and epoch + 1 < self.params["epochs"]:
            return
        shown, logits = self._seen()
        with self._writer.as_default(epoch):
            ends = self._problem.task.shown({}).get("ends")
            if shown is not None and ends is not None and shown.shape[-1] in (1, 3):
                sent = np.asarray(self._problem.dataset.targets(self._few.part(slice(PICTURES))))
                beside = np.concatenate([sent, shown[:PICTURES]], axis=2)
                tf.summary.image("sent, and what Bob sees", brightness(beside, ends), max_outputs=8)
            if logits is not None:
                picture = confusion_picture(self._few.label, logits)
                tf.summary.image("Eve's confusion", picture[np.newaxis])
        self._writer.flush()

    def _seen(self):
        """Bob's estimates and Eve's logits, each None where this stage has none."""
        link, config = self.model, self._problem.config
        snr_db = sum(config.snr_db) / 2
        for heard in self._ears.values():
            heard.reseed([config.seed, 0])
        if self._kind == LINK:
            prepared = self._problem.dataset.prepared(self._few.source)
            signal = link.transmitter(prepared, training=False)
            return np.asarray(self._through(signal, link.receiver, snr_db).estimate), None
        signal = tf.convert_to_tensor(self._problem.transmit(self._few))
        if self._kind == ARN:
            modules = {
                "transmitter_module": link.transmitter_arn,
                "receiver_module": link.receiver_arn,
                "keep_power": self._problem.keeps_power,
            }
            signals = self._through(signal, link.receiver, snr_db, **modules)
            logits = link.eavesdroppers[0](signals.overheard, training=False)
            return np.asarray(signals.estimate), np.asarray(logits)
        if self._kind == MODULES:
            return None, None
        overheard = self._ears["eve_channel"](signal, snr_db=snr_db)
        return None, np.asarray(link.classifier(overheard, training=False))

    def _through(self, signal, receiver, snr_db, **modules):
        return forward(signal, snr_db, receiver=receiver, **self._ears, **modules)


def confusion_picture(labels, logits):
    """How often Eve says each label of each label's sources, as a picture [h, w, 3] of bytes.

    Args:
        labels: true ones, integers, [sources].
        logits: hers, [sources, classes].
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shares = confusion(labels, logits)
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(shares, vmin=0, vmax=1, cmap="cividis")
    right = np.mean(np.argmax(logits, axis=-1) == np.asarray(labels))
    axis.set(xlabel="Eve says", ylabel="label", title=f"Eve is right: {right:.0%}")
    figure.colorbar(image)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def confusion(labels, logits):
    """Shares of what Eve says (columns) of each label's sources (rows); 0 where there are none."""
    counts = np.zeros([logits.shape[-1]] * 2)
    np.add.at(counts, (np.asarray(labels), np.argmax(logits, axis=-1)), 1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
