"""A recording to what Bob recovers: a directory that is whole or absent.

signals.npy     cleaned signals, a row a frame, in the order of arrival
estimates.npy   the receiver's estimates of them, where there is a base link
frames.csv      of each frame its number, sample, SNR and carrier offset
report.json     the figures
pictures.png    the first pictures, where the task has any
"""

import contextlib
import csv
import itertools
import os
import pathlib

import numpy as np
from threadpoolctl import threadpool_limits

from arn_keras.errors import DataError, ExportError
from arn_keras.export import runtime
from arn_keras.export.radio.listen import received
from arn_keras.export.radio.report import Rows, Tally
from arn_keras.machine.files import write_json
from arn_keras.machine.places import replace_directory, staging
from arn_keras.power import ratio_to_db
from arn_keras.task.extent import brightness
from arn_keras.task.image import pixels

#: Frames at a time.
PART = 256
#: Pictures that are drawn.
SHOWN = 12


def receive(end, recording, out, *, sources=None, symbol_rate):
    """Receives a recording.

    Args:
        end: `ends.End` of the receiver.
        recording: `recording.Recording`.
        out: the new directory.
        sources: those that were sent, `data.dataset.Split`, or None.
        symbol_rate: in Hz.

    Returns:
        The report, see docs/deploy.md.

    Raises:
        ArnError: no frame, none that Bob takes, or a place that cannot be written to.
    """
    tally, out = Tally(end.link, sources), pathlib.Path(out)
    with _new_directory(out) as folder:
        with open(folder / "frames.csv", "w", newline="") as stream:
            lines = csv.writer(stream)
            lines.writerow(("frame", "sample", "snr_db", "carrier_offset_hz"))
            with threadpool_limits(1, "blas"):  # its products are small: threads cost five times
                _receive(end, recording, folder, tally, lines.writerow, symbol_rate)
        if not tally.taken:
            raise DataError(
                f"expected frames of this pair, got {recording.samples} samples without any"
                if tally.reason is None
                else f"expected messages that may be taken, got none: {tally.reason}"
            )
        report = tally.fields(symbol_rate)
        write_json(folder / "report.json", report)
        if (ends := end.link.task.shown({}).get("ends")) is not None:
            _pictures(end.link, sources, ends, folder)
    return report


def _receive(end, recording, folder, tally, line, symbol_rate):
    frames = _taken(end, received(end, recording), tally)
    with contextlib.ExitStack() as files:
        signals = files.enter_context(Rows(folder / "signals.npy", end.link.shape))
        estimates = None
        while part := list(itertools.islice(frames, PART)):
            cleaned = np.stack([signal for _, signal in part])
            estimate = end.link.estimate(cleaned)
            signals.add(cleaned)
            if estimate is not cleaned:
                if estimates is None:
                    rows = Rows(folder / "estimates.npy", estimate.shape[1:])
                    estimates = files.enter_context(rows)
                estimates.add(estimate)
            tally.judge([frame for frame, _ in part], estimate)
            for frame, _ in part:
                figures = frame.place, ratio_to_db(frame.snr), frame.offset * symbol_rate
                line((frame.number, *(f"{each:.2f}" for each in figures)))


def _taken(end, frames, tally):
    """(frame, cleaned signal) of each message that Bob takes."""
    for frame in filter(tally.is_new, frames):
        try:
            if end.module is None:
                cleaned = frame.signal
            elif end.keyed:
                cleaned = end.module.clean(frame.signal, frame.message)
            else:
                cleaned = end.module.clean(frame.signal)
        except runtime.RefusedMessageError as error:
            tally.refuse(frame, error)
            continue
        tally.take(frame)
        yield frame, cleaned


@contextlib.contextmanager
def _new_directory(out):
    """A directory beside its place, put there when the block ends well."""
    out = pathlib.Path(os.path.realpath(out))
    try:
        with staging(out, ExportError) as folder:
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise ExportError(f"{out}: expected a new or empty directory")
            fresh = folder / "received"
            fresh.mkdir()
            yield fresh
            replace_directory(fresh, out)
    except OSError as error:
        raise ExportError(f"{out}: expected a place to write to: {error.strerror}") from None


def _pictures(link, sources, ends, folder):
    """Draws the first estimates, below the sources where these are known.

    Args:
        link: as of an end.
        sources: what was sent, or None.
        ends: (black, white).
        folder: to write to.
    """
    from matplotlib.figure import Figure

    estimates = np.load(folder / "estimates.npy", mmap_mode="r")[:SHOWN]
    with open(folder / "frames.csv", newline="") as stream:
        numbers = [int(row["frame"]) for row in itertools.islice(csv.DictReader(stream), SHOWN)]
    rows = {"Bob": estimates}
    if sources is not None:
        rows = {"Source": link.targets(sources.part(np.array(numbers))), **rows}
    figure = Figure(figsize=(1.1 * len(numbers) + 0.8, 1.3 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(numbers), squeeze=False)
    for row, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image, number in zip(row, images, numbers, strict=True):
            axis.imshow(pixels(brightness(image, ends)), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"frame {number}" * (row is axes[0]), fontsize=8)
        row[0].set_ylabel(name)
    figure.savefig(folder / "pictures.png", dpi=150)
