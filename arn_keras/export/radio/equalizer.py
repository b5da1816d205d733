"""From a candidate's samples to its symbols: timing, carrier offset, phase, gain and echoes.

1. The carrier offset is taken out and the matched filter applied; where preamble and samples agree
   best, in time and in what is left of the offset, is the timing, between samples by a parabola.
2. The offset is the peak of the periodogram of what the known symbols were turned by (Rife and
   Boorstyn, *Single-tone parameter estimation*, 1974).
3. Phase, gain and echoes: taps half a symbol apart, by least squares over the known symbols
   (Ungerboeck, *Fractional tap-spacing equalizer*, 1976). As many of them as predict best by
   Akaike's final prediction error, so that where there are no echoes none are estimated.

Left out: a gain or phase that changes within a frame, and a sampling clock that runs away by more
than a tenth of a symbol within it (1,000 symbols at 100 ppm).
"""

import functools
from typing import NamedTuple

import numpy as np

from arn_keras.export.radio.frame import HALF_PULSE, PREAMBLE
from arn_keras.pulse import ROLL_OFF, root_raised_cosine

#: Numbers of taps to choose from, the middle one at the symbol.
LENGTHS = (1, 5, 9, 17)
#: Least share of the energy that the preamble explains.
LEAST = 0.2
_HALF = LENGTHS[-1] // 2
#: Symbols around a frame that are looked at.
_MARGIN = HALF_PULSE + _HALF // 2


class Symbols(NamedTuple):
    """What a look at a frame gives.

    Attributes:
        symbols: all of it, complex, of least squared error: shrunk by `share`.
        share: of their power that is signal, SNR / (1 + SNR).
        offset: carrier offset, cycles a symbol.
    """

    symbols: np.ndarray
    share: float
    offset: float


def span(layout, samples_per_symbol):
    """Samples that a frame needs before its first symbol's and from there on."""
    before = _MARGIN * samples_per_symbol
    return before, before + layout.symbols * samples_per_symbol


class Look:
    """The samples of one candidate, filtered and timed.

    Args:
        samples: complex, as `span` has them around the candidate's place.
        offset: the candidate's, cycles a symbol.
        layout: `frame.Layout`.
        samples_per_symbol: of them.

    Attributes:
        agrees: whether there is a preamble.
        late: by how many samples the frame begins behind the candidate's place.
    """

    def __init__(self, samples, offset, layout, samples_per_symbol):
        self._symbols, self._offset = layout.symbols, offset
        count, each = len(samples), samples_per_symbol
        turned = samples * np.exp(-2j * np.pi * offset / each * np.arange(count))
        spectrum = np.fft.fft(turned) * _matched(count, each)
        self.late, explained = _timing(np.fft.ifft(spectrum), each)
        self.agrees = explained > LEAST
        first = (_MARGIN - _HALF // 2) * each + self.late
        moved = np.fft.ifft(spectrum * np.exp(2j * np.pi * np.fft.fftfreq(count) * first))
        # Half a symbol apart, `_HALF` of them before the first symbol.
        self._halves = moved[:: each // 2]

    def symbols(self, places, known, before=None):
        """`Symbols` of the frame, by what is known of it.

        Args:
            places, known: numbers of the known symbols, and these.
            before: those of a look before, with fewer of them known.
        """
        heard = self._halves[_HALF::2] if before is None else before.symbols
        turn = _tone(places, heard[places] * np.conj(known))
        self._offset += turn
        self._halves = self._halves * np.exp(-1j * np.pi * turn * np.arange(len(self._halves)))
        windows = np.lib.stride_tricks.sliding_window_view(self._halves, LENGTHS[-1])
        windows = windows[::2][: self._symbols]
        taps, share = _fitted(windows[places], known)
        return Symbols(windows @ taps, share, self._offset)


@functools.cache
def _matched(count, samples_per_symbol):
    return np.fft.fft(root_raised_cosine(count, samples_per_symbol, ROLL_OFF)).real


def _timing(filtered, each):
    """(samples from the place to the frame, share of the energy that the preamble explains)."""
    shifts = np.arange(-each, each + 1)
    starts = (_MARGIN * each + shifts)[:, None] + each * np.arange(len(PREAMBLE))
    heard = filtered[starts]
    turns = np.fft.fft(heard * np.conj(PREAMBLE), 4 * len(PREAMBLE))
    agreeing = np.max(np.abs(turns) ** 2, axis=1)
    best = 1 + int(np.argmax(agreeing[1:-1]))
    energy = np.sum(np.abs(heard[best]) ** 2) * np.sum(np.abs(PREAMBLE) ** 2)
    late = shifts[best] + _vertex(*agreeing[best - 1 : best + 2])
    return late, agreeing[best] / max(energy, 1e-30)


def _fitted(heard, known):
    """(taps, share of the power that is signal) of least squares, of as many taps as predict best.

    The samples have no power beyond the pulse's band: a millionth of it is added there, so that the
    taps are not left open.
    """
    power, count = np.sum(np.abs(known) ** 2), len(known)
    alike, wanted = heard.conj().T @ heard, heard.conj().T @ known
    alike += 1e-6 * alike[_HALF, _HALF].real * np.eye(len(alike))
    best = np.inf
    for length in LENGTHS:
        part = slice(_HALF - length // 2, _HALF + length // 2 + 1)
        found = np.linalg.solve(alike[part, part], wanted[part])
        missed = 1 - np.vdot(wanted[part], found).real / power
        unbiased = missed * count / (count - length)
        predicted = unbiased * (count + length) / count  # Akaike's final prediction error
        if predicted < best:
            taps = np.zeros(len(alike), complex)
            taps[part] = found
            best, share = predicted, 1 - unbiased
    return taps, float(np.clip(share, 1e-6, 1 - 1e-9))


def _tone(places, turned):
    """Frequency of the strongest tone near 0, cycles a symbol, of values at some places."""
    count = 1 << int(np.ceil(np.log2(places.max() + 1))) + 2
    line = np.zeros(count, complex)
    line[places] = turned
    power = np.abs(np.fft.fft(line)) ** 2
    near = count // (2 * len(PREAMBLE))
    bins = np.arange(-near, near + 1)
    best = bins[np.argmax(power[bins])]
    return (best + _vertex(*power[[best - 1, best, best + 1]])) / count


def _vertex(before, at, after):
    """Where the parabola through three values at -1, 0, 1 is largest, within half a step."""
    bend = before - 2 * at + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
