"""An eavesdropper made for the keyed rotation: she undoes its last, public mixing.

What is left, D_R M_{R-1} ... D_1 y, has unknown signs, so she looks at what signs do not touch:
the magnitudes, and the power spectra of the squared symbols, by Fourier and by Hadamard
transform, which a shift of the squares does not change. They are handed to a classifier.
With few rounds they tell labels apart; how many rounds it takes is measured, not proven.
"""

import keras
import numpy as np
from keras import layers, ops

from arn_keras.eve.dense import build_eavesdropper
from arn_keras.pair.rotation import KeyedRotation, grid_shape, orthonormal_factor


@keras.saving.register_keras_serializable("arn_keras")
class SignBlindFeatures(layers.Layer):
    """Features of a signal that sign flips leave as they are.

        |w|,   |w| in order,   |F p|^2 and |H p|^2 of p = w^2 - mean(w^2)

    F is the Fourier transform, H the Hadamard matrix (where the size is a power of two, else the
    Hartley matrix), orthonormal; the spectra are given as logarithms. A Hadamard matrix is the
    Kronecker product of two smaller ones, and a Hartley transform comes with Fourier's, so the cost
    is far from n^2.
    """

    def __init__(self, **kwargs):
        # A half has no Fourier transform.
        super().__init__(**{"dtype": keras.config.floatx(), **kwargs})

    def build(self, shape):
        """Computes the factors of H."""
        self.input_spec = layers.InputSpec(shape=(None, *shape[1:]))
        self._symbols = int(np.prod(shape[1:]))
        self._grid = grid_shape(self._symbols)
        self._factors = [orthonormal_factor(size).astype("float32") for size in self._grid]

    def _transform(self, squares):
        if self._symbols & (self._symbols - 1):
            real, imaginary = ops.fft((squares, ops.zeros_like(squares)))
            return (real - imaginary) / self._symbols**0.5
        rows, columns = self._factors
        grid = ops.reshape(squares, (-1, *self._grid))
        return ops.reshape(ops.matmul(rows, ops.matmul(grid, columns)), (-1, self._symbols))

    def call(self, signal):
        """[batch, ...] with n symbols to [batch, 3 n + n // 2 + 1]."""
        flat = ops.reshape(signal, (-1, self._symbols))
        squares = ops.square(flat)
        squares = squares - ops.mean(squares, axis=1, keepdims=True)
        real, imaginary = ops.rfft(squares)
        spectra = ops.concatenate(
            [
                (ops.square(real) + ops.square(imaginary)) / self._symbols,
                ops.square(self._transform(squares)),
            ],
            axis=1,
        )
        sizes = ops.abs(flat)
        return ops.concatenate([sizes, ops.sort(sizes, axis=1), ops.log(spectra + 1e-3)], axis=1)


def undo_last_mixing(signal, rounds):
    """M_R^T z: all mixings undone with every sign +1, then all but the last done again.

    Args:
        signal: received, [batch, ...].
        rounds: R of the keyed modules; 0 for a rotation without mixings.
    """
    if not rounds:
        return signal
    symbols = int(np.prod(signal.shape[1:]))

    def ones(count):
        like = ops.reshape(signal, (-1, 1, symbols))
        return ops.repeat(ops.ones_like(like), count, axis=1)

    signal = KeyedRotation(rounds, inverse=True)(signal, ones(rounds))
    return KeyedRotation(rounds - 1)(signal, ones(rounds - 1)) if rounds > 1 else signal


def build_structural_eavesdropper(signal_shape, classes, rounds):
    """Eve against keyed modules of R rounds.

    Args:
        signal_shape: shape of one source's signal.
        classes: number of private labels.
        rounds: R.

    Returns:
        Model from y_eve, [batch, *signal_shape], to logits, [batch, classes].
    """
    signal = keras.Input(tuple(signal_shape), name="overheard")
    features = SignBlindFeatures(name="features")(undo_last_mixing(signal, rounds))
    features = layers.BatchNormalization(momentum=0.9, name="scale")(features)
    dense = build_eavesdropper(features.shape[1:], classes)
    return keras.Model(signal, dense(features), name="structural")
