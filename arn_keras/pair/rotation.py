"""The keyed modules: an orthogonal transform drawn afresh for each message. Not in the letter.

The letter's receiver module is a public function of what Eve hears too, so an Eve who knows the
design undoes it. Here a shared key chooses the perturbation: z = y + delta as in Eq. (9), (15),
(16), with delta = Q y - y, Q orthogonal. Power is unchanged, Bob's inverse is exact, white noise
stays white, and nothing is trained. Q is R rounds of keyed sign flips and a public mixing,

    Q = M_R D_R ... M_2 D_2 M_1 D_1,   D_r = diag(signs[r]),

after the products of Hadamard and sign matrices of Ailon and Chazelle (STOC 2006), which stand in
for a random rotation. M_R is public, so Eve undoes it: R rounds hide what R sign flips and R - 1
mixings hide, and one round alone hides no magnitude. The signs are an input tensor (`key_schedule`
derives them): no key and no randomness enters a graph.

The mixing, for another implementation: a = largest power of two with a^2 <= n, b = n // a,
m = a b. M_r takes the m coordinates from 0 on (r = 1, 3, ...) or the last m (r = 2, 4, ...), puts
them in the order of `interleaver`, lays them out by rows as an [a, b] grid X, and makes it A X B;
the other n - m < a coordinates stay. A and B are Hadamard matrices (Sylvester) where the size is a
power of two, else Hartley matrices. One mixing costs n (a + b) multiplications; the constants are
at most 6 n numbers. The interleaver is worth one or two rounds: without it all rounds share one
shift structure, along which Eve can average. Between two sign flips a Hadamard mixing makes each
coordinate's mean power exactly 1 whatever the signal; a Hartley factor or n > m only comes closer
with each round. Prefer n a power of two, and n >= 32: a few symbols have few sign patterns.
"""

import functools
import math

import keras
import numpy as np
from keras import layers, ops

from arn_keras.errors import ConfigError
from arn_keras.pair.keyed import Rotation, keyed_inputs, scaled_to_unit_power, symbols_of

#: Rounds by default. Tried with an Eve who hears no noise, undoes M_R and is handed what is left to
#: learn from (autocorrelation of the squares, sorted magnitudes): she tells signals of few non-zero
#: values apart after three rounds (128 symbols) or four (32), principal components and the base
#: link's signals after two. After five she was at chance on all of them.
ROUNDS = 5


def grid_shape(n):
    """Rows a and columns b of the mixing's grid: a = 2^p, a^2 <= n < 4 a^2, b = n // a."""
    rows = 1 << (n.bit_length() - 1) // 2
    return rows, n // rows


def orthonormal_factor(size):
    """Symmetric orthonormal matrix: Hadamard (Sylvester) for a power of two, else Hartley.

        Hadamard: (-1)^popcount(i AND j) / sqrt(size),
        Hartley:  (cos t + sin t) / sqrt(size), t = 2 pi i j / size.

    Args:
        size: number of rows and columns.

    Returns:
        float64 array, [size, size].
    """
    index = np.arange(size)
    if size & (size - 1) == 0:
        entries = 1.0 - 2.0 * (np.bitwise_count(index[:, None] & index) % 2)
    else:
        angle = 2 * np.pi * (np.outer(index, index) % size) / size
        entries = np.cos(angle) + np.sin(angle)
    return entries / math.sqrt(size)


