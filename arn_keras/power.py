"""The power convention: the only file of the project that converts a decibel.

Every signal is real; a complex symbol is a pair of reals. Power is the mean square per real
symbol, and the transmitter normalises each source's signal to power 1. Hence

    SNR = 1 / sigma^2     sigma^2: noise variance per real symbol (Eq. 6, 10, 11),
    PSR = P / 1           P: mean power of the perturbation per real symbol (Eq. 1b, 20),
    dB  = 10 log10(ratio).

The SNR refers to the unperturbed signal, so a perturbation never improves it. Averaging over
reals and halving as if complex, or the other way round, is off by 3 dB; do neither.

Where a scenario says that its signals [..., d] have pauses (`scenario.scenario.Scenario.pauses`), a
place whose d reals are all exactly 0 is not sent, and counts in no mean: a sentence has mean square
1 over the tokens that it has, and SNR and PSR are those of the symbols on the air.
"""

import math

#: Levels are up to it: single precision has their ratios.
LARGEST_DB = 300.0
_NOTHING = 1e-12  # share of a source of which nothing is sent


def level_fault(db, name="number of dB"):
    """What is expected where a number is no level in dB, or None where it is one.

    Args:
        db: a number.
        name: what it is called.
    """
    if db != db or abs(db) == math.inf or type(db).__name__ == "bool":  # Python's and NumPy's
        return f"a finite {name}"
    limit = f"{LARGEST_DB:g}"
    return None if abs(db) <= LARGEST_DB else f"a {name} between -{limit} and {limit}"


def db_to_ratio(db):
    """Power ratio of a level in dB, 10^(dB/10); number, array or tensor alike."""
    return 10.0 ** (db / 10.0)


def ratio_to_db(ratio):
    """Level in dB of one power ratio, 10 log10(ratio); -inf for a ratio of 0."""
    return 10.0 * math.log10(ratio) if ratio > 0 else -math.inf


def ratios_to_db(ratios):
    """Levels in dB of power ratios above 0, a tensor: 10 log10(ratio)."""
    from keras import ops

    return 10.0 * ops.log10(ratios)


def noise_variance(snr_db):
    """Noise variance per real symbol at an SNR referred to signal power 1: 10^(-SNR/10)."""
    return db_to_ratio(-snr_db)


def with_power_of(signal, sent):
    """What is to be sent, scaled to the power that the plain signal has, source by source.

        z sqrt(mean(y^2) / mean(z^2))

    Args:
        signal: y, real tensor, [batch, ...].
        sent: z, shaped like `signal`; a silent one stays silent.

    Returns:
        Tensor shaped like `signal`.
    """
    from keras import ops

    axes = tuple(range(1, len(signal.shape)))
    wanted, found = (
        ops.mean(ops.square(each), axis=axes, keepdims=True) for each in (signal, sent)
    )
    # The reciprocal root is one that a microcontroller has in 8 bits, too.
    return sent * wanted * ops.rsqrt(ops.maximum(wanted * found, 1e-24))


def mean_power(signal, over=None):
    """Mean square per real symbol of each source of a batch.

    Args:
        signal: real tensor or array, [batch, ...].
        over: what is sent, z, shaped like `signal`, where it has pauses: the mean is over the
            places that it has; None for all.

    Returns:
        Tensor or array [batch].
    """
    import numpy as np

    axes = tuple(range(1, len(signal.shape)))
    if isinstance(signal, np.ndarray):
        power = np.mean(np.square(signal), axis=axes)
    else:
        from keras import ops

        power = ops.mean(ops.square(signal), axis=axes)
    return power if over is None else power / sent_share(over)


def sent_share(signal):
    """Share of the places of a signal with pauses that are sent, [batch]; above 0.

    Args:
        signal: real tensor or array, [batch, ..., d].
    """
    import numpy as np

    axes = tuple(range(1, len(signal.shape) - 1))
    if isinstance(signal, np.ndarray):
        share = np.mean(np.any(signal != 0, axis=-1), axis=axes)
        return np.maximum(share, _NOTHING).astype(signal.dtype)
    from keras import ops

    sent = ops.cast(ops.any(signal != 0, axis=-1), signal.dtype)
    return ops.maximum(ops.mean(sent, axis=axes), _NOTHING)


def paused(perturbation, signal):
    """A perturbation with the pauses of the signal that it is for: nothing is added to silence.

    Args:
        perturbation: real tensor, [batch, ..., d].
        signal: y, shaped like it.
    """
    from keras import ops

    sent = ops.any(signal != 0, axis=-1, keepdims=True)
    return perturbation * ops.cast(sent, perturbation.dtype)
