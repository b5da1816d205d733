"""Frames of random bits under several modulations, from a seed: no file, nothing to download.

One frame is one source: what the transmitter sends and what Bob knows of it. Its private label is
its modulation. Each frame is drawn from (seed, split, number of its block), so that any part of a
set can be made without the rest.

RadioML 2016's frames are not these: its generator passes noise power where a voltage belongs, so
that 2 dB steps of its SNR are 4 dB (O'Shea, West, GNU Radio Conference 2016).
"""

import numpy as np

from arn_keras.data.dataset import Dataset, Split
from arn_keras.errors import DataError

#: Bits of a symbol's row; a modulation of fewer uses the first.
BITS = 6
#: Frames that are drawn at once.
BLOCK = 4096


def frames(count, symbols, numbers, samples_per_symbol=8, *, seed=0, split=0, first=0):
    """Frames number `first` to `first + count` of a set that never ends.

    Args:
        count: frames.
        symbols: symbols of a frame.
        numbers: those of the modulations, equally likely: frame i has number i mod how many they
            are, and that place among them is its label.
        samples_per_symbol: the timing is uniform over them.
        seed: of the set.
        split: 0 for training, 1 for test.
        first: number of the first frame.

    Returns:
        float32 array [count, symbols + 1, BITS]: rows of bits, one row a symbol, and a last row of
        modulation, carrier phase in radians in [0, 2 pi), timing in whole samples, 0, 0, 0.

    Raises:
        DataError: for counts below 1.
    """
    if min(count, symbols, len(numbers), samples_per_symbol) < 1 or first < 0:
        raise DataError(
            f"expected at least 1 frame, symbol and modulation, got {count}, {symbols} and "
            f"{len(numbers)}"
        )
    found = np.empty((count, symbols + 1, BITS), np.float32)
    for block in range(first // BLOCK, (first + count - 1) // BLOCK + 1):
        rng = np.random.default_rng((seed, split, block))
        drawn = np.zeros((BLOCK, symbols + 1, BITS), np.float32)
        drawn[:, :-1] = rng.integers(0, 2, (BLOCK, symbols, BITS), np.uint8)
        drawn[:, -1, 0] = np.asarray(numbers)[(block * BLOCK + np.arange(BLOCK)) % len(numbers)]
        # Rounding to float32 may give 2 pi itself, which is 0.
        drawn[:, -1, 1] = rng.uniform(0, 2 * np.pi, BLOCK).astype(np.float32) % np.float32(
            2 * np.pi
        )
        drawn[:, -1, 2] = rng.integers(0, samples_per_symbol, BLOCK)
        low, high = max(first, block * BLOCK), min(first + count, (block + 1) * BLOCK)
        found[low - first : high - first] = drawn[low - block * BLOCK : high - block * BLOCK]
    return found


def load(name, symbols, numbers, counts, seed=0):
    """Frames on Alice's own clock: phase and timing are 0, a listener's are the channel's.

    Args:
        name: of the set.
        symbols: symbols of a frame.
        numbers: those of the modulations; the place among them is the label.
        counts: frames to train and to test on.
        seed: of the set.

    Returns:
        `data.dataset.Dataset`.
    """
    splits = []
    for split, count in enumerate(counts):
        drawn = frames(count, symbols, numbers, seed=seed, split=split)
        drawn[:, -1, 1:] = 0
        label = np.arange(count, dtype=np.int32) % len(numbers)
        splits.append(Split(drawn, label, drawn))  # what Bob finds is not shaped as they are
    return Dataset(name, *splits, len(numbers))
