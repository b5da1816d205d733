"""Rows: what Bob and Eve get, measured on sources that no stage was trained on.

The forward pass is training's own (`system.forward`). Noise follows from the seed and the place
of a source alone, so every case of a run is measured under the same noise, and again the same.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from arn_keras.channel.awgn import AWGN
from arn_keras.channel.listener import ear
from arn_keras.measure.leakage import Leakage
from arn_keras.pair.chain import most_messages, with_fresh_keys
from arn_keras.power import mean_power, ratio_to_db
from arn_keras.system import forward
from arn_keras.task.image import IMAGE


class Evaluation:
    """Measures cases of one base link against one eavesdropper.

    Sources are streamed in batches: memory does not grow with their number.

    Args:
        transmitter: s -> y.
        receiver: y -> s_hat.
        eavesdropper: y_eve -> logits. Also asked what label Bob's cleaned signal still tells.
        seed: integer seed of the noise.
        dataset: `data.dataset.Dataset` that splits are of.
        task: `task.task.Task`, what Bob is judged by.
        batch_size: sources a batch, at most; of keyed modules as many as their keys allow.
        bob_channel, eve_channel: what each hears through, `channel.listener.Listener`; AWGN by
            default.
        pauses: whether places of the signal that are all zeros are not sent, as padding is not.
        air: function that makes a meter of what is sent, `measure.air.Air`; None for none.
    """

    def __init__(
        self,
        transmitter,
        receiver,
        eavesdropper,
        seed,
        *,
        dataset,
        task=IMAGE,
        batch_size=1000,
        bob_channel=None,
        eve_channel=None,
        pauses=False,
        air=None,
    ):
        self._pauses = pauses
        self._dataset, self._task, self._air = dataset, task, air
        self._transmitter = transmitter
        self._receiver = receiver
        self.eavesdropper = eavesdropper
        self._seed = seed
        self._batch_size = batch_size
        given = {"bob_channel": bob_channel, "eve_channel": eve_channel}
        self._channels = {name: ear(each or AWGN(), 0, name) for name, each in given.items()}

    def signals(self, split, snr_db, transmitter_module=None, receiver_module=None, batch=0):
        """The named signals of one batch of sources, under the noise of the batch of this number.

        Args:
            split: the batch, `data.dataset.Split`.
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
        modules = with_fresh_keys((transmitter_module, receiver_module), len(split), of_keys)
        sources = keras.tree.map_structure(tf.convert_to_tensor, split.source)
        signal = self._transmitter(self._dataset.prepared(sources), training=False)
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
            split: `data.dataset.Split`.
            snr_db: SNR in dB referred to signal power 1.
            transmitter_module: y -> z, or None.
            receiver_module: y_bob -> y_clean, or None.

        Returns:
            The measured fields of a row (docs/method.md): `snr_db`, `measured_psr_db` (None without
            perturbation), `sent_power`, the task's own (for pictures `mse`, `psnr_db`),
            `eve_accuracy`, `eve_confidence`, `leakage_nats`, `bob_accuracy`, `sources`.
        """
        meter, air = self._task.meter(), self._air and self._air()
        total, leakage = {}, Leakage(self.eavesdropper.output_shape[-1])
        size = most_messages((transmitter_module, receiver_module), self._batch_size)
        for batch, start in enumerate(range(0, len(split), size)):
            part = split.part(slice(start, start + size))
            labels = np.asarray(part.label)
            signals = self.signals(part, snr_db, transmitter_module, receiver_module, batch)
            meter.add(self._dataset.targets(part), signals.estimate)
            if air:
                air.add(signals.sent)
            overheard = self.eavesdropper(signals.overheard, training=False)
            for name, value in self._sums(signals, labels, overheard).items():
                total[name] = total.get(name, 0.0) + value
            leakage.add(overheard, labels)
        mean = {name: value / len(split) for name, value in total.items()}
        power = mean["perturbation_power"]
        return {
            "snr_db": float(snr_db),
            "measured_psr_db": ratio_to_db(power) if power > 0 else None,
            "sent_power": mean["sent_power"],
            **meter.fields(len(split)),
            **(air.fields(snr_db) if air else {}),
            "eve_accuracy": mean["eve_hit"],
            "eve_confidence": mean["eve_confidence"],
            "leakage_nats": leakage.nats,
            "bob_accuracy": mean["bob_hit"],
            "sources": len(split),
        }

    def shown(self, examples):
        """Arrays of `examples` as the task's picture takes them."""
        return self._task.shown(examples)

    def _sums(self, signals, labels, overheard):
        confidence = tf.gather(tf.nn.softmax(overheard), labels, batch_dims=1)
        over = signals.sent if self._pauses else None
        each = {
            "sent_power": mean_power(signals.sent, over),
            "eve_hit": keras.metrics.sparse_categorical_accuracy(labels, overheard),
            "eve_confidence": confidence,
            "bob_hit": keras.metrics.sparse_categorical_accuracy(
                labels, self.eavesdropper(signals.cleaned, training=False)
            ),
        }
        sums = {name: float(np.sum(value, dtype=float)) for name, value in each.items()}
        added = signals.perturbation
        sums["perturbation_power"] = (
            0.0 if added is None else float(np.sum(mean_power(added, over), dtype=float))
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


def rows(evaluation, split, pairs, snrs_db, *, psr_db, seed, protection="arn", eve="frozen"):
    """All rows of a run: the original link once, the other cases for each knowledge of Eve.

    Args:
        evaluation: `Evaluation`.
        split: `data.dataset.Split`.
        pairs: (transmitter module, receiver module) for each knowledge, "white" or "black", or
            None for a pair that was not trained against anyone.
        snrs_db: SNRs in dB to measure at.
        psr_db: budget in dB that the pairs were trained for.
        seed: the run's seed.
        protection: what the pairs are, a name of `pair.PROTECTIONS`.
        eve: what a row calls the eavesdropper.

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
                        "eve": eve,
                        "seed": seed,
                        **evaluation.row(split, snr_db, **modules),
                    }
                )
    return found


def examples(evaluation, dataset, pair, snr_db, count=8):
    """Arrays of a few test sources for the task's picture, one of each label first.

    Args:
        evaluation: `Evaluation`.
        dataset: `data.dataset.Dataset`.
        pair: (transmitter module, receiver module), or nothing for the original link alone.
        snr_db: SNR in dB.
        count: number of sources.

    Returns:
        `source` (what Bob is to recover), `label`, and for each case `bob_<case>`, `eve_<case>`;
        `names` of the labels where they are known.
    """
    labels = np.asarray(dataset.test.label)
    first = np.sort(np.unique(labels, return_index=True)[1])
    chosen = np.concatenate([first, np.setdiff1d(np.arange(len(labels)), first)])[:count]
    shown = dataset.test.part(chosen)
    arrays = {"source": dataset.targets(shown), "label": labels[chosen]}
    for case, modules in cases(*pair).items():
        signals = evaluation.signals(shown, snr_db, **modules)
        guess = tf.argmax(evaluation.eavesdropper(signals.overheard, training=False), axis=-1)
        arrays |= {f"bob_{case}": signals.estimate, f"eve_{case}": guess}
    if dataset.label_names:
        arrays["names"] = dataset.label_names
    return evaluation.shown({name: np.asarray(array) for name, array in arrays.items()})
