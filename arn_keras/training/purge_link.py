"""Training of the purge: Bob's loss, the entropy of the choice, and the excess of sent power."""

import keras
import numpy as np
from keras import ops

from arn_keras.channel.awgn import AWGN
from arn_keras.channel.listener import ear
from arn_keras.errors import DataError
from arn_keras.pair.purge import build_identity, build_purge
from arn_keras.power import mean_power
from arn_keras.system import full_precision
from arn_keras.training import classes, given
from arn_keras.training.algorithm_1 import stage_seed
from arn_keras.training.compiled import refuse
from arn_keras.training.noisy_link import NoisyLink
from arn_keras.training.parts import classes_of_logits, signal_shape
from arn_keras.training.taken import taken_by

#: (of the choice's entropy in nats, of the excess of power): Bob's cross-entropy weighs 1.
WEIGHTS = (0.1, 10.0)

_OF_PURGE = "the loss is Bob's, the entropy of the choice and the excess of power, as they are"
_NO_PLACE = dict.fromkeys(("loss", "loss_weights", "metrics", "weighted_metrics"), _OF_PURGE)
_NO_WEIGHTS = {"sample_weight": "the loss of the purge has no weights of sources or classes"}


@keras.saving.register_keras_serializable("arn_keras")
class PurgeLink(NoisyLink):
    """Signal -> purge -> noise -> Bob's frozen receiver: y, z, z + n_bob, logits.

    `fit(signals, labels)`, labels of Bob's task, minimises over the purge alone

        L = CE(logits, label) + w_H H(p) + w_P max(0, mean(z^2) - 1)

    with p the choice among the centers. Neither an eavesdropper nor a private label is in it.

    Args:
        module: `pair.purge.build_purge`.
        receiver: trained, y -> logits.
        seed: integer seed of noise and order.
        channel: what Bob hears through, made anew with the link's seed; `AWGN()` by default.
    """

    parts = ("module", "receiver")
    channels = ("channel",)

    def __init__(self, module, receiver, seed=0, channel=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self._classes = classes_of_logits([receiver], signal_shape(module, receiver))
        self.module, self.receiver = module, receiver
        self._taps = keras.Model(module.input, [module.get_layer("choice").output, module.output])
        self.channel = ear(channel or AWGN(), seed, "bob_channel")

    def trained(self):
        """The module."""
        return [self.module]

    def compile(self, optimizer="adam", **kwargs):
        """As `keras.Model.compile`, with the loss that the link has.

        Raises:
            ConfigError: for another loss, its weights or metrics, by name.
        """
        refuse(kwargs, _NO_PLACE)
        super().compile(optimizer=optimizer, **kwargs)

    def arrays(self, x, y):
        """Signals, and the labels of Bob's task."""
        return given.named(x, ("signal",))["signal"], self._labels(y)

    def prepared(self, data, looked_at=False):
        """Signals under no name, labels as class numbers."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        refuse({"sample_weight": sample_weight}, _NO_WEIGHTS)
        signal = given.real(given.named(x, ("signal",))["signal"])
        return signal, self._labels(y, looked_at)

    def _labels(self, y, looked_at=False):
        if y is None:
            raise DataError("expected labels of Bob's task, got none")
        return classes.labels_of(y, self._classes, looked_at)

    def call(self, signal, training=False):
        """Signal y to {"choice": p, "sent": z, "logits": Bob's}."""
        signal = given.named(signal, ("signal",))["signal"]
        signal = taken_by(self.module, given.prepared_by(self.preprocessing, signal))
        signal = full_precision(signal)
        choice, sent = map(full_precision, self._taps(signal, training=training))
        received = self.channel(sent, self.draw_snr_db(sent))
        logits = full_precision(self.receiver(received, training=False))
        return {"choice": choice, "sent": sent, "logits": logits}

    def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs):
        """The loss L, a scalar."""
        choice = y_pred["choice"]
        reads = keras.losses.sparse_categorical_crossentropy(y, y_pred["logits"], from_logits=True)
        entropy = -ops.sum(choice * ops.log(choice + 1e-9), axis=-1)
        excess = ops.relu(mean_power(y_pred["sent"]) - 1.0)
        loss = ops.mean(reads + WEIGHTS[0] * entropy + WEIGHTS[1] * excess)
        return sum((full_precision(each) for each in self.losses), loss)


def train(receiver, signals, targets, schedule, *, snr_db, seed, checkpoint_dir, channel=None):
    """Trains the purge of one link.

    Args:
        receiver: Bob's frozen one, y -> logits.
        signals: y of the training sources.
        targets: labels of Bob's task, integers, [sources].
        schedule: `algorithm_1.Schedule`.
        snr_db: SNR in dB, or (low, high).
        seed: integer.
        checkpoint_dir: where the state after each epoch is kept.
        channel: what Bob hears through; `AWGN()` by default.

    Returns:
        {"transmitter": the purge, "receiver": the identity}.
    """
    seed = stage_seed(seed, "purge")
    keras.utils.set_random_seed(seed)
    shape = tuple(signals.shape[1:])
    module = build_purge(shape, receiver.output_shape[-1])
    # From centers that Bob reads alike, a choice grows sure before they part.
    module.get_layer("centers").set_weights([_means(signals, targets, receiver.output_shape[-1])])
    link = PurgeLink(module, receiver, seed=seed, channel=channel, name="purge")
    schedule.compile(link, len(signals))
    schedule.fit(link, signals, targets, snr_db=snr_db, checkpoint_dir=checkpoint_dir)
    return {"transmitter": module, "receiver": build_identity(shape)}


def _means(signals, labels, count):
    """The mean signal of each label, [count, k]; 0 for a label without any."""
    total = np.zeros((count, signals[0].size))
    np.add.at(total, labels, signals.reshape(len(signals), -1))
    return total / np.maximum(np.bincount(labels, minlength=count), 1)[:, None]
