"""What the exactly uniform rotation leaks all the same, in numbers: quantised and rounded.

The theorem of docs/threat-model.md is for real numbers. A machine's z differs from the ideal one,
which is independent of the source, by a shift d, and Eve hears both in Gaussian noise of variance v
for each real symbol. The Kullback-Leibler divergence of two such Gaussians is d^2 / (2 v) nats, and
it is jointly convex, so the information that what she hears has of the source is at most

    E[d^2] / (2 v)   nats,    d <= d_normal + d_float.

d_normal, of the words of 64 and 32 bits that the normal numbers are made of, is bounded below; that
of float32, d_float, is measured on the run. The keystream's part is ChaCha20's, and no number.
"""

import math

import keras
import numpy as np

from arn_keras.pair.haar import build_transmitter_haar
from arn_keras.pair.haar_draw import haar_rotation, keystream_bytes

#: Root mean square by which one normal number is off. The angle's steps of 2 pi / 2^32 move it by
#: the radius times at most half a step: pi / 2^32 / sqrt(3). The radius' words add below a tenth.
NORMAL_RMS = 1.1 * math.pi / 2**32 / math.sqrt(3)


def normal_shift(symbols):
    """Root mean square of d_normal: of z, for the words that its normal numbers are made of.

        (n + 8) sqrt(2 n) e,    e = `NORMAL_RMS`.

    A vector of k normal numbers turns by at most e sqrt((k - 1) / (k - 2)), one of two by
    e sqrt(ln(1 / e)) = 4.6 e, and its reflection moves a signal of norm sqrt(n) by at most
    sqrt(2 n) times that. The n - 1 of them add up at the worst: to less than n + 8 (n <= 20,000).

    Args:
        symbols: n, real symbols a message.
    """
    return (symbols + 8) * math.sqrt(2 * symbols) * NORMAL_RMS


def float_shift(signals, seed):
    """d_float, measured: largest distance of float32's z from that of float64.

    Over 64 messages of up to 128 symbols; of longer ones as many as cost the same, at least 3: a
    distance of so many roundings varies less the more there are.

    Args:
        signals: y, array [sources, ...].
        seed: integer seed of the keys, which nobody has.
    """
    shape, generator = signals.shape[1:], np.random.default_rng(seed)
    symbols, worst = math.prod(shape), 0.0
    messages = min(64, max(3, 64 * 128**3 // symbols**3))
    module = build_transmitter_haar(tuple(shape))
    for signal in np.asarray(signals[:messages], np.float32):
        rotation = haar_rotation(generator.bytes(keystream_bytes(symbols)), symbols)
        exact = signal.ravel().astype(float)
        exact = rotation @ (exact * (math.sqrt(symbols) / np.linalg.norm(exact)))
        given = [signal[None], rotation.astype(np.float32)[None]]
        sent = keras.ops.convert_to_numpy(module(given, training=False)).ravel()
        worst = max(worst, float(np.linalg.norm(sent - exact)))
    return worst


def remainder(signals, noise_variance, seed):
    """The numeric remainder of a run.

    Args:
        signals: y, array [sources, ...].
        noise_variance: v, of Eve's noise for each real symbol.
        seed: integer seed of the keys that it is measured under.

    Returns:
        {"shift": d, in the units of z, whose norm is sqrt(n); "remainder_nats": d^2 / (2 v)}.
    """
    shift = normal_shift(math.prod(signals.shape[1:])) + float_shift(signals, seed)
    return {"shift": shift, "remainder_nats": shift**2 / (2 * noise_variance)}
