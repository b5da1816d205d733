"""Where frames begin: short blocks of the preamble, compared each with the one before.

    c_b = sum over the 4 symbols of block b of y p*,   m = |sum_b c_b c*_(b-1)| / (its value without
    noise at the same energy),   carrier offset = angle of that sum / (2 pi 4 symbols)

A carrier offset turns the blocks against each other by one angle, so that it costs nothing but what
it turns within a block, and is seen up to an eighth of the symbol rate. Schmidl and Cox, *Robust
frequency and timing synchronization for OFDM*, 1997, compare two halves in the same way.
"""

from typing import NamedTuple

import numpy as np
from scipy.signal import find_peaks, oaconvolve

from arn_keras.export.radio.frame import PREAMBLE, pulse

BLOCK = 4
#: Least m of a candidate: noise is above it once in 4,000 instants, a frame at 0 dB is at 0.5.
LEAST = 0.22
#: Candidates are so many symbols apart.
APART = 16
_SIGNS = np.sign(PREAMBLE.real)
_BLOCKS = len(PREAMBLE) // BLOCK


class Candidate(NamedTuple):
    """Where a frame may begin.

    Attributes:
        place: sample at the middle of its first symbol, to half a symbol.
        offset: carrier offset, cycles a symbol.
    """

    place: int
    offset: float


def candidates(samples, samples_per_symbol):
    """Candidates in samples, in their order.

    Args:
        samples: complex [samples].
        samples_per_symbol: even.
    """
    step = samples_per_symbol // 2
    filtered = oaconvolve(samples, pulse(samples_per_symbol), mode="same")[::step]
    count = len(filtered) - 2 * len(PREAMBLE)
    if count < 1:
        return []
    energy = np.cumsum(np.abs(filtered) ** 2, dtype=float)
    energy = np.maximum(energy[2 * len(PREAMBLE) :] - energy[:count], 1e-30) / 2
    total, before = np.zeros(count, complex), None
    for block in range(_BLOCKS):
        first = BLOCK * block
        now = sum(_SIGNS[k] * filtered[2 * k : 2 * k + count] for k in range(first, first + BLOCK))
        if before is not None:
            total += now * np.conj(before)
        before = now
    whole = (_BLOCKS - 1) * BLOCK**2 / len(PREAMBLE)
    likeness = np.abs(total) / (whole * energy)
    places, _ = find_peaks(likeness, height=LEAST, distance=2 * APART)
    offsets = np.angle(total[places]) / (2 * np.pi * BLOCK)
    return [Candidate(int(p) * step, float(o)) for p, o in zip(places, offsets, strict=True)]
