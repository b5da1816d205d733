"""Rows: what Bob and Eve get, measured on sources that no stage was trained on.

The forward pass is training's own (`system.forward`). Noise follows from the seed and the place
of a source alone, so every case of a run is measured under the same noise, and again the same.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from arn_keras.channel.awgn import AWGN
from arn_keras.data.preprocessing import unit_interval
from arn_keras.pair.chain import with_fresh_keys
from arn_keras.power import mean_power, ratio_to_db
from arn_keras.system import forward


class Evaluation:
    """Measures cases of one base link against one eavesdropper.

    Sources are streamed in batches: memory does not grow with their number.

    Args:
        transmitter: s -> y.
        receiver: y -> s_hat.
        eavesdropper: y_eve -> logits. Also asked what label Bob's cleaned signal still tells.
        seed: integer seed of the noise.
        batch_size: sources a batch.
    """

    def __init__(self, transmitter, receiver, eavesdropper, seed, batch_size=1000):
        self._transmitter = transmitter
        self._receiver = receiver
        self.eavesdropper = eavesdropper
        self._seed = seed
        self._batch_size = batch_size
        self._channels = {"bob_channel": AWGN(), "eve_channel": AWGN()}

    def signals(self, sources, snr_db, transmitter_module=None, receiver_module=None, batch=0):
        """The named signals of one batch of sources, under the noise of the batch of this number.

        Args:
            sources: s, [sources, ...]; 8-bit, or in [0, 1].
            snr_db: SNR in dB referred to signal power 1.
            transmitter_module: y -> z, or None; a keyed one gets fresh keys.
            receiver_module: y_bob -> y_clean, or None; a keyed one gets the same.
            batch: number of the batch.

        Returns:
            `system.Signals`.
        """
        at_bob, at_eve, of_keys = (
            int(np.random.SeedSequence((self._seed, index, batch)).generate_state(1)[0]) >> 1
            for index in range(3)
        )
        self._channels["bob_channel"].reseed([at_bob, 0])
        self._channels["eve_channel"].reseed([at_eve, 0])
        modules = with_fresh_keys((transmitter_module, receiver_module), len(sources), of_keys)
        signal = self._transmitter(unit_interval(tf.convert_to_tensor(sources)), training=False)
        return forward(
            signal,
            snr_db,
            receiver=self._receiver,
            transmitter_module=modules[0],
            receiver_module=modules[1],
            **self._channels,
        )

    def row(self, split, snr_db, transmitter_module=None, receiver_module=None):
        """Measures one case over all sources of a split.

        Args:
            split: sources and labels, `data.images.Split`.
            snr_db: SNR in dB referred to signal power 1.
            transmitter_module: y -> z, or None.
            receiver_module: y_bob -> y_clean, or None.

        Returns:
            The measured fields of a row (docs/method.md): `mse`, `psnr_db`, `measured_psr_db`
            (None without perturbation), `eve_accuracy`, `eve_confidence`, `leakage_nats`,
            `bob_accuracy`, `snr_db`, `sources`.
        """
        total, counts = {}, np.zeros(self.eavesdropper.output_shape[-1], int)
        for batch, start in enumerate(range(0, len(split), self._batch_size)):
            part = slice(start, start + self._batch_size)
            sources, labels = split.images[part], np.asarray(split.labels[part])
            signals = self.signals(sources, snr_db, transmitter_module, receiver_module, batch)
            for name, value in self._sums(signals, sources, labels).items():
                total[name] = total.get(name, 0.0) + value
            counts += np.bincount(labels, minlength=len(counts))
        mean = {name: value / len(split) for name, value in total.items()}
        share = counts[counts > 0] / len(split)
        entropy = -float(np.sum(share * np.log(share)))
        power = mean["perturbation_power"]
        return {
            "snr_db": float(snr_db),
            "measured_psr_db": ratio_to_db(power) if power > 0 else None,
            "mse": mean["squared_error"],
            "psnr_db": -ratio_to_db(mean["squared_error"]),
            "eve_accuracy": mean["eve_hit"],
            "eve_confidence": mean["eve_confidence"],
            "leakage_nats": max(0.0, entropy - mean["eve_cross_entropy"]),
            "bob_accuracy": mean["bob_hit"],
            "sources": len(split),
        }

    def _sums(self, signals, sources, labels):
        source = unit_interval(tf.convert_to_tensor(sources))
        overheard = self.eavesdropper(signals.overheard, training=False)
        confidence = tf.gather(tf.nn.softmax(overheard), labels, batch_dims=1)
        each = {
            "squared_error": mean_power(source - signals.estimate),
            "eve_hit": keras.metrics.sparse_categorical_accuracy(labels, overheard),
            "eve_confidence": confidence,
            "eve_cross_entropy": keras.losses.sparse_categorical_crossentropy(
                labels, overheard, from_logits=True
            ),
            "bob_hit": keras.metrics.sparse_categorical_accuracy(
                labels, self.eavesdropper(signals.cleaned, training=False)
            ),
        }
        sums = {name: float(np.sum(value, dtype=float)) for name, value in each.items()}
        perturbation = signals.perturbation
        sums["perturbation_power"] = (
            0.0 if perturbation is None else float(np.sum(mean_power(perturbation), dtype=float))
        )
        if not all(map(math.isfinite, sums.values())):
            raise ArithmeticError(f"expected finite measurements, got {sums}")
        return sums


def cases(transmitter_module=None, receiver_module=None):
    """The letter's three cases, or the original alone: the modules in place at Alice and Bob."""
    if transmitter_module is None:
        return {"original": {}}
    at_alice = {"transmitter_module": transmitter_module}
    return {
        "original": {},
        "transmitter_only": at_alice,
        "paired": {**at_alice, "receiver_module": receiver_module},
    }


