"""Spectrum and constellation of recordings, side by side: what each takes of the air."""

import pathlib

import numpy as np
from scipy.signal import upfirdn

from arn_keras.errors import DataError, ExportError
from arn_keras.export.radio.frame import HALF_PULSE, LEVEL, pulse
from arn_keras.export.radio.recording import Recording
from arn_keras.machine.files import atomic_file
from arn_keras.measure.spectrum import occupied_bandwidth, papr_db, spectrum
from arn_keras.palette import BLUE, GREY, ORANGE
from arn_keras.power import db_to_ratio, ratio_to_db

#: Frames that are looked at.
FRAMES = 500
#: Floor of the spectrum that is drawn, dB.
FLOOR_DB = -60.0


def figure(names, out, symbol_rate):
    """Draws recordings of `send`, and says what they take of the air.

    Args:
        names: of the recordings.
        out: file to write.
        symbol_rate: in Hz.

    Returns:
        A line for each: its bandwidth with 99 % of the power, and the peak to average power ratio
        that one in a hundred of its signals exceeds (without preamble, pilots and header).

    Raises:
        ArnError: if one is no recording of frames, or the figure cannot be written.
    """
    from matplotlib.figure import Figure

    lines, drawn = [], Figure(figsize=(2.6 * len(names) + 0.6, 5.2), layout="constrained")
    axes = drawn.subplots(2, len(names), squeeze=False)
    for column, name in enumerate(names):
        recording = Recording(name, symbol_rate)
        frames, signals, symbols = _frames(recording)
        each = recording.samples_per_symbol
        width = occupied_bandwidth(frames) * each
        peak_db = float(np.percentile(papr_db(signals), 99))
        title = pathlib.Path(name).name
        lines.append(
            f"{title}: occupied bandwidth {width:.3f} of the symbol rate "
            f"({width * symbol_rate / 1e3:.0f} kHz), peak to average {peak_db:.1f} dB"
        )
        title = f"{title}\nband {width:.2f}, peak {peak_db:.1f} dB"
        _draw(axes[:, column], frames, each, symbols, title)
    axes[0, 0].set_ylabel("power density, dB")
    axes[1, 0].set_ylabel("Q of a signal's symbols")
    try:
        with atomic_file(out) as temporary:
            drawn.savefig(temporary, dpi=150, format=pathlib.Path(out).suffix[1:] or "png")
    except (OSError, ValueError) as error:
        raise ExportError(f"{out}: expected a figure to write: {error}") from None
    return lines


def _frames(recording):
    """(whole frames, their parts with the signal, the signal's symbols), interleaved, [frames, 2 n]

    The symbols are those of a matched filter, without any noise of the air.
    """
    layout, each = recording.layout, recording.samples_per_symbol
    length = layout and (layout.symbols - 1 + 2 * HALF_PULSE) * each + 1
    if {count for _, count in recording.frames} != {length}:
        raise DataError("expected a recording of export.radio send, got one without its frames")
    frames = np.stack(
        [recording.read(start, start + count) for start, count in recording.frames[:FRAMES]]
    )
    places = layout.payload_places
    first, last = (HALF_PULSE + places[0]) * each, (HALF_PULSE + places[-1]) * each + 1
    filtered = upfirdn(pulse(each), frames, 1, each, axis=1)[:, 2 * HALF_PULSE :]
    symbols = filtered[:, places] / (LEVEL * np.sqrt(each / 2))
    return tuple(
        np.ascontiguousarray(part, np.complex64).view(np.float32)
        for part in (frames, frames[:, first:last], symbols)
    )


def _draw(axes, frames, each, symbols, title):
    above, below = axes
    frequency, power = spectrum(frames)
    # Bins together, so that a line is drawn and no band of noise.
    bins = np.arange(0, len(power) - 7, 8)
    level = np.add.reduceat(power, bins) / 8
    level = level / level.max()
    dbs = [ratio_to_db(max(value, db_to_ratio(FLOOR_DB))) for value in level]
    above.plot(frequency[bins + 3] * each, dbs, color=BLUE, linewidth=1)
    above.set(xlim=(-1.5, 1.5), ylim=(FLOOR_DB, 3), xlabel="frequency / symbol rate", title=title)
    points = symbols.reshape(-1, 2)[:6000]
    below.plot(*points.T, ".", color=ORANGE, markersize=1.5, alpha=0.4)
    below.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="I", aspect="equal")
    for axis in axes:
        axis.grid(color=GREY, alpha=0.25)
