"""What a signal takes of the air: occupied bandwidth, power out of band, peaks. In NumPy.

Signals are interleaved I/Q, [frames, 2 n]. Frequencies are in units of the sampling rate, from
-1/2 to 1/2. A frame is one period (see `pulse`), so no window smears its spectrum.
"""

import numpy as np

from arn_keras.power import ratio_to_db


def as_complex(signals):
    """Complex frames [frames, n] of interleaved ones [frames, 2 n]."""
    signals = np.ascontiguousarray(signals, np.float32)
    return signals.reshape(len(signals), -1).view(np.complex64)


def spectrum(signals):
    """Frequencies in ascending order, [n], and the frames' mean power at each, [n]."""
    frames = as_complex(signals)
    power = np.mean(np.abs(np.fft.fft(frames.astype(complex))) ** 2, axis=0)
    return np.fft.fftshift(np.fft.fftfreq(frames.shape[1])), np.fft.fftshift(power)


def occupied_bandwidth(signals, share=0.99):
    """The band that holds this share of the power, as much of the rest on either side.

    ITU-R SM.328.

    Args:
        signals: interleaved, [frames, 2 n].
        share: of the power.

    Returns:
        Width in units of the sampling rate, from 0 to 1, between bins by straight lines; 0 for
        silence.
    """
    return band_of(*spectrum(signals), share)


def band_of(frequency, power, share=0.99):
    """`occupied_bandwidth` of a spectrum."""
    if not power.sum():
        return 0.0
    width = frequency[1] - frequency[0]
    edges = np.append(frequency - width / 2, frequency[-1] + width / 2)
    below = np.append(0, np.cumsum(power)) / power.sum()
    low, high = np.interp([(1 - share) / 2, (1 + share) / 2], below, edges)
    return float(high - low)


def share_above(frequency, power, edge):
    """Share of a spectrum's power at frequencies above an edge either way: what is out of band.

    Args:
        frequency: in units of the sampling rate, [n].
        power: at each frequency, [n].
        edge: see `pulse.band_edge`.

    Returns:
        From 0 to 1; 0 for silence.
    """
    total = power.sum()
    return float(power[np.abs(frequency) > edge].sum() / total) if total else 0.0


def papr_db(signals):
    """Peak to average power ratio of each frame in dB, [frames]: max |x|^2 / mean |x|^2."""
    power = np.abs(as_complex(signals)) ** 2
    return np.array([ratio_to_db(each) for each in power.max(axis=1) / power.mean(axis=1)])