def rows(evaluation, split, pairs, snrs_db, *, psr_db, seed, protection="arn"):
    """All rows of a run: the original link once, the other cases for each knowledge of Eve.

    Args:
        evaluation: `Evaluation`.
        split: sources and labels, `data.images.Split`.
        pairs: (transmitter module, receiver module) for each knowledge, "white" or "black", or
            None for a pair that was not trained against anyone.
        snrs_db: SNRs in dB to measure at.
        psr_db: budget in dB that the pairs were trained for.
        seed: the run's seed.
        protection: what the pairs are: "arn", "keyed" or "arn+keyed".

    Returns:
        List of rows (docs/method.md).
    """
    found = []
    for snr_db in snrs_db:
        for knowledge, pair in (pairs or {None: ()}).items():
            for case, modules in cases(*pair).items():
                if case == "original" and knowledge != next(iter(pairs), None):
                    continue
                protected = case != "original"
                found.append(
                    {
                        "case": case,
                        "knowledge": knowledge if protected else None,
                        "protection": protection if protected else "none",
                        "psr_db": psr_db if protected and knowledge else None,
                        "eve": "frozen",
                        "seed": seed,
                        **evaluation.row(split, snr_db, **modules),
                    }
                )
    return found


def examples(evaluation, split, pair, snr_db, count=8):
    """Arrays of a few sources for `figures.examples_picture`, one of each label first.

    Args:
        evaluation: `Evaluation`.
        split: sources and labels, `data.images.Split`.
        pair: (transmitter module, receiver module), or nothing for the original link alone.
        snr_db: SNR in dB.
        count: number of sources.
    """
    labels = np.asarray(split.labels)
    first = np.sort(np.unique(labels, return_index=True)[1])
    chosen = np.concatenate([first, np.setdiff1d(np.arange(len(labels)), first)])[:count]
    arrays = {"source": unit_interval(np.asarray(split.images)[chosen]), "label": labels[chosen]}
    for case, modules in cases(*pair).items():
        signals = evaluation.signals(split.images[chosen], snr_db, **modules)
        guess = tf.argmax(evaluation.eavesdropper(signals.overheard, training=False), axis=-1)
        arrays |= {f"bob_{case}": signals.estimate, f"eve_{case}": guess}
    return {name: np.asarray(array) for name, array in arrays.items()}
