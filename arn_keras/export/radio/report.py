"""The figures of a received recording, and rows that come into a file one after the other."""

import numpy as np

from arn_keras.errors import DataError
from arn_keras.power import ratio_to_db


class Tally:
    """Figures of the frames so far.

    Args:
        link: base link of `ends`.
        sources: those of the recording, `data.dataset.Split`, or None where nobody knows them.
    """

    def __init__(self, link, sources):
        self._link, self._sources, self._meter = link, sources, link.task.meter()
        self.taken, self._refused, self._repeated = set(), set(), 0
        self._refusals, self.reason = 0, None
        self._snr, self._least, self._offset = 0.0, np.inf, 0.0

    def is_new(self, frame):
        """Whether no frame of this number was taken before; counts it otherwise.

        Raises:
            DataError: the sources are those of another recording.
        """
        if self._sources is not None and frame.number >= len(self._sources):
            raise DataError(
                f"expected the sources of the recording, got {len(self._sources)} sources and a "
                f"frame {frame.number}"
            )
        self._repeated += frame.number in self.taken
        return frame.number not in self.taken

    def refuse(self, frame, error):
        """A message that Bob must not take."""
        self._refused.add(frame.number)
        self._refusals, self.reason = self._refusals + 1, error

    def take(self, frame):
        """A message that Bob takes."""
        self.taken.add(frame.number)
        self._snr, self._least = self._snr + frame.snr, min(self._least, frame.snr)
        self._offset += frame.offset

    def judge(self, frames, estimates):
        """Bob's estimates of frames that were taken, where the sources are known."""
        if self._sources is not None:
            numbers = np.array([frame.number for frame in frames])
            self._meter.add(self._link.targets(self._sources.part(numbers)), estimates)

    def fields(self, symbol_rate):
        """The report's fields (docs/deploy.md)."""
        found, numbers = len(self.taken), self.taken | self._refused
        known = self._sources is not None
        return {
            "frames_found": found,
            "frames_lost": (len(self._sources) if known else max(numbers) + 1) - len(numbers),
            "frames_refused": self._refusals,
            "frames_repeated": self._repeated,
            "snr_db": ratio_to_db(self._snr / found),
            "snr_db_least": ratio_to_db(self._least),
            "carrier_offset_hz": self._offset / found * symbol_rate,
            "quality": self._meter.fields(found) if known else None,
        }


class Rows:
    """A `.npy` file of rows that come one after the other.

    Args:
        path: of the file.
        shape: of a row.
    """

    def __init__(self, path, shape):
        self._stream, self._shape, self._count = open(path, "wb"), shape, 0  # noqa: SIM115
        self._head()

    def _head(self):
        about = {"descr": "<f4", "fortran_order": False, "shape": (self._count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._stream, about)

    def add(self, rows):
        """Adds rows, [rows, *shape]."""
        self._stream.write(np.ascontiguousarray(rows, "<f4").tobytes())
        self._count += len(rows)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.seek(0)
        self._head()  # NumPy's header has room for more rows
        self._stream.close()
