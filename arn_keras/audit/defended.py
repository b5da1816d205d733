"""E2: the frozen eavesdropper with the defences of the letter's references [7]-[10], and PCA."""

import numpy as np
import tensorflow as tf

from arn_keras.audit.attack import predict
from arn_keras.audit.effort import Finding
from arn_keras.audit.rung import Rung
from arn_keras.measure.fgsm import fgsm
from arn_keras.training.eavesdropper_link import EavesdropperLink
from arn_keras.training.transmit import in_batches


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
    return lambda batch: batch + deviation * tf.random.normal(tf.shape(batch), dtype=batch.dtype)


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


RUNG = Rung(defended, "frozen Eve with defences", contains="E0")
