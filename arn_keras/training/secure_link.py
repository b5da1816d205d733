"""The protected link of Section IV as a Keras model: the composite loss and its training step."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from arn_keras.channel.awgn import AWGN
from arn_keras.loss.composite import attack_power_loss, eve_confidence, mean_squared_error
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.power import db_to_ratio, mean_power
from arn_keras.system import forward, full_precision, unit_interval
from arn_keras.training.batches import in_shards
from arn_keras.training.noisy_link import NoisyLink, signal_shape
from arn_keras.training.optimizer import forget
from arn_keras.training.transmit import transmit

_TERMS = ("loss", "attack_power_loss", "task_loss", "eve_confidence")
_REPORTED = (*_TERMS, "perturbation_power", "eve_accuracy")


@keras.saving.register_keras_serializable("arn_keras")
class SecureLink(NoisyLink):
    """The protected link of Section IV: only the two ARNs are trained.

        L = w1 L1 + w2 L2 + w3 L3,   minimised over F_A and F_B only        (Eq. 19, 24)

    Transmitter, receiver and eavesdroppers are frozen: `trainable` is set to False and they run
    with `training=False`, so that neither weights nor batch statistics move.

    Data: `x` is the sources s, or {"source": s, "signal": y} with the transmitter's output
    computed beforehand (`fit` on NumPy arrays does so itself, once). `y` is the private labels, or
    {"label": labels, "target": what Bob should recover} for a task other than reconstruction.

    Args:
        transmitter: trained Keras model from s to the signal y, real, [batch, ...].
        receiver: trained Keras model from the cleaned signal to s_hat.
        eavesdroppers: one Keras model from y_eve to logits, or several; several count alike.
        transmitter_arn: Alice's module y -> z; by default `build_transmitter_arn`.
        receiver_arn: Bob's module y_bob -> y_clean; by default `build_receiver_arn`.
        seed: integer seed of noise and order.
    """

    parts = ("transmitter", "receiver", "eavesdroppers", "transmitter_arn", "receiver_arn")

    def __init__(
        self,
        transmitter,
        receiver,
        eavesdroppers,
        transmitter_arn=None,
        receiver_arn=None,
        seed=0,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        if not isinstance(eavesdroppers, list | tuple):
            eavesdroppers = [eavesdroppers]
        shape = signal_shape(transmitter, receiver, eavesdroppers)
        self.transmitter = transmitter
        self.receiver = receiver
        self.eavesdroppers = list(eavesdroppers)
        for frozen in (transmitter, receiver, *eavesdroppers):
            frozen.trainable = False
        self.transmitter_arn = transmitter_arn or build_transmitter_arn(shape)
        self.receiver_arn = receiver_arn or build_receiver_arn(shape)
        self.bob_channel = AWGN(seed, name="bob_channel")
        self.eve_channel = AWGN(seed + 1, name="eve_channel")
        self.psr_db = self._setting("psr_db", -10.0)
        self.loss_weights = self._setting("loss_weights", (10.0, 10.0, 1.0))
        self.built = True  # every part is, and there is nothing else to build
        self._means = {name: keras.metrics.Mean(name) for name in _REPORTED}

    def _setting(self, name, value):
        setting = self.add_weight(ops.shape(value), trainable=False, dtype="float32", name=name)
        setting.assign(value)
        return setting

    def compile(
        self,
        optimizer="adam",
        task_loss=mean_squared_error,
        privacy_loss=eve_confidence,
        power_loss=attack_power_loss,
        shards=1,
        **kwargs,
    ):
        """As `keras.Model.compile`, with the three terms of the composite loss.

        Args:
            optimizer: Keras optimizer or its name.
            task_loss: L2, (target, estimate) -> scalar or a loss a source; the MSE of Eq. (21).
            privacy_loss: L3, (logits, labels) -> scalar; Eve's confidence of Eq. (22), (23).
            power_loss: L1, (perturbation, budget) -> scalar; the excess of Eq. (20).
            shards: parts of a batch whose gradients are computed side by side, then averaged: as
                many cores are kept at work, also by what TensorFlow runs on one (its random
                numbers, say). Each draws noise of its own. A batch has at least so many sources.
            **kwargs: `jit_compile`, `steps_per_execution` and the like.
        """
        if shards < 1:
            raise ValueError(f"expected shards >= 1, got {shards}")
        super().compile(optimizer=optimizer, **kwargs)
        self.shards = shards
        self.power_loss = power_loss
        self.task_loss = keras.losses.get(task_loss)
        self.privacy_loss = privacy_loss

    def get_compile_config(self):
        """What `compile` was given, for saving."""
        return {
            **{
                name: keras.saving.serialize_keras_object(getattr(self, name))
                for name in ("optimizer", "power_loss", "task_loss", "privacy_loss")
            },
            "shards": self.shards,
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config):
        """Compiles as it was when saved, ready for the optimiser's state."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def restart(self, seed):
        """Makes the link a new one of this seed: modules and optimiser as at the beginning.

        The compiled step stays. For modules of `build_transmitter_arn`, `build_receiver_arn`.
        """
        keras.utils.set_random_seed(seed)
        self.seed = seed
        shape = self.transmitter_arn.input_shape[1:]
        for module, build in (
            (self.transmitter_arn, build_transmitter_arn),
            (self.receiver_arn, build_receiver_arn),
        ):
            module.set_weights(build(shape).get_weights())
        forget(self.optimizer)

    def fit(self, *args, psr_db=None, loss_weights=None, **kwargs):
        """As `NoisyLink.fit`, with the budget and the weights of the loss.

        Args:
            *args: see `keras.Model.fit`.
            psr_db: P of Eq. (20) in dB relative to signal power 1.
            loss_weights: (w1, w2, w3) of Eq. (19).
            **kwargs: see `NoisyLink.fit` (`snr_db`) and `keras.Model.fit`.
        """
        if psr_db is not None:
            if not math.isfinite(psr_db):
                raise ValueError(f"expected a finite psr_db, got {psr_db}")
            self.psr_db.assign(psr_db)
        if loss_weights is not None:
            weights = np.asarray(loss_weights, float)
            if weights.shape != (3,) or not np.all(np.isfinite(weights) & (weights >= 0)):
                raise ValueError(f"expected three finite loss_weights >= 0, got {loss_weights}")
            self.loss_weights.assign(weights)
        return super().fit(*args, **kwargs)

    def arrays(self, x, y):
        """Sources, their signals (the frozen transmitter's output, computed once) and labels."""
        x = x if isinstance(x, dict) else {"source": x}
        if "signal" not in x:
            x = {**x, "signal": transmit(self.transmitter, x["source"])}
        labels = y["label"] if isinstance(y, dict) else y
        classes = self.eavesdroppers[0].output_shape[-1]
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"expected labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}"
            )
        return x, y

    def call(self, source, training=False):
        """Source s to Bob's estimate s_hat with both modules in place (Eq. 13)."""
        return self.signals(source, training).estimate

    def signals(self, x, training=False):
        """The named signals of the block diagram for sources x, `system.Signals`."""
        x = x if isinstance(x, dict) else {"source": x}
        signal = x.get("signal")
        if signal is None:
            signal = self.transmitter(unit_interval(x["source"]), training=False)
        return forward(
            signal,
            self.draw_snr_db(signal),
            receiver=self.receiver,
            bob_channel=self.bob_channel,
            eve_channel=self.eve_channel,
            transmitter_module=self.transmitter_arn,
            receiver_module=self.receiver_arn,
            training=training,
        )

    def _terms(self, data, training):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ValueError("expected no sample weights: the composite loss has none")
        y = y if isinstance(y, dict) else {"label": y}
        source = x["source"] if isinstance(x, dict) else x
        target = y.get("target")
        target = unit_interval(source) if target is None else target
        signals = self.signals(x, training)
        logits = [
            full_precision(eve(signals.overheard, training=False)) for eve in self.eavesdroppers
        ]
        power = self.power_loss(signals.perturbation, db_to_ratio(self.psr_db))
        task = ops.mean(self.task_loss(target, signals.estimate))
        privacy = _average([self.privacy_loss(each, y["label"]) for each in logits])
        weights = self.loss_weights
        hits = [keras.metrics.sparse_categorical_accuracy(y["label"], each) for each in logits]
        return {
            "loss": weights[0] * power + weights[1] * task + weights[2] * privacy,
            "attack_power_loss": power,
            "task_loss": task,
            "eve_confidence": _average([eve_confidence(each, y["label"]) for each in logits]),
            "perturbation_power": ops.mean(mean_power(signals.perturbation)),
            "eve_accuracy": ops.mean(_average(hits)),
        }

    def train_step(self, data):
        """One step of Algorithm 1: the gradient of Eq. (19) for F_A and F_B alone."""
        weights, gradients, shares = self.trainable_variables, [], []
        replicas = tf.distribute.get_strategy().num_replicas_in_sync  # their gradients are summed
        for part, share in in_shards(data, self.shards):
            with self.tracing(), tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([weight.value for weight in weights])
                terms = self._terms(part, training=True)
                loss = self.optimizer.scale_loss(share * terms["loss"] / replicas)
            gradients.append(tape.gradient(loss, weights))
            shares.append({name: share * value for name, value in terms.items()})
        self.optimizer.apply_gradients(zip(_total(gradients), weights, strict=True))
        return self._report(_total(shares), data)

    def test_step(self, data):
        """The same terms without an update."""
        with self.tracing():
            return self._report(self._terms(data, training=False), data)

    def _report(self, terms, data):
        sources = ops.shape(keras.tree.flatten(data)[0])[0]
        for name, value in terms.items():
            self._means[name].update_state(value, sample_weight=sources)
        return {name: mean.result() for name, mean in self._means.items()}

    @property
    def metrics(self):
        """The running means of all terms, weighted by batch size."""
        return list(self._means.values())


def _average(values):
    return sum(values) / len(values)


def _total(parts):
    return keras.tree.map_structure(lambda *each: tf.add_n(each), *parts)
