"""The base link of Section III as a Keras model: trained end to end over the noisy channel."""

from collections.abc import Callable
from typing import Any

import keras

from arn_keras.channel.awgn import AWGN
from arn_keras.channel.listener import Listener, ear
from arn_keras.system import full_precision
from arn_keras.training import classes, given, losses
from arn_keras.training.noisy_link import NoisyLink
from arn_keras.training.parts import end_of, signal_shape
from arn_keras.training.taken import taken_by


@keras.saving.register_keras_serializable("arn_keras")
class SemanticLink(NoisyLink):
    """The base link s -> y -> y + n -> s_hat, Eq. (4)-(8).

    `fit(sources)` learns to give back the sources; `fit(sources, targets)` learns another task. A
    transmitter of several inputs takes them as a tuple, or as {"source": {name: array}}.

    Args:
        transmitter: Keras model from s to the signal y, of mean power 1, real, [batch, ...].
        receiver: Keras model from a received signal to s_hat.
        seed: integer seed of noise and order.
        preprocessing: Keras layer or registered function of the sources, and of the target where
            that is the source; None for nothing (8-bit images want `arn_keras.unit_interval`).
        channel: what Bob hears through, made anew with the link's seed; `AWGN()` by default.
    """

    parts = ("transmitter", "receiver")
    channels = ("channel",)

    def __init__(
        self,
        transmitter: keras.Model,
        receiver: keras.Model,
        seed: int = 0,
        preprocessing: Callable | None = None,
        channel: Listener | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, preprocessing=preprocessing, **kwargs)
        self._shape = signal_shape(transmitter, receiver)
        self.transmitter = transmitter
        self.receiver = receiver
        self.channel = ear(channel or AWGN(), seed, "bob_channel")
        self.built = transmitter.built and receiver.built

    def trained(self) -> list[keras.Model]:
        """Both."""
        return [self.transmitter, self.receiver]

    def compile(
        self, optimizer: str | keras.Optimizer = "rmsprop", loss: Any = None, **kwargs: Any
    ) -> None:
        """As `keras.Model.compile`, all of it.

        Raises:
            ConfigError: if a loss of logits meets a receiver of probabilities, or the reverse.
        """
        self._loss, end = losses.only(loss), end_of(self.receiver, self._shape)
        losses.refuse_wrong_end(self._loss, end)
        losses.refuse_wrong_metrics(kwargs, self._loss, end)
        super().compile(optimizer=optimizer, loss=self._loss, **kwargs)

    def arrays(self, x: Any, y: Any) -> tuple:
        """Sources under no name, and targets."""
        return super().arrays(self._source(x), None if y is None else self._numbers(y))

    def prepared(self, data: Any, looked_at: bool = False) -> tuple:
        """Sources under no name, and their target: by default the sources themselves (Eq. 21)."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        source = given.real(self._source(x))
        y = None if y is None else self._numbers(given.real(y), looked_at)
        target = self._target(source, y)
        return keras.utils.pack_x_y_sample_weight(source, target, sample_weight)

    def call(self, source: Any, training: bool = False) -> Any:
        """Source s to estimate s_hat over the noisy channel."""
        source = self._source(source)
        source = given.prepared_by(self.preprocessing, source)
        source = taken_by(self.transmitter, source)
        signal = full_precision(self.transmitter(source, training=training))
        received = self.channel(signal, self.draw_snr_db(signal))
        return full_precision(self.receiver(received, training=training))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """The compiled loss, against a target in the shape and type that it compares."""
        y = losses.fitted_target(self._loss, self._target(x, y), y_pred)
        weight = losses.fitted_weight(self._loss, sample_weight, y_pred)
        return super().compute_loss(x, y, y_pred, weight, *args, **kwargs)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The compiled metrics, against the target that the loss compares."""
        y = losses.fitted_target(self._loss, self._target(x, y), y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _source(self, x):
        """Sources under no name; several inputs of the transmitter are a dictionary themselves."""
        inputs = {each.name for each in getattr(self.transmitter, "inputs", None) or ()}
        is_source = isinstance(x, dict) and len(inputs) > 1 and x.keys() == inputs
        return x if is_source else given.named(x, ("source",))["source"]

    def _numbers(self, y, looked_at=False):
        return classes.target_numbers(self._loss, y, self.receiver, self._shape, looked_at)

    def _target(self, x, y):
        # Keras builds losses and metrics, on several devices, from what `fit` was given.
        if y is not None:
            return y
        return given.target_of(self._source(x), self.preprocessing)
