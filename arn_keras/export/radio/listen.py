"""A recording to frames, a part of it at a time."""

from typing import NamedTuple

import numpy as np

from arn_keras.export.radio import equalizer, header
from arn_keras.export.radio.ends import NUMBER_BYTES
from arn_keras.export.radio.search import candidates

#: Samples at a time.
PART = 1 << 17


class Received(NamedTuple):
    """A frame whose header is whole.

    Attributes:
        number: of the frame.
        message: header of a keyed pair's message, else none.
        signal: what Bob's module is given, float32.
        snr: signal power over noise power, as the known symbols say.
        offset: carrier offset, cycles a symbol.
        place: sample at the middle of its first symbol.
    """

    number: int
    message: bytes
    signal: np.ndarray
    snr: float
    offset: float
    place: float


def received(end, recording):
    """Yields the frames of a recording, in their order.

    Args:
        end: `ends.End` of the receiver.
        recording: `recording.Recording`.
    """
    layout, each = end.layout, recording.samples_per_symbol
    before, after = equalizer.span(layout, each)
    length, free = (layout.symbols - 1) * each, 0
    for start in range(0, recording.samples, PART):
        samples = recording.read(start - before, start + PART + after)
        for place, offset in candidates(samples, each):
            at = start - before + place
            inside = start <= at < start + PART and at + length < recording.samples
            if not inside or at < free:
                continue
            look = equalizer.Look(samples[place - before : place + after], offset, layout, each)
            found = _frame(end, layout, look) if look.agrees else None
            if found is not None:
                content, symbols = found
                free = at + length
                yield Received(
                    int.from_bytes(content[:NUMBER_BYTES], "little"),
                    content[NUMBER_BYTES:],
                    _signal(end, symbols, layout),
                    symbols.share / (1 - symbols.share),
                    symbols.offset,
                    at + look.late,
                )


def _frame(end, layout, look):
    """(the header's bytes, `equalizer.Symbols`), or None without a whole header.

    A whole header is known symbols too: a second look knows it as if it were pilots.
    """
    places, known = layout.known
    first = look.symbols(places, known)
    content = header.demodulate(first.symbols[layout.header_places], end.identity)
    if content is None:
        return None
    places = np.append(places, layout.header_places)
    known = np.append(known, header.modulate(content, end.identity))
    return content, look.symbols(places, known, first)


def _signal(end, symbols, layout):
    scale = 1.0 if end.shrunk else symbols.share
    signal = (symbols.symbols[layout.payload_places] / scale).astype(np.complex64)
    return signal.view(np.float32).reshape(end.link.shape)
