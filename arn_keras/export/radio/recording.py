"""SigMF recordings of complex float samples (`cf32_le`), read and written a part at a time.

Metadata and their checks are those of the `sigmf` package. A recording is whole or absent: its
samples are in place before the metadata that vouch for them by SHA-512.
"""

import contextlib
import dataclasses
import hashlib
import math

import numpy as np

from arn_keras.errors import DataError, ExportError
from arn_keras.export.radio.frame import SAMPLES_PER_SYMBOL, Layout
from arn_keras.machine.files import atomic_file
from arn_keras.machine.sigmf_samples import DATATYPE, Samples, files, sigmf

#: Frames that are annotated: metadata are held in memory, samples are not.
ANNOTATED = 10_000


class Writer:
    """Samples on their way into a recording; see `writing`."""

    def __init__(self, stream):
        self._stream, self._digest = stream, hashlib.sha512()
        self.samples, self.annotations = 0, []

    def add(self, samples, label):
        """Adds samples, and an annotation of this label over them."""
        content = np.ascontiguousarray(samples, "<c8").tobytes()
        self._stream.write(content)
        self._digest.update(content)
        if len(self.annotations) < ANNOTATED:
            where = {"core:sample_start": self.samples, "core:sample_count": len(samples)}
            self.annotations.append({**where, "core:label": label})
        self.samples += len(samples)

    @property
    def sha512(self):
        """Of all samples, hexadecimal."""
        return self._digest.hexdigest()


@contextlib.contextmanager
def writing(name, sample_rate, layout):
    """Yields a `Writer`; the recording is there when the block ends well.

    Args:
        name: `NAME.sigmf-data` and `NAME.sigmf-meta` are written.
        sample_rate: in Hz.
        layout: `frame.Layout`, which is said in fields of an extension, `arn`.

    Raises:
        ExportError: if it cannot be written, or `sigmf` is missing.
    """
    package = sigmf()
    data, meta = files(name)
    try:
        # The samples are in place before the metadata that vouch for them.
        with atomic_file(meta) as new_meta, atomic_file(data) as new_data:
            with open(new_data, "wb") as stream:
                writer = Writer(stream)
                yield writer
            found = {
                "global": {
                    "core:datatype": DATATYPE,
                    "core:sample_rate": sample_rate,
                    "core:version": package.__specification__,
                    "core:num_channels": 1,
                    "core:sha512": writer.sha512,
                    "core:recorder": "arn-keras",
                    "core:extensions": [{"name": "arn", "version": "1.0.0", "optional": True}],
                    **{f"arn:{name}": value for name, value in dataclasses.asdict(layout).items()},
                },
                "captures": [{"core:sample_start": 0}],
                "annotations": writer.annotations,
            }
            package.SigMFFile(metadata=found).tofile(new_meta)
    except OSError as error:
        raise ExportError(f"{data}: expected a place to write to: {error.strerror}") from None


class Recording(Samples):
    """A recording that can be received.

    Args:
        name: of the recording.
        symbol_rate: of what is to be in it, in Hz.

    Attributes:
        frames: (first sample, samples) of those that are annotated.
        layout: `frame.Layout` of a recording of `writing`, else None.
        samples_per_symbol: 4 or 8.

    Raises:
        DataError: if it is none of SigMF, of other samples, of another rate, or truncated.
        ExportError: if `sigmf` is missing.
    """

    def __init__(self, name, symbol_rate):
        super().__init__(name)
        self.samples_per_symbol = _each(self.meta, self.sample_rate, symbol_rate)
        self.frames = [(start, count) for start, count, _ in self.annotations]
        names = [f"arn:{field.name}" for field in dataclasses.fields(Layout)]
        sizes = [self.fields.get(name) for name in names]
        has_layout = all(isinstance(size, int) and 0 < size <= self.samples for size in sizes)
        self.layout = Layout(*sizes) if has_layout else None


def _each(meta, sample_rate, symbol_rate):
    """Samples a symbol."""
    for each in SAMPLES_PER_SYMBOL:
        if sample_rate is not None and math.isclose(sample_rate, each * symbol_rate, rel_tol=1e-9):
            return each
    rates = " or ".join(f"{each * symbol_rate:g}" for each in SAMPLES_PER_SYMBOL)
    raise DataError(
        f"{meta}: expected a sample rate of {rates} Hz, {SAMPLES_PER_SYMBOL[0]} or "
        f"{SAMPLES_PER_SYMBOL[1]} samples a symbol, got {sample_rate}"
    )
