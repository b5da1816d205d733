"""Sources to a recording: encoded, protected, framed, shaped; a part of them at a time."""

import numpy as np
from scipy.signal import upfirdn

from arn_keras.errors import DataError
from arn_keras.export.radio import header, recording
from arn_keras.export.radio.ends import NUMBER_BYTES
from arn_keras.export.radio.frame import LEVEL, pulse

#: Sources at a time.
PART = 256


def send(end, split, out, *, symbol_rate, samples_per_symbol):
    """Writes the recording of some sources.

    Args:
        end: `ends.End` of the transmitter.
        split: sources, `data.dataset.Split`.
        out: name of the recording.
        symbol_rate: in Hz.
        samples_per_symbol: 4 or 8.

    Returns:
        {"frames", "samples", "seconds" of the recording}.

    Raises:
        ArnError, runtime.SignalError, runtime.KeyingError: nothing is written then; of a keyed pair
            message numbers may be lost.
    """
    layout, sample_rate = end.layout, symbol_rate * samples_per_symbol
    if len(split) > 1 << 8 * NUMBER_BYTES:
        raise DataError(f"expected at most {1 << 8 * NUMBER_BYTES} sources, got {len(split)}")
    with recording.writing(out, sample_rate, layout) as writer:
        for start in range(0, len(split), PART):
            signals = end.link.transmit(split.part(slice(start, start + PART)))
            for number, (message, sent) in enumerate(_protected(end, signals), start):
                content = number.to_bytes(NUMBER_BYTES, "little") + message
                symbols = layout.frame(header.modulate(content, end.identity), sent)
                writer.add(shaped(symbols, samples_per_symbol), f"frame {number}")
    samples = writer.samples
    return {"frames": len(split), "samples": samples, "seconds": samples / sample_rate}


def _protected(end, signals):
    """(message header, z) of each signal."""
    if end.module is None:
        sent = [b""] * len(signals), signals
    elif end.keyed:
        sent = end.module.protect(signals)
    else:
        sent = [b""] * len(signals), end.module.protect(signals)
    return zip(*sent, strict=True)


def shaped(symbols, samples_per_symbol):
    """Samples of symbols, root mean square `LEVEL`; half a pulse longer at both ends."""
    scaled = symbols * np.float32(LEVEL * np.sqrt(samples_per_symbol / 2))
    return upfirdn(pulse(samples_per_symbol), scaled, samples_per_symbol)
