"""One step of Algorithm 1: the terms of Eq. (19) of a batch, and the gradient of their sum."""

import warnings
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from arn_keras.errors import DataError
from arn_keras.loss.composite import eve_confidence
from arn_keras.power import db_to_ratio, mean_power, sent_share
from arn_keras.system import Signals, forward, full_precision
from arn_keras.training import arrays as whole
from arn_keras.training import given, losses
from arn_keras.training.batches import in_shards
from arn_keras.training.noisy_link import NoisyLink
from arn_keras.training.reach import OF_OTHERS, OF_TASK, weighed, weights_at
from arn_keras.training.taken import taken_by
from arn_keras.training.transmit import refuse_other_signals

_TERMS = ("loss", "attack_power_loss", "task_loss", "eve_confidence")
REPORTED = (*_TERMS, "perturbation_power", "sent_power", "eve_accuracy")


class CompositeStep(NoisyLink):
    """The steps of `SecureLink`, which has the parts, the losses and their weights."""

    terms = REPORTED

    def _setting(self, name, value):
        setting = self.add_weight(
            ops.shape(value), trainable=False, dtype="float32", autocast=False, name=name
        )
        setting.assign(value)
        return setting

    def signals(self, x: Any, training: bool = False, snr_db: Any = None) -> Signals:
        """The named signals of the block diagram for sources x, `system.Signals`.

        Args:
            x: as of `fit`.
            training: whether the modules run in training mode.
            snr_db: of each source, [batch]; drawn by default.
        """
        x = inputs(x)
        signal = x.get("signal")
        if signal is None:
            source = given.prepared_by(self.preprocessing, x["source"])
            signal = self.transmitter(taken_by(self.transmitter, source), training=False)
        taken_by(self.receiver, signal)
        return forward(
            signal,
            self.draw_snr_db(signal) if snr_db is None else snr_db,
            receiver=self.receiver,
            bob_channel=self.bob_channel,
            eve_channel=self.eve_channel,
            transmitter_module=self.transmitter_arn,
            receiver_module=self.receiver_arn,
            training=training,
            keep_power=self.keep_power,
        )

    def _given_to(self, function, x, y):
        x, y = super()._given_to(function, x, y)
        if isinstance(x, dict) and whole.is_numpy(x) and x.keys() == {"source", "signal"}:
            refuse_other_signals(self.transmitter, x["source"], x["signal"], self.preprocessing)
        return x, y

    def _terms(self, data, training):
        x, y = data
        y, source = outputs(y), inputs(x)["source"]
        snr_db = self.draw_snr_db(y["label"])
        target, signals = y.get("target"), self.signals(x, training, snr_db)
        target = given.target_of(source, self.preprocessing) if target is None else target
        added = self.losses
        logits = [
            full_precision(eve(signals.overheard, training=False)) for eve in self.eavesdroppers
        ]
        estimate, added_signal = signals.estimate, signals.perturbation
        if self.reach is not None:
            of_task, of_others = (
                weights_at(self.reach, self.snr_range_db, snr_db, exponent)
                for exponent in (OF_TASK, OF_OTHERS)
            )
            estimate = weighed(estimate, of_task)
            added_signal, *logits = (weighed(each, of_others) for each in (added_signal, *logits))
        budget, over = db_to_ratio(self.psr_db), signals.sent if self.pauses else None
        if self.pauses:  # so much of the frame's mean is there to be perturbed
            budget *= sent_share(over)
        power = self.power_loss(added_signal, budget)
        losses.refuse_broadcast(self.task_loss, target, estimate)
        target = losses.fitted_target(self.task_loss, target, estimate)
        task = ops.mean(self.task_loss(target, estimate))
        privacy = _average([self.privacy_loss(each, y["label"]) for each in logits])
        losses.refuse_no_scalar(power_loss=power, privacy_loss=privacy)
        weights = ops.cast(self.loss_weights, keras.config.floatx())
        hits = [keras.metrics.sparse_categorical_accuracy(y["label"], each) for each in logits]
        loss = weights[0] * power + weights[1] * task + weights[2] * privacy
        return {
            "loss": sum((full_precision(each) for each in added), loss),
            "attack_power_loss": power,
            "task_loss": task,
            "eve_confidence": _average([eve_confidence(each, y["label"]) for each in logits]),
            "perturbation_power": ops.mean(mean_power(signals.perturbation, over)),
            "sent_power": ops.mean(mean_power(signals.sent, over)),
            "eve_accuracy": ops.mean(_average(hits)),
        }

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of Algorithm 1: the gradient of Eq. (19) for F_A and F_B alone."""
        weights, gradients, shares = self.trainable_variables, [], []
        replicas = tf.distribute.get_strategy().num_replicas_in_sync  # their gradients are summed
        for part, share in in_shards(data, self.shards):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([weight.value for weight in weights])
                terms = self._terms(part, training=True)
                loss = self.optimizer.scale_loss(share * terms["loss"] / replicas)
            gradients.append(tape.gradient(loss, weights))
            shares.append({name: share * value for name, value in terms.items()})
        if weights:
            self.optimizer.apply_gradients(zip(_total(gradients), weights, strict=True))
        else:
            warnings.warn("the modules have no trainable weights", stacklevel=2)
        return self._report(_total(shares), data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """The same terms without an update."""
        return self._report(self._terms(data, training=False), data)

    def _report(self, terms, data):
        sources = ops.shape(keras.tree.flatten(data)[0])[0]
        weight = ops.cast(sources, keras.config.floatx())
        for name, value in terms.items():
            self._means[name].update_state(value, weight)
        return {name: mean.result() for name, mean in self._means.items()}

    @property
    def metrics(self):
        """The running means of all terms, weighted by batch size."""
        return list(self._means.values())


def inputs(x):
    """x as {"source": s} or {"source": s, "signal": y}."""
    return given.named(x, ("source", "signal"))


def outputs(y):
    """y as {"label": labels} or {"label": labels, "target": target}.

    Raises:
        DataError: for several arrays without names.
    """
    if isinstance(y, list | tuple):
        raise DataError(
            f"expected labels, or {{'label': labels, 'target': target}}, got {len(y)} arrays "
            "without names"
        )
    return given.named(y, ("label", "target"))


def _average(values):
    return sum(values) / len(values)


def _total(parts):
    def total(*each):
        found = [one for one in each if one is not None]  # a weight that nothing depends on
        return tf.add_n(found) if found else None

    return keras.tree.map_structure(total, *parts)
