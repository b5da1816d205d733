"""The layout of a frame in symbols, and its samples.

    preamble (63) | header and payload, every eighth symbol a pilot

All symbols are complex, mean square 1 a real, as a signal's are (`iq`): what the modules put out is
sent as it is. Preamble and pilots are an m-sequence on one diagonal: short blocks of it can be
compared, so that a carrier offset of up to an eighth of the symbol rate is seen (`search`).
"""

import dataclasses
import functools

import numpy as np
from scipy.signal import max_len_seq

from arn_keras.errors import DataError
from arn_keras.export.radio import header
from arn_keras.pulse import ROLL_OFF, root_raised_cosine

PILOT_EVERY = 8
#: Symbols after which a pulse is cut off, on either side of its middle.
HALF_PULSE = 8
#: Root mean square of a frame's samples: peaks of 14 dB fit into [-1, 1].
LEVEL = 0.2
SAMPLES_PER_SYMBOL = (4, 8)


def _signs(length, bits):
    found = 1.0 - 2.0 * max_len_seq(bits, length=length)[0]
    return (found * (1 + 1j)).astype(np.complex64)


PREAMBLE = _signs(63, 6)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where what stands in a frame.

    Attributes:
        header_bytes: of the header, without its checksum.
        payload: complex symbols of a signal.
    """

    header_bytes: int
    payload: int

    @functools.cached_property
    def _body(self):
        """Numbers of the symbols behind the preamble: (pilots, others)."""
        others = header.symbols_of(self.header_bytes) + self.payload
        # A pilot ends the frame, so that nothing lies outside them.
        pilots = -(-others // (PILOT_EVERY - 1))
        is_pilot = np.arange(others + pilots) % PILOT_EVERY == PILOT_EVERY - 1
        is_pilot[-1] = True
        places = len(PREAMBLE) + np.arange(others + pilots)
        return places[is_pilot], places[~is_pilot]

    @property
    def symbols(self):
        """Of a whole frame."""
        return len(PREAMBLE) + sum(map(len, self._body))

    @functools.cached_property
    def known(self):
        """Numbers of the symbols that every receiver knows, and these: (places, symbols)."""
        pilots, _ = self._body
        places = np.append(np.arange(len(PREAMBLE)), pilots)
        return places, np.append(PREAMBLE, _signs(len(pilots), 11))

    @property
    def header_places(self):
        """Numbers of the header's symbols."""
        return self._body[1][: -self.payload]

    @property
    def payload_places(self):
        """Numbers of the signal's symbols."""
        return self._body[1][-self.payload :]

    def frame(self, header_symbols, signal):
        """All symbols of a frame, complex64 [symbols].

        Args:
            header_symbols: of `header.modulate`.
            signal: z, real, interleaved I/Q; any shape.
        """
        frame = np.empty(self.symbols, np.complex64)
        places, symbols = self.known
        frame[places] = symbols
        frame[self.header_places] = header_symbols
        frame[self.payload_places] = np.ravel(signal).view(np.complex64)
        return frame


def complex_symbols(shape):
    """Complex symbols of a signal of this shape.

    Raises:
        DataError: for an odd number of reals in the last axis.
    """
    if not shape or shape[-1] % 2:
        raise DataError(
            "expected complex symbols, an even number of reals in the last axis, I, Q, I, Q, ..., "
            f"got signals of shape {tuple(shape)}"
        )
    return int(np.prod(shape)) // 2


@functools.cache
def pulse(samples_per_symbol):
    """The root-raised cosine of energy 1, cut off `HALF_PULSE` symbols from its middle."""
    half = HALF_PULSE * samples_per_symbol
    whole = root_raised_cosine(64 * samples_per_symbol, samples_per_symbol, ROLL_OFF)
    taps = np.roll(whole, half)[: 2 * half + 1]
    return (taps / np.linalg.norm(taps)).astype(np.float32)
