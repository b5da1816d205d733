"""SigMF recordings of complex float samples (`cf32_le`), read and written a part at a time.

Metadata and their checks are those of the `sigmf` package. A recording is whole or absent: its
samples are in place before the metadata that vouch for them by SHA-512.
"""

import contextlib
import dataclasses
import hashlib
import math
import pathlib

import numpy as np

from arn_keras.errors import DataError, ExportError
from arn_keras.export.radio.frame import SAMPLES_PER_SYMBOL, Layout
from arn_keras.machine.files import atomic_file, checked, read_json

DATATYPE = "cf32_le"
#: What says that something else is there than samples, or elsewhere.
ODD = ("core:dataset", "core:header_bytes", "core:trailing_bytes", "core:metadata_only")
#: Samples are below, in each part.
LARGEST = 1e15
#: Frames that are annotated: metadata are held in memory, samples are not.
ANNOTATED = 10_000


def _sigmf():
    try:
        import sigmf
    except ImportError:
        raise ExportError("expected the package sigmf: pip install 'arn-keras[radio]'") from None
    return sigmf


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
    sigmf = _sigmf()
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
                    "core:version": sigmf.__specification__,
                    "core:num_channels": 1,
                    "core:sha512": writer.sha512,
                    "core:recorder": "arn-keras",
                    "core:extensions": [{"name": "arn", "version": "1.0.0", "optional": True}],
                    **{f"arn:{name}": value for name, value in dataclasses.asdict(layout).items()},
                },
                "captures": [{"core:sample_start": 0}],
                "annotations": writer.annotations,
            }
            sigmf.SigMFFile(metadata=found).tofile(new_meta)
    except OSError as error:
        raise ExportError(f"{data}: expected a place to write to: {error.strerror}") from None


def files(name):
    """(samples, metadata) of a recording's name, with or without an ending of SigMF's."""
    path = pathlib.Path(name)
    if path.suffix in (".sigmf-data", ".sigmf-meta"):
        path = path.with_suffix("")
    return tuple(path.with_name(f"{path.name}.sigmf-{kind}") for kind in ("data", "meta"))


class Recording:
    """A recording that can be received, its samples left on the disk.

    Args:
        name: of the recording.
        symbol_rate: of what is to be in it, in Hz.

    Attributes:
        samples: how many.
        frames: (first sample, samples) of those that are annotated.
        layout: `frame.Layout` of a recording of `writing`, else None.
        samples_per_symbol: 4 or 8.

    Raises:
        DataError: if it is none of SigMF, of other samples, of another rate, or truncated.
        ExportError: if `sigmf` is missing.
    """

    def __init__(self, name, symbol_rate):
        sigmf = _sigmf()
        self._data, meta = files(name)
        for file in (meta, self._data):
            if not file.is_file():
                raise DataError(f"{file}: expected a SigMF recording, found none")
        try:
            about = sigmf.SigMFFile(metadata=read_json(meta, DataError))
            about.validate()
        except (sigmf.error.SigMFError, OSError, ValueError, KeyError, TypeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{meta}: expected the metadata of SigMF: {reason}") from None
        fields = about.get_global_info()
        found = fields["core:datatype"], fields.get("core:num_channels", 1)
        if found != (DATATYPE, 1):
            raise DataError(
                f"{meta}: expected {DATATYPE} in 1 channel, got {found[0]} in {found[1]}"
            )
        odd = [key for each in (fields, *about.get_captures()) for key in ODD if each.get(key)]
        if odd:
            raise DataError(f"{meta}: expected samples and nothing else in a file, got {odd[0]}")
        self.samples_per_symbol = _each(meta, fields.get("core:sample_rate"), symbol_rate)
        self.frames = [
            (each["core:sample_start"], each.get("core:sample_count", 0))
            for each in about.get_annotations()
        ]
        self.samples = self._whole(fields.get("core:sha512"))
        names = [f"arn:{field.name}" for field in dataclasses.fields(Layout)]
        sizes = [fields.get(name) for name in names]
        has_layout = all(isinstance(size, int) and 0 < size <= self.samples for size in sizes)
        self.layout = Layout(*sizes) if has_layout else None

    def _whole(self, sha512):
        size = self._data.stat().st_size
        annotated = max(map(sum, self.frames), default=0)
        if size % 8 or size // 8 < annotated:
            raise DataError(
                f"{self._data}: truncated: expected {annotated} whole samples or more, got {size} "
                "bytes of 8 a sample"
            )
        with checked(self._data) as stream:
            if sha512 not in (None, hashlib.file_digest(stream, "sha512").hexdigest()):
                raise DataError(f"{self._data}: expected the SHA-512 of its metadata, got another")
        return size // 8

    def read(self, start, stop):
        """Samples from one to before another, complex64; zeros where there are none.

        Raises:
            DataError: for NaN, infinity, and what has no square in single precision.
        """
        first, last = max(start, 0), min(stop, self.samples)
        found = np.fromfile(self._data, "<c8", max(last - first, 0), offset=8 * first)
        if not np.max(np.abs(found.view("<f4")), initial=0) < LARGEST:  # nor NaN
            raise DataError(f"{self._data}: expected finite samples, below {LARGEST:g}")
        return np.pad(found, (first - start, stop - first - len(found)))


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
