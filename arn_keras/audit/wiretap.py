"""What an eavesdropper of one protected link has: signals, labels, noise, and training on them.

Eve's training is `EavesdropperLink`, the letter's own Eve (Eq. 14), with the protection in front of
her channel. The public part of a protection is a fixed function and is computed once; keys and
noise are drawn in the graph, new ones each epoch.
"""

import math

import keras
import numpy as np

from arn_keras.audit.attack import Best
from arn_keras.channel.listener import ear
from arn_keras.system import full_precision
from arn_keras.training.algorithm_1 import Schedule, stage_seed
from arn_keras.training.eavesdropper_link import EavesdropperLink
from arn_keras.training.transmit import in_batches


class Wiretap:
    """Eve's side of one link under one protection.

    Args:
        problem: `run.problem.Problem`: Bob's receiver, Eve, the data, what each hears through.
        signals: y of the training and of the test sources, (array, array).
        snr_db: SNR in dB of every channel.
        psr_db: budget in dB, for an Eve who trains against perturbations of this power.
        protection: `pair.chain.Protection`.
        seed: integer seed of all that she draws.
        clean: cache of eavesdroppers trained on unprotected signals, shared between protections.
    """

    def __init__(
        self,
        problem,
        signals,
        *,
        snr_db,
        psr_db,
        protection,
        seed,
        clean=None,
    ):
        self.problem, self.dataset, self.scenario = problem, problem.dataset, problem.scenario
        self.receiver = problem.receiver
        self.bob_channel, self.eve_channel = problem.channels.values()
        self.eavesdropper = problem.classifier(next(iter(self.scenario.measured.values())))
        self.unprotected = tuple(np.asarray(each, keras.config.floatx()) for each in signals)
        self.snr_db, self.psr_db, self.seed = snr_db, psr_db, seed
        self.protection = protection = protection.at(snr_db)
        self.clean = {} if clean is None else clean
        self.shape = tuple(signals[0].shape[1:])
        self.classes = self.dataset.classes
        self.signals, arn = self.unprotected, protection.transmitter_arn
        if arn is not None:

            def send(signal):
                return full_precision(arn(signal, training=False))

            self.signals = tuple(in_batches(send, each) for each in self.unprotected)

    @property
    def labels(self):
        """Labels of training and of test sources."""
        return np.asarray(self.dataset.train.label), np.asarray(self.dataset.test.label)

    @property
    def eve_snr_db(self):
        """SNR in dB at which Eve hears the link, on average."""
        return self.snr_db + self.eve_channel.snr_offset_db

    @property
    def protected(self):
        """Whether there is any protection."""
        return bool(self.protection.transmitter_arn or self.protection.rotation)

    def targets(self, split):
        """What Bob is to recover of a split, an array."""
        rows = np.arange(len(split))
        return in_batches(lambda part: self.dataset.targets(split.part(np.asarray(part))), rows)

    def judged(self, estimates):
        """The task's measures of estimates of all test sources."""
        meter, test = self.problem.task.meter(), self.dataset.test
        for start in range(0, len(test), 1000):
            part = slice(start, start + 1000)
            meter.add(self.targets(test.part(part)), estimates[part])
        return meter.fields(len(test))

    def build_eve(self, shape, classes):
        """Eve's own classifier before her training, Eq. (14)."""
        return self.build(next(iter(self.scenario.measured.values())), shape, classes)

    def build(self, stage, shape, classes):
        """An eavesdropper of the scenario before her training."""
        return self.scenario.build_classifier(stage, shape, classes)

    def receive(self, cleaned):
        """What Bob makes of a batch of cleaned signals, Eq. (13), as the task reads it."""
        return self.problem.task.reading(self.receiver(cleaned, training=False))

    def keys(self, purpose, **how):
        """Keys of this protection, or None for none; another purpose, other keys."""
        return self.protection.keys(self.shape, seed=self._seed(f"keys {purpose}"), **how)

    def hear(self, signals, keys=None, snr_db=None, purpose="test", channel=None):
        """What Eve receives of signals, Eq. (11), keyed by `keys`, in her own noise; and her csi.

        Args:
            signals: z before keying, array.
            keys: `RandomKeys`, or None.
            snr_db: SNR in dB; the link's by default.
            purpose: another purpose, other noise.
            channel: what she hears through, if not as always.

        Returns:
            (received, what she knows of the SNR of each source in dB), `Listener.hear`.
        """
        channel = ear(channel or self.eve_channel, self._seed(f"noise {purpose}"), "eve_channel")
        snr_db, known = self.snr_db if snr_db is None else snr_db, []

        def receive(batch):
            received, csi = channel.hear(batch if keys is None else keys(batch), snr_db=snr_db)
            known.append(np.broadcast_to(csi, len(batch)))
            return received

        return in_batches(receive, signals), np.concatenate(known)

    def overhear(self, signals, keys=None, **how):
        """What Eve receives, of `hear`."""
        return self.hear(signals, keys, **how)[0]

    def test(self, snr_db=None):
        """What Eve receives of the test sources, each under a fresh key where there are keys."""
        return self.overhear(self.signals[1], self.keys("test"), snr_db=snr_db)

    def train(
        self,
        build,
        epochs,
        *,
        name,
        signals=None,
        keys=None,
        test=None,
        recordings=None,
        restarts=1,
        snr_db=None,
        link_class=EavesdropperLink,
        channel=None,
    ):
        """Trains an eavesdropper on labelled recordings; best epoch, best of restarts.

        Best is the lowest cross-entropy on the test sources, which favours Eve: so should an audit.

        Args:
            build: (signal shape, classes) -> classifier.
            epochs: passes over all training sources; fewer recordings get as many steps.
            name: what she is called; another name, another seed.
            signals: what is sent, before keying; the protected training signals by default.
            keys: `RandomKeys` in front of her channel, or None.
            test: what she overhears of the test sources; `self.test()` by default.
            recordings: number of training sources that she has, all by default.
            restarts: trainings from other weights.
            snr_db: SNR in dB; the link's by default.
            link_class: how she is trained.
            channel: what disturbs the recordings; what she hears through by default.

        Returns:
            `Attack`.
        """
        signals = self.signals[0] if signals is None else signals
        recordings = min(recordings or len(signals), len(signals))
        chosen = np.random.default_rng(self.seed).permutation(len(signals))[:recordings]
        x, y = (
            (signals, self.labels[0])
            if recordings == len(signals)
            else (signals[chosen], self.labels[0][chosen])
        )
        test = self.test(snr_db) if test is None else test
        attacks = []
        for restart in range(restarts):
            seed = self._seed(f"{name} {restart}")
            keras.utils.set_random_seed(seed)
            air = {"channel": channel or self.eve_channel, "seed": seed}
            link = link_class(build(test.shape[1:], self.classes), keys, name="eve", **air)
            schedule = _schedule(epochs, recordings)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            schedule.compile(link, recordings, loss=loss)
            watch = Best(test, self.labels[1], math.ceil(schedule.epochs / 8))
            link.fit(
                x,
                y,
                batch_size=schedule.batch_size,
                epochs=schedule.epochs,
                snr_db=self.snr_db if snr_db is None else snr_db,
                callbacks=[watch],
                verbose=0,
            )
            attacks.append(watch.attack())
        return min(attacks, key=lambda attack: min(point[2] for point in attack.curve))

    def trained_on_unprotected(self, build, epochs, *, name, **how):
        """The same on unprotected signals, trained once for all protections; she never adapts."""
        if name not in self.clean:
            self.clean[name] = self.train(
                build,
                epochs,
                name=name,
                signals=self.unprotected[0],
                test=self.overhear(self.unprotected[1]),
                **how,
            )
        return self.clean[name]

    def _seed(self, name):
        return stage_seed(self.seed, f"audit {name}") % 2**31


def _schedule(epochs, recordings):
    """As many epochs as make the steps of `epochs` passes over 24,000 sources, at least."""
    batch_size = max(8, min(256, recordings // 16))
    steps = math.ceil(recordings / batch_size)
    return Schedule(max(epochs, math.ceil(epochs * 94 / steps)), batch_size)
