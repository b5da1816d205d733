"""The eavesdroppers E0, E1, E2, E5: none of them trains on protected signals.

Each is a function of a `wiretap.Wiretap` and an `effort.Effort`, and gives findings: what an Eve
says of the test sources.
"""

import functools

import numpy as np
import tensorflow as tf

from arn_keras.audit.effort import Finding
from arn_keras.audit.wiretap import predict
from arn_keras.measure.fgsm import fgsm
from arn_keras.pair.chain import RandomKeys
from arn_keras.training.eavesdropper_link import EavesdropperLink
from arn_keras.training.transmit import in_batches


def frozen(tap, effort):
    """E0: the letter's Eve, trained before there was a protection."""
    return [Finding("frozen", predict(tap.eavesdropper, tap.test()))]


def unseen(tap, effort):
    """E1: frozen Eves of architectures that the protection was not trained against."""
    heard = tap.test()
    return [
        Finding(f"frozen {name}", predict(clean_larger(tap, effort, name).classifier, heard))
        for name in tap.scenario.larger[: effort.larger]
    ]


def clean_larger(tap, effort, name):
    """A larger Eve trained on unprotected signals."""
    build = functools.partial(tap.build, name)
    return tap.trained_on_unprotected(build, effort.larger_epochs, name=name)


def defended(tap, effort):
    """E2: the frozen Eve with the defences of the letter's references [7]-[10], and PCA."""
    heard = tap.test()
    found = [
        Finding(f"smoothing {deviation:g}", _vote(tap, heard, _noisy(deviation)))
        for deviation in effort.deviations
    ]
    found.append(Finding("input masking 0.2", _vote(tap, heard, _masked(0.2))))
    found.append(Finding("PCA denoising", predict(tap.eavesdropper, _denoise(tap, heard))))
    if effort.adversarial:
        attack = tap.trained_on_unprotected(
            tap.build_eve, effort.epochs, name="adversarial", link_class=_adversarial(tap)
        )
        found.append(Finding("adversarially trained", predict(attack.classifier, heard)))
    return found


def _noisy(deviation):
    return lambda batch: batch + deviation * tf.random.normal(tf.shape(batch))


def _masked(share):
    return lambda batch: tf.where(tf.random.uniform(tf.shape(batch)) < share, 0.0, batch)


def _vote(tap, heard, disturb, copies=16):
    """Log of the share of votes over disturbed copies, Laplace-smoothed."""
    tf.random.set_seed(tap.seed)

    def votes(batch):
        ballots = [
            tf.one_hot(
                tf.argmax(tap.eavesdropper(disturb(batch), training=False), axis=-1), tap.classes
            )
            for _ in range(copies)
        ]
        return tf.add_n(ballots)

    return np.log((in_batches(votes, heard) + 0.1) / (copies + 0.1 * tap.classes))


def _denoise(tap, heard, variance=0.9):
    """Keeps the components that hold most of the variance of unprotected signals."""
    from sklearn.decomposition import PCA

    flat = tap.unprotected[0].reshape(len(tap.unprotected[0]), -1)[:10000]
    pca = PCA(variance, svd_solver="full").fit(flat)
    kept = pca.inverse_transform(pca.transform(heard.reshape(len(heard), -1)))
    return kept.reshape(heard.shape).astype(heard.dtype)


def _adversarial(tap):
    """Training on FGSM examples of her own, at the protection's budget (Goodfellow et al.)."""

    class AdversarialEavesdropperLink(EavesdropperLink):
        def train_step(self, data):
            signal, labels = data
            delta = fgsm(
                self.classifier, self.channel(signal, snr_db=tap.snr_db), labels, tap.psr_db
            )
            return super().train_step((signal + delta, labels))

    return AdversarialEavesdropperLink


def kerckhoffs(tap, effort):
    """E5: Bob's own receiver module and receiver, then a classifier of pictures; no training on
    protected traffic. Where Bob has a key, Eve uses one that she drew herself.
    """
    pictures = bob_sees(tap, tap.test())
    found, of_bob = [], lambda: in_batches(tap.receive, tap.overhear(tap.unprotected[0]))
    readers = {"clean pictures": lambda: tap.targets(tap.dataset.train), "Bob's pictures": of_bob}
    if tap.targets(tap.dataset.test.part(slice(1))).shape[1:] != pictures.shape[1:]:
        readers = {"Bob's answers": of_bob}  # a label is not what he says of it, logits
    for name, sources in readers.items():
        key = f"classifier of {name}"
        if key not in tap.clean:
            test = in_batches(tap.receive, tap.overhear(tap.unprotected[1]))
            tap.clean[key] = tap.train(
                tap.scenario.build_reader,
                effort.epochs,
                name=key,
                signals=np.asarray(sources()),
                test=test,
                snr_db=60.0,
            )
        found.append(Finding(key, predict(tap.clean[key].classifier, pictures)))
    return found


def bob_sees(tap, heard):
    """Bob's picture from what Eve heard, by his modules; a key, where he has one, is a guess."""
    rounds = tap.protection.rounds
    guess = RandomKeys(tap.shape, rounds, seed=tap.seed + 1) if rounds else None

    def picture(batch):
        signs = guess.signs(batch.shape[0]) if guess else None
        return tap.receive(tap.protection.clean(batch, signs))

    return in_batches(picture, heard)
