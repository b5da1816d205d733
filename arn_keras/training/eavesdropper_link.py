"""The Alice-Eve link as a Keras model: Eve, or a substitute for her, learns from what she hears."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from arn_keras.channel.awgn import AWGN
from arn_keras.channel.listener import Listener, ear
from arn_keras.errors import ConfigError, DataError
from arn_keras.system import full_precision
from arn_keras.training import classes, given, losses
from arn_keras.training.noisy_link import NoisyLink
from arn_keras.training.parts import classes_of, end_of, refuse_misfit, refuse_other_ends
from arn_keras.training.taken import taken_by


@keras.saving.register_keras_serializable("arn_keras")
class EavesdropperLink(NoisyLink):
    """The Alice-Eve link: signal -> protection -> y_eve -> logits, Eq. (11), (14).

    `fit(signals, labels)` trains the classifier only; labels are class numbers, [n] or [n, 1],
    unless the compiled loss is another than one of class numbers.

    Args:
        classifier: Keras model from y_eve to logits.
        protection: Keras model y -> z in front of the channel, which is not trained; or None.
        seed: integer seed of noise and order.
        preprocessing: Keras layer or registered function of the signals; None for nothing.
        channel: what Eve hears through, made anew with the link's seed; `AWGN()` by default.
    """

    parts = ("classifier", "protection")
    channels = ("channel",)

    def __init__(
        self,
        classifier: keras.Model,
        protection: keras.Layer | None = None,
        seed: int = 0,
        preprocessing: Callable | None = None,
        channel: Listener | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, preprocessing=preprocessing, **kwargs)
        self.classifier = classifier
        self.protection = protection
        refuse_other_ends("a classifier", classifier)
        if protection is not None:
            refuse_other_ends("a protection", protection)
            refuse_misfit("a protection", protection, classifier)
        self.channel = ear(channel or AWGN(), seed, "eve_channel")
        self.built = classifier.built

    def trained(self) -> list[keras.Model]:
        """The classifier."""
        return [self.classifier]

    def compile(
        self, optimizer: str | keras.Optimizer = "rmsprop", loss: Any = None, **kwargs: Any
    ) -> None:
        """As `keras.Model.compile`, all of it.

        Raises:
            ConfigError: if a loss of logits meets a classifier of probabilities, or the reverse.
        """
        self._loss, self._measures = losses.only(loss), kwargs
        self._refuse_wrong_end(end_of(self.classifier))
        self._classes = None  # known from the first signals on
        super().compile(optimizer=optimizer, loss=self._loss, **kwargs)

    def _refuse_wrong_end(self, end):
        losses.refuse_wrong_end(self._loss, end)
        losses.refuse_wrong_metrics(self._measures, self._loss, end)

    def make_train_function(self, force: bool = False) -> None:
        """As `keras.Model.make_train_function`.

        Raises:
            ConfigError: for a classifier that cannot learn: it would pass for a fooled one.
        """
        if any(weight.dtype in ("int8", "uint8") for weight in self.classifier.weights):
            raise ConfigError(
                f"expected a classifier that can learn, got {self.classifier.name!r}, which is "
                "quantised: its biases alone would"
            )
        if self.classifier.built and not self.trainable_variables:
            raise ConfigError(
                f"expected a classifier that can learn, got {self.classifier.name!r} without "
                "trainable weights: set its trainable = True"
            )
        return super().make_train_function(force)

    def _labels(self, y, signal, looked_at=False):
        if self._classes is None:
            shape = tuple(signal.shape[1:])
            self._refuse_wrong_end(end_of(self.classifier, shape))
            self._classes = classes_of(self.classifier, shape)
        return classes.labels_of(y, self._classes, looked_at)

    def arrays(self, x: Any, y: Any) -> tuple:
        """Signals and labels."""
        x = given.named(x, ("signal",))["signal"]
        if y is None:
            raise DataError("expected labels of the signals, got none")
        if classes.takes_class_numbers(self._loss):
            y = self._labels(y, x)
        return x, y

    def prepared(self, data: Any, looked_at: bool = False) -> tuple:
        """Signals under no name, labels as class numbers."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        signal = given.real(given.named(x, ("signal",))["signal"])
        if y is None:
            raise DataError("expected labels of the signals, got none")
        if classes.takes_class_numbers(self._loss):
            y = self._labels(y, signal, looked_at)
        return keras.utils.pack_x_y_sample_weight(signal, y, sample_weight)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """The compiled loss, against labels in the shape that it compares."""
        return super().compute_loss(x, self._fitted(y, y_pred), y_pred, *args, **kwargs)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The compiled metrics, against the labels that the loss compares."""
        return super().compute_metrics(x, self._fitted(y, y_pred), y_pred, sample_weight)

    def _fitted(self, y, y_pred):
        if y is None or classes.takes_class_numbers(self._loss):
            return y
        return losses.fitted_target(self._loss, ops.cast(y, y_pred.dtype), y_pred)

    def call(self, signal: Any, training: bool = False) -> Any:
        """Signal y to Eve's logits."""
        signal = given.named(signal, ("signal",))["signal"]
        signal = given.prepared_by(self.preprocessing, signal)
        signal = taken_by(self.classifier if self.protection is None else self.protection, signal)
        signal = full_precision(signal)
        if self.protection is not None:
            protected = self.protection(signal, training=False)
            signal = tf.stop_gradient(full_precision(protected))
        overheard = self.channel(signal, self.draw_snr_db(signal))
        return full_precision(self.classifier(overheard, training=training))
