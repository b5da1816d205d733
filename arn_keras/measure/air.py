"""What a modem's sent frames take of the air, as fields of a row.

SNR is per sample throughout; a symbol has the energy of its samples, so Es/N0 is more by
10 log10(samples a symbol) dB, and a row says both.
"""

import numpy as np

from arn_keras.measure.modem_theory import es_n0_db
from arn_keras.measure.spectrum import band_of, papr_db, share_above, spectrum
from arn_keras.pulse import band_edge


class Air:
    """Meter of sent frames.

    Args:
        samples_per_symbol, roll_off: of the modem.
    """

    def __init__(self, samples_per_symbol, roll_off):
        self._each, self._edge = samples_per_symbol, band_edge(samples_per_symbol, roll_off)
        self._power, self._peaks = 0.0, []

    def add(self, sent):
        """Adds a batch, array or tensor [batch, 2 n], interleaved I/Q."""
        sent = np.asarray(sent)
        self._frequency, power = spectrum(sent)
        self._power = self._power + len(sent) * power
        self._peaks.append(papr_db(sent))

    def fields(self, snr_db):
        """The row's fields.

        Args:
            snr_db: SNR per sample in dB.

        Returns:
            {"es_n0_db": in dB; "occupied_bandwidth": of 99 % of the power, in units of the sampling
            rate; "out_of_band": share of the power; "papr_db": median over frames, in dB}.
        """
        return {
            "es_n0_db": es_n0_db(float(snr_db), self._each),
            "occupied_bandwidth": band_of(self._frequency, self._power),
            "out_of_band": share_above(self._frequency, self._power, self._edge),
            "papr_db": float(np.median(np.concatenate(self._peaks))),
        }
