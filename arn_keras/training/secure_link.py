"""The protected link of Section IV as a Keras model: the composite loss and its training step."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from arn_keras.channel.awgn import AWGN
from arn_keras.channel.listener import Listener, ear
from arn_keras.counts import refuse_below
from arn_keras.errors import ConfigError
from arn_keras.loss.composite import attack_power_loss, eve_confidence, mean_squared_error
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.training import classes, given, losses
from arn_keras.training.compiled import refuse
from arn_keras.training.composite_step import REPORTED, CompositeStep, inputs, outputs
from arn_keras.training.optimizer import FusedAdam, forget
from arn_keras.training.parts import classes_of_logits, end_of, fixed, fresh_weights, signal_shape
from arn_keras.training.running_mean import RunningMean
from arn_keras.training.seeded import seeded
from arn_keras.training.transmit import refuse_other_signals, transmit

_NO_PLACE = {
    "loss": "the loss is Eq. (19), give its terms as task_loss=, privacy_loss=, power_loss=",
    "metrics": "the terms of the loss, the powers and Eve's accuracy are reported as they are",
    "weighted_metrics": "the composite loss has no weights of sources",
}
_NO_WEIGHTS = {
    "sample_weight": "the composite loss has no weights of sources",
    "class_weight": "the composite loss has no weights of classes",
}


@keras.saving.register_keras_serializable("arn_keras")
class SecureLink(CompositeStep):
    """The protected link of Section IV: only the two ARNs are trained.

        L = w1 L1 + w2 L2 + w3 L3,   minimised over F_A and F_B only        (Eq. 19, 24)

    Transmitter, receiver and eavesdroppers are frozen: the step does not differentiate them, and
    they run with `training=False`, so that neither weights nor batch statistics move. What the
    modules add to the loss themselves (regularisation, `add_loss`) is added to L.

    Data: `x` is the sources s, or {"source": s, "signal": y} with the transmitter's output
    computed beforehand (`fit` on NumPy arrays does so itself, once). `y` is the private labels,
    class numbers [n] or [n, 1], or {"label": labels, "target": what Bob should recover} for a task
    other than reconstruction.

    Args:
        transmitter: trained Keras model from s to the signal y, real, [batch, ...].
        receiver: trained Keras model from the cleaned signal to s_hat.
        eavesdroppers: one Keras model from y_eve to logits, or several; several count alike.
        transmitter_arn: Alice's module y -> z; by default `build_transmitter_arn`.
        receiver_arn: Bob's module y_bob -> y_clean; by default `build_receiver_arn`.
        seed: integer seed of noise and order.
        preprocessing: Keras layer or registered function of the sources, and of the target where
            that is the source; None for nothing (8-bit images want `arn_keras.unit_interval`).
        keep_power: whether z is scaled to the power of y, source by source, before it is sent
            (`pair.power_kept.keep_power` makes the module that is deployed then).
        bob_channel, eve_channel: what each hears through, made anew; `AWGN()`, Eve's as Bob's.
        pauses: whether places of the signal that are all zeros are not sent, as padding is not.
        reach: of a range of SNRs, the base link's own task loss at two or more, from the low end to
            the high one, evenly: the terms of a source count by what is reachable at its SNR
            (`training.reach`); None for all alike.

    Raises:
        ConfigError: for models that do not fit, or an eavesdropper who ends in a softmax.
    """

    parts = ("transmitter", "receiver", "eavesdroppers", "transmitter_arn", "receiver_arn")
    channels = ("bob_channel", "eve_channel")
    traced = ("keep_power", "pauses")

    def __init__(
        self,
        transmitter: keras.Model,
        receiver: keras.Model,
        eavesdroppers: keras.Model | list[keras.Model],
        transmitter_arn: keras.Model | None = None,
        receiver_arn: keras.Model | None = None,
        seed: int = 0,
        preprocessing: Callable | None = None,
        keep_power: bool = False,
        bob_channel: Listener | None = None,
        eve_channel: Listener | None = None,
        pauses: bool = False,
        reach: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        given.refuse_no_flag(keep_power=keep_power, pauses=pauses)
        super().__init__(seed=seed, preprocessing=preprocessing, **kwargs)
        eavesdroppers = tuple(keras.tree.flatten(eavesdroppers))
        if not eavesdroppers:
            raise ConfigError("expected at least one eavesdropper, got none")
        modules = transmitter_arn, receiver_arn
        self._shape = signal_shape(transmitter, receiver, eavesdroppers, modules)
        self.classes = classes_of_logits(eavesdroppers, self._shape)
        self.transmitter = transmitter
        self.receiver = receiver
        self.eavesdroppers = eavesdroppers
        self.transmitter_arn = transmitter_arn or build_transmitter_arn(fixed(self._shape))
        self.receiver_arn = receiver_arn or build_receiver_arn(fixed(self._shape))
        self.keep_power, self.pauses = keep_power, pauses
        bob_channel = bob_channel or AWGN()
        self.bob_channel = ear(bob_channel, seed, "bob_channel")
        self.eve_channel = ear(eve_channel or bob_channel, seed + 1, "eve_channel")
        self.psr_db = self._setting("psr_db", -10.0)
        self.loss_weights = self._setting("loss_weights", (10.0, 10.0, 1.0))
        self.reach = None if reach is None else self._setting("reach", given.reach(reach))
        self.built = True  # every part is, and there is nothing else to build
        self._means = {name: RunningMean(name) for name in REPORTED}

    def trained(self) -> list[keras.Model]:
        """The two modules."""
        return [self.transmitter_arn, self.receiver_arn]

    def compile(
        self,
        optimizer: str | keras.Optimizer = "adam",
        task_loss: str | Callable = mean_squared_error,
        privacy_loss: Callable = eve_confidence,
        power_loss: Callable = attack_power_loss,
        shards: int = 1,
        loss_weights: tuple[float, float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.compile`, with the three terms of the composite loss.

        Args:
            optimizer: Keras optimizer or its name; "adam" is `FusedAdam`, the same up to rounding.
            task_loss: L2, (target, estimate) -> scalar or a loss a source; the MSE of Eq. (21).
            privacy_loss: L3, (logits, labels) -> scalar; Eve's confidence of Eq. (22), (23).
            power_loss: L1, (perturbation, budget) -> scalar; the excess of Eq. (20).
            shards: parts of a batch whose gradients are computed side by side, then averaged: as
                many cores are kept at work, also by what TensorFlow runs on one (its random
                numbers, say). Each draws noise of its own. A batch has at least so many sources.
            loss_weights: (w1, w2, w3) of Eq. (19), as of `fit`.
            **kwargs: `jit_compile`, `steps_per_execution`, `run_eagerly`, `auto_scale_loss`.

        Raises:
            ConfigError: for `loss`, `metrics` and `weighted_metrics`, which have no place here, or
                a task loss of logits for a receiver of probabilities, or the reverse.
        """
        refuse(kwargs, _NO_PLACE)
        refuse_below(1, shards=shards)
        task_loss = losses.only(task_loss)
        terms = {"task_loss": task_loss, "privacy_loss": privacy_loss, "power_loss": power_loss}
        for name, term in terms.items():
            if not callable(term) or isinstance(term, type):
                raise ConfigError(f"expected a function as {name}, got {term!r}")
            if name != "task_loss" and losses.is_of_keras(term):
                got = "a loss of Keras, which takes the truth first"
                raise ConfigError(f"expected a function of arn_keras.loss as {name}, got {got}")
        losses.refuse_sum(task_loss)
        losses.refuse_wrong_end(task_loss, end_of(self.receiver, self._shape))
        fused = isinstance(optimizer, str) and optimizer == "adam"
        super().compile(FusedAdam() if fused else optimizer, **kwargs)
        if loss_weights is not None:
            self.loss_weights.assign(given.loss_weights(loss_weights))
        self.shards = shards
        self.power_loss = power_loss
        self.task_loss = task_loss
        self.privacy_loss = privacy_loss

    def _compile_arguments(self):
        names = ("optimizer", "power_loss", "task_loss", "privacy_loss")
        return {
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names},
            "shards": self.shards,
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def get_config(self) -> dict[str, Any]:
        """Configuration for saving."""
        own = {"keep_power": self.keep_power, "pauses": self.pauses}
        reach = {} if self.reach is None else {"reach": self.reach.numpy().tolist()}
        return {**super().get_config(), **own, **reach}

    def restart(self, seed: int) -> None:
        """Makes the link a new one of this seed: modules, optimiser and epochs as at the beginning.

        The compiled step stays, as do SNR, budget, weights of the loss and the learning rate.

        Raises:
            ConfigError: for modules or an optimiser that `from_config` does not make anew.
        """
        given.refuse_no_seed(seed)
        self.seed = seed
        with seeded(seed):
            weights = [fresh_weights(module, self._shape) for module in self.trained()]
        for module, each in zip(self.trained(), weights, strict=True):
            module.set_weights(each)
        self.epochs_done.assign(0)
        if self.optimizer:
            forget(self.optimizer, self.trainable_variables)

    def fit(
        self,
        *args: Any,
        psr_db: float | None = None,
        loss_weights: tuple[float, float, float] | None = None,
        keep_power: bool | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """As `NoisyLink.fit`, with the budget and the weights of the loss.

        Args:
            *args: see `keras.Model.fit`.
            psr_db: P of Eq. (20) in dB relative to signal power 1.
            loss_weights: (w1, w2, w3) of Eq. (19).
            keep_power: as of the class, from now on.
            **kwargs: see `NoisyLink.fit` (`snr_db`) and `keras.Model.fit`.

        Raises:
            ConfigError: for values that cannot be, and `sample_weight` and `class_weight`.
        """
        refuse(kwargs, _NO_WEIGHTS)
        if psr_db is not None:
            self.psr_db.assign(given.level_db("psr_db", psr_db))
        if loss_weights is not None:
            self.loss_weights.assign(given.loss_weights(loss_weights))
        given.refuse_no_flag(keep_power=keep_power)
        self.keep_power = self.keep_power if keep_power is None else keep_power
        return super().fit(*args, **kwargs)

    def arrays(self, x: Any, y: Any) -> tuple:
        """Sources, their signals (the frozen transmitter's output, computed once) and labels."""
        x, y = inputs(x), outputs(y)
        if "signal" in x:
            refuse_other_signals(self.transmitter, x["source"], x["signal"], self.preprocessing)
        else:
            x = {**x, "signal": transmit(self.transmitter, x["source"], self.preprocessing)}
        labels, target = classes.labels_of(y["label"], self.classes), y.get("target")
        return x, labels if target is None else {"label": labels, "target": self._numbers(target)}

    def prepared(self, data: Any, looked_at: bool = False) -> tuple:
        """A batch with labels as class numbers; a dictionary where it was one."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        refuse({"sample_weight": sample_weight}, _NO_WEIGHTS)
        x, y = given.real(inputs(x)), outputs(y)
        labels = classes.labels_of(y["label"], self.classes, looked_at)
        target = y.get("target")
        if target is None:
            return x, labels
        return x, {"label": labels, "target": self._numbers(given.real(target), looked_at)}

    def _numbers(self, target, looked_at=False):
        where = self.receiver, self._shape
        return classes.target_numbers(self.task_loss, target, *where, looked_at)

    def call(self, source: Any, training: bool = False) -> Any:
        """Source s to Bob's estimate s_hat with both modules in place (Eq. 13)."""
        return self.signals(source, training).estimate
