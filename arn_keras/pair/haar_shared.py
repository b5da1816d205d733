"""The exactly uniform rotation for many messages at once, as an audit sends them: z = F A y.

A real pair draws a Haar Q for each message (`haar`), at a cost of order n^3. Here a batch shares
one Haar factor A, and each message has its own fast rotation F under fresh signs. A product of a
Haar rotation and any other one that is independent of it is Haar, so Q = F A is exactly uniform in
each message. That they share A is what a real pair's never do, and can only help Eve.

A is `haar_draw`'s reflections in reverse, H_{n-1} ... H_0, applied to all signals of the batch,
`BLOCK` at a time, and never a matrix: n^2 a message, so that signals of 1,024 symbols and more can
be audited. The signs that make A Haar are fresh ones in front of it: the first flips of F.
"""

import keras
from keras import layers, ops

from arn_keras.pair.haar import HAAR
from arn_keras.pair.keyed import Rotation, keyed_inputs, symbols_of
from arn_keras.pair.rotation import FAST, random_signs

#: Reflections that are one product.
BLOCK = 64


class SharedReflections(layers.Layer):
    """The signals of a batch after its reflections, H_{n-1} ... H_0 y, or the inverse.

    With U of a block's rows u_i, |u_i|^2 = 2, and T the upper triangle of U U^T with a diagonal of
    1, the product of its H_i, first to last, is I - U^T T^{-1} U.

    Args:
        inverse: whether to apply H_0 ... H_{n-1} instead.
    """

    def __init__(self, inverse=False, **kwargs):
        super().__init__(**kwargs)
        self.inverse = inverse

    def call(self, signal, reflectors):
        """Reflects, or reflects back.

        Args:
            signal: real, [batch, ...], n values a source.
            reflectors: rows u_i, zero before the i-th, [1, n, n].

        Returns:
            Reflected signal, shaped like `signal`.
        """
        symbols = symbols_of(signal.shape[1:])
        value = ops.transpose(ops.reshape(signal, (-1, symbols)))
        starts = range(0, symbols, BLOCK)
        for start in reversed(starts) if self.inverse else starts:
            block = reflectors[0, start : start + BLOCK]
            across = ops.transpose(block)
            triangle = ops.triu(ops.matmul(block, across), 1) + ops.eye(block.shape[0])
            if not self.inverse:
                triangle = ops.transpose(triangle)
            share = ops.matmul(block, value)
            share = ops.solve_triangular(triangle, share, lower=not self.inverse)
            value = value - ops.matmul(across, share)
        return ops.reshape(ops.transpose(value), (-1, *signal.shape[1:]))


def random_factors(batch, shape, seed):
    """Keys of a batch that nobody has: (signs of F, [batch, R, n]; reflectors of A, [1, n, n]).

    Args:
        batch: number of messages; may be a tensor.
        shape: (R, n), of one message's signs.
        seed: keras.random.SeedGenerator, or an integer.
    """
    generator = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
    symbols = shape[-1]
    normal = ops.triu(keras.random.normal((symbols, symbols), seed=generator))
    first, norm = ops.diagonal(normal), ops.sqrt(ops.sum(ops.square(normal), axis=1))
    normal = normal + ops.diag(ops.where(first < 0, -norm, norm))
    reflectors = normal / ops.sqrt(norm * (norm + ops.abs(first)))[:, None]
    return random_signs(batch, *shape, generator), reflectors[None]


def build_transmitter_shared(signal_shape):
    """Alice's end: model from [y, (signs, reflectors)] to z = F A y', y' = sqrt(n) y / ||y||."""
    signal, signs = keyed_inputs(signal_shape, "signal", FAST)
    _, reflectors = keyed_inputs(signal_shape, "signal", HAAR)
    turned = SharedReflections(name="turned")(signal, reflectors)
    sent = FAST.build_transmitter(signal_shape)([turned, signs])
    return keras.Model([signal, (signs, reflectors)], sent, name="transmitter_keyed")


def build_receiver_shared(signal_shape):
    """Bob's end: model from [y_bob, (signs, reflectors)] to y_clean = A^T F^T y_bob."""
    received, signs = keyed_inputs(signal_shape, "received", FAST)
    _, reflectors = keyed_inputs(signal_shape, "received", HAAR)
    cleaned = FAST.build_receiver(signal_shape)([received, signs])
    cleaned = SharedReflections(inverse=True, name="cleaned")(cleaned, reflectors)
    return keras.Model([received, (signs, reflectors)], cleaned, name="receiver_keyed")


SHARED_HAAR = Rotation(
    name="haar",
    key_input="signs",
    key_shape=FAST.key_shape,
    build_transmitter=build_transmitter_shared,
    build_receiver=build_receiver_shared,
    random_keys=random_factors,
)
