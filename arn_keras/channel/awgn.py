"""The wireless channel of Eq. (6), (10), (11): white Gaussian noise, always on.

`keras.layers.GaussianNoise` is silent at inference and refuses a deviation above 1; a channel is
neither. Fading is `channel/fading.py`; interference is left out.
"""

import contextlib
import contextvars
import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from arn_keras.channel.listener import Listener
from arn_keras.errors import DataError
from arn_keras.power import noise_variance

_in_xla = contextvars.ContextVar("in_xla", default=None)


@contextlib.contextmanager
def traced_by_xla(traced):
    """Tells the channels inside the block whether they are being traced for XLA.

    XLA's Philox generator takes fifteen times as long as its Threefry on a CPU, and more than the
    rest of a training step; outside XLA there is no Threefry. The graph itself cannot be asked.
    """
    token = _in_xla.set(bool(traced))
    try:
        yield
    finally:
        _in_xla.reset(token)


def refuse_complex(tensor):
    """Refuses a complex tensor: all that is sent is real, and a cast would drop half of it.

    Raises:
        DataError: for a complex type, or what is no number.
    """
    try:
        dtype = keras.backend.standardize_dtype(tensor.dtype)
    except ValueError:
        raise DataError(f"expected numbers, got {tensor.dtype}") from None
    if dtype.startswith("complex"):
        raise DataError(
            f"expected a real signal, got {dtype}: interleave it in the last axis, I, Q, I, Q, ... "
            "(in NumPy: iq.view('float32'))"
        )


def draw_uniform(shape, dtype, seed_generator):
    """Random numbers uniform in [0, 1), of a shape and type.

    Args:
        shape: of the tensor, numbers or a tensor.
        dtype: of the tensor.
        seed_generator: `keras.random.SeedGenerator`; on several devices each draws its own.
    """
    seed = tf.cast(seed_generator.next(), "int32")
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        seed = tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)
    in_xla = _in_xla.get()
    # Left to TensorFlow outside XLA it is Philox, too, its key made by one operation and not by
    # seventy; in XLA, as a function of the caller's may be, that one takes long.
    plain = tf.executing_eagerly() if in_xla is None else not in_xla
    alg = "threefry" if in_xla else "auto_select" if plain else "philox"
    return tf.random.stateless_uniform(shape, seed, dtype=dtype, alg=alg)


def draw_normal(like, seed_generator):
    """Random numbers of mean 0 and variance 1, shaped like a tensor, by Box and Muller's transform.

        sqrt(-2 ln(1 - u)) cos(2 pi v), sqrt(-2 ln(1 - u)) sin(2 pi v),  u, v uniform in [0, 1)

    TensorFlow's own normal numbers are made by the same transform, one by one; with its vector
    instructions it takes less than half of the time, which counts in a step of training.

    Args:
        like: tensor whose shape and type the numbers get.
        seed_generator: see `draw_uniform`.
    """
    count = tf.size(like)
    u, v = tf.unstack(draw_uniform([2, (count + 1) // 2], like.dtype, seed_generator))
    radius, angle = tf.sqrt(-2.0 * tf.math.log(1.0 - u)), 2.0 * math.pi * v
    pairs = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], 0)
    return tf.reshape(pairs[:count], tf.shape(like))


@keras.saving.register_keras_serializable("arn_keras")
class AWGN(Listener):
    """Additive white Gaussian noise: y + n, n ~ N(0, 10^(-SNR/10)) per real symbol.

    Args:
        seed, snr_offset_db: see `Listener`.
    """

    def call(self, signal: Any, snr_db: Any) -> Any:
        """Adds noise.

        Args:
            signal: sent signal z, real, [batch, ...].
            snr_db: SNR in dB referred to signal power 1; scalar, or [batch] for one a source.

        Returns:
            Received signal, shaped like `signal`.

        Raises:
            DataError: for a complex signal, or SNRs that are neither one nor one a source.
        """
        refuse_complex(signal)
        deviation = ops.sqrt(noise_variance(self.heard_snr_db(signal, snr_db)))
        return signal + deviation * draw_normal(signal, self.seed_generator)
