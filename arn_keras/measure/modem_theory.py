"""Symbol error rates of the modem's modulations over white Gaussian noise, and a price in dB.

Proakis, Salehi, *Digital Communications*, 4.3; for a frame whose gain Bob knows. Every frame is
sent with power 1, whatever its symbols are, so that QAM and PAM err a little less than here: by
1 % (64QAM) to 1.5 % (PAM4) at 0 dB in frames of 32 symbols, twice that in frames of 16.
"""

import math

import numpy as np
from scipy import integrate, optimize, special

from arn_keras.link.constellation import MODULATIONS, known
from arn_keras.power import db_to_ratio, ratio_to_db


def es_n0_db(snr_db, samples_per_symbol):
    """Energy of a symbol over N0 in dB, of the SNR per sample: SNR + 10 log10(samples a symbol)."""
    return snr_db + ratio_to_db(samples_per_symbol)


def symbol_error_rate(modulation, es_n0_db):
    """Probability that a symbol is decided wrongly, exact.

    Args:
        modulation: name, one of `MODULATIONS`.
        es_n0_db: energy of a symbol over N0 (the noise variance of I and Q together) in dB.

    Raises:
        ConfigError: for an unknown modulation.
    """
    (name,) = known([modulation])
    count, ratio = 2 ** MODULATIONS[name], db_to_ratio(es_n0_db)
    if name.endswith("psk") and count > 2:
        edge = ratio * math.sin(math.pi / count) ** 2
        last = math.pi * (count - 1) / count
        return integrate.quad(lambda t: math.exp(-edge / math.sin(t) ** 2), 0, last)[0] / math.pi
    if name.endswith("qam"):
        each = _pam(math.isqrt(count), ratio / 2)
        return each * (2 - each)
    return _pam(count, ratio)


def _pam(levels, ratio):
    """2 (1 - 1/M) Q(sqrt(6 Es/N0 / (M^2 - 1))), Es of this one dimension."""
    distance = np.sqrt(6 * ratio / (levels**2 - 1))
    return float((1 - 1 / levels) * special.erfc(distance / np.sqrt(2)))


def price_db(modulation, rate, es_n0_db):
    """By how much the SNR would have to fall for theory to give a measured rate, in dB.

    Args:
        modulation: name.
        rate: symbol error rate that was measured.
        es_n0_db: at which it was measured.

    Returns:
        dB, below 0 for a rate better than theory; -inf for a rate of 0, inf for one that no noise
        gives.
    """
    if rate <= 0:
        return -math.inf

    def excess(level):
        return math.log(max(symbol_error_rate(modulation, level), 1e-300)) - math.log(rate)

    low, high = -40.0, 60.0
    if excess(low) < 0:
        return math.inf
    return es_n0_db - optimize.brentq(excess, low, high, xtol=1e-6)
