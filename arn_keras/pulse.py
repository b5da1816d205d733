"""The pulse of a modem: a root-raised cosine, and the band that it fills.

    H(f) = sqrt of a raised cosine of roll-off b, f in cycles a symbol: 1 below (1 - b)/2,
    cos(pi/(2 b) (f - (1 - b)/2)) up to (1 + b)/2, and 0 above

A frame is one period of a periodic signal (what a cyclic prefix makes of it on the air), so that
the pulse is exact: nothing is cut off it, its shifts by whole symbols are orthonormal to the last
digit, and nothing is outside the band. Proakis, Salehi, *Digital Communications*, 9.2-1.
"""

import numpy as np

from arn_keras.errors import ConfigError

ROLL_OFF = 0.35
SAMPLES_PER_SYMBOL = 8
#: Symbols of a frame below which the pulse would meet its own tails.
LEAST_SYMBOLS = 8


def symbols_of(samples, samples_per_symbol=SAMPLES_PER_SYMBOL):
    """Symbols of a frame of so many complex samples.

    Raises:
        ConfigError: if samples a symbol do not divide the frame, are below 2, or leave fewer than
            `LEAST_SYMBOLS`.
    """
    if samples_per_symbol < 2 or samples % samples_per_symbol:
        raise ConfigError(
            f"expected samples a symbol, 2 or more, that divide a frame of {samples} samples, "
            f"got {samples_per_symbol}"
        )
    if samples // samples_per_symbol < LEAST_SYMBOLS:
        raise ConfigError(
            f"expected a frame of at least {LEAST_SYMBOLS} symbols for the pulse, got {samples} "
            f"samples of {samples_per_symbol} a symbol"
        )
    return samples // samples_per_symbol


def band_edge(samples_per_symbol=SAMPLES_PER_SYMBOL, roll_off=ROLL_OFF):
    """Where the band ends, (1 + b) / 2 cycles a symbol, in units of the sampling rate."""
    return (1 + roll_off) / 2 / samples_per_symbol


def root_raised_cosine(samples, samples_per_symbol=SAMPLES_PER_SYMBOL, roll_off=ROLL_OFF):
    """One period of the pulse, of energy 1.

    Args:
        samples: complex samples of a frame, n.
        samples_per_symbol: samples a symbol; divides n.
        roll_off: b, above 0 and up to 1.

    Returns:
        Real array [n], the middle of the pulse first: index -1 is one sample before it.

    Raises:
        ConfigError: for a frame that `symbols_of` refuses, or another roll-off.
    """
    symbols_of(samples, samples_per_symbol)
    if not 0 < roll_off <= 1:
        raise ConfigError(f"expected a roll-off above 0 and up to 1, got {roll_off}")
    frequency = np.abs(np.fft.fftfreq(samples)) * samples_per_symbol
    slope = np.clip((frequency - (1 - roll_off) / 2) / roll_off, 0, 1)
    pulse = np.fft.ifft(np.cos(np.pi / 2 * slope)).real
    return pulse / np.linalg.norm(pulse)


def circulant(pulse):
    """The matrix of circular convolution with a pulse: row m is the pulse moved m samples on."""
    count = len(pulse)
    return pulse[(np.arange(count) - np.arange(count)[:, None]) % count]


def band_filter(samples_per_symbol=SAMPLES_PER_SYMBOL, roll_off=ROLL_OFF):
    """Taps that keep what the pulse keeps, finite so that a device can run them.

    The pulse's middle `LEAST_SYMBOLS` symbols, of gain 1 at frequency 0. Of white noise it leaves
    a share of 1e-4 outside the band.

    Returns:
        Real array [LEAST_SYMBOLS * samples_per_symbol + 1], symmetric.
    """
    half = LEAST_SYMBOLS * samples_per_symbol // 2
    pulse = root_raised_cosine(64 * samples_per_symbol, samples_per_symbol, roll_off)
    taps = np.roll(pulse, half)[: 2 * half + 1]
    return taps / taps.sum()
