"""Complex symbols as pairs of reals, interleaved in the last axis: I, Q, I, Q, ...

So a float32 signal viewed as complex64 is the I/Q recording, without a copy, and the networks of a
link, which are real, take it as it is. Whatever is complex is computed on pairs: [..., symbols, 2].
"""

from keras import ops

from arn_keras.errors import DataError


def pairs(signal):
    """A signal's complex symbols, [..., 2 symbols] -> [..., symbols, 2].

    Raises:
        DataError: for an odd number of reals.
    """
    reals = signal.shape[-1]
    if reals is None or reals % 2:
        raise DataError(
            f"expected complex symbols, an even number of reals in the last axis, I, Q, I, Q, ..., "
            f"got {reals}"
        )
    return ops.reshape(signal, (*ops.shape(signal)[:-1], reals // 2, 2))


def interleaved(symbols):
    """The inverse of `pairs`, [..., symbols, 2] -> [..., 2 symbols]."""
    return ops.reshape(symbols, (*ops.shape(symbols)[:-2], 2 * symbols.shape[-2]))


def times(one, other):
    """Complex product of pairs, which broadcast."""
    (a, b), (c, d) = (ops.unstack(each, 2, axis=-1) for each in (one, other))
    return ops.stack([a * c - b * d, a * d + b * c], axis=-1)


def conjugate(symbols):
    """Complex conjugate of pairs."""
    return symbols * ops.cast([1.0, -1.0], symbols.dtype)


def square(symbols):
    """|z|^2 of pairs, [..., symbols, 2] -> [..., symbols, 1]."""
    return ops.sum(ops.square(symbols), axis=-1, keepdims=True)