def interleaver(size):
    """Public permutation without structure: order[j] is the place that the j-th value comes from.

    The places in the order of the 32-bit hash (MurmurHash3's finaliser, which is one to one) of
    their number, counted from 1.

    Args:
        size: number of coordinates.

    Returns:
        Integer array [size].
    """
    hashed = np.arange(1, size + 1, dtype=np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        hashed = (hashed ^ (hashed >> shift)) * np.uint32(factor)
    return np.argsort(hashed)


def random_signs(batch, rounds, n, seed_generator):
    """Fresh independent +-1 for each message: keys for training and audit, never for a real pair.

    Args:
        batch: number of messages; may be a tensor.
        rounds: R.
        n: real symbols a message.
        seed_generator: keras.random.SeedGenerator.

    Returns:
        Tensor [batch, rounds, n], float32.
    """
    bits = keras.random.randint((batch, rounds, n), 0, 2, seed=seed_generator)
    return 1.0 - 2.0 * ops.cast(bits, "float32")


@keras.saving.register_keras_serializable("arn_keras")
class KeyedRotation(layers.Layer):
    """Rotation Q of a signal by keyed signs, or its inverse Q^T; the formula is at the top.

    Args:
        rounds: R >= 1.
        inverse: whether to apply Q^T (the receiver) instead of Q.
    """

    def __init__(self, rounds=ROUNDS, inverse=False, **kwargs):
        super().__init__(**kwargs)
        if rounds < 1:
            raise ConfigError(f"expected rounds >= 1, got {rounds}")
        self.rounds = rounds
        self.inverse = inverse

    def build(self, signal_shape, signs_shape):
        """Computes the factors of the mixing.

        Raises:
            ConfigError: the signal's shape is not fixed, or the signs do not fit it.
        """
        self.symbols = symbols_of(signal_shape[1:])
        self.input_spec = layers.InputSpec(shape=(None, *signal_shape[1:]))
        if tuple(signs_shape[1:]) != (self.rounds, self.symbols):
            raise ConfigError(
                f"expected signs of shape [batch, {self.rounds}, {self.symbols}], "
                f"got {tuple(signs_shape)}"
            )
        self.grid = grid_shape(self.symbols)
        self.factors = tuple(orthonormal_factor(size) for size in self.grid)
        self.order = interleaver(math.prod(self.grid)).astype("int32")

    def call(self, signal, signs):
        """Rotates, or rotates back.

        Args:
            signal: real, [batch, ...], n values a source.
            signs: the keystream's +-1, [batch, rounds, n].

        Returns:
            Rotated signal, shaped like `signal`.
        """
        signs = ops.cast(signs, signal.dtype)
        rotated = ops.reshape(signal, (-1, self.symbols))
        if self.inverse:
            for index in reversed(range(self.rounds)):
                rotated = self._mix(rotated, last=index % 2) * signs[:, index]
        else:
            for index in range(self.rounds):
                rotated = self._mix(rotated * signs[:, index], last=index % 2)
        return ops.reshape(rotated, (-1, *signal.shape[1:]))

    def _mix(self, signal, last):
        """M_r or, as the factors are their own inverses, its inverse."""
        rows, columns = (ops.convert_to_tensor(f, dtype=signal.dtype) for f in self.factors)
        mixed = math.prod(self.grid)
        start = self.symbols - mixed if last else 0
        block = signal[:, start : start + mixed]
        if not self.inverse:
            block = ops.take(block, self.order, axis=1)
        block = ops.matmul(rows, ops.matmul(ops.reshape(block, (-1, *self.grid)), columns))
        block = ops.reshape(block, (-1, mixed))
        if self.inverse:
            block = ops.take(block, np.argsort(self.order).astype("int32"), axis=1)
        if mixed == self.symbols:
            return block
        if last:
            return ops.concatenate([signal[:, :start], block], axis=1)
        return ops.concatenate([block, signal[:, mixed:]], axis=1)

    def get_config(self):
        """Configuration for saving: rounds and direction, never a key."""
        return {**super().get_config(), "rounds": self.rounds, "inverse": self.inverse}


def build_transmitter_keyed(signal_shape, rounds=ROUNDS):
    """Alice's keyed module: z = y + delta = Q y', y' = sqrt(n) y / ||y||, delta = Q y' - y.

    Args:
        signal_shape: shape of one source's signal, for example (128,); n values.
        rounds: R.

    Returns:
        Model from [y, signs], [batch, *signal_shape] and [batch, rounds, n], to z, shaped like y,
        of power 1.
    """
    signal, signs = keyed_inputs(signal_shape, "signal", fast(rounds))
    sent = KeyedRotation(rounds, name="sent")(scaled_to_unit_power(signal), signs)
    return keras.Model([signal, signs], sent, name="transmitter_keyed")


def build_receiver_keyed(signal_shape, rounds=ROUNDS):
    """Bob's keyed module: y_clean = Q^T y_bob = y' + Q^T n_bob; the noise stays white.

    Args:
        signal_shape: shape of one source's signal, for example (128,); n values.
        rounds: R.

    Returns:
        Model from [y_bob, signs], [batch, *signal_shape] and [batch, rounds, n], to y_clean, shaped
        like y_bob.
    """
    received, signs = keyed_inputs(signal_shape, "received", fast(rounds))
    cleaned = KeyedRotation(rounds, inverse=True, name="cleaned")(received, signs)
    return keras.Model([received, signs], cleaned, name="receiver_keyed")


@functools.cache
def fast(rounds=ROUNDS):
    """The fast rotation of R rounds, a `keyed.Rotation`."""
    return Rotation(
        name="fast",
        key_input="signs",
        key_shape=lambda symbols: (rounds, symbols),
        build_transmitter=functools.partial(build_transmitter_keyed, rounds=rounds),
        build_receiver=functools.partial(build_receiver_keyed, rounds=rounds),
        random_keys=lambda batch, shape, seed: random_signs(batch, *shape, seed),
        rounds=rounds,
    )


FAST = fast()
