"""Samples of a SigMF recording, complex floats (`cf32_le`), read a part at a time.

Metadata and their checks are those of the `sigmf` package; the samples stay on the disk.
"""

import hashlib
import pathlib

import numpy as np

from arn_keras.errors import DataError, ExportError
from arn_keras.machine.files import checked, read_json

DATATYPE = "cf32_le"
#: What says that something else is there than samples, or elsewhere.
ODD = (
    *("core:dataset", "core:header_bytes", "core:trailing_bytes", "core:metadata_only"),
    "core:offset",
)
#: Samples are below, in each part.
LARGEST = 1e15


def sigmf():
    """The package.

    Raises:
        ExportError: if it is missing.
    """
    try:
        import sigmf
    except ImportError:
        raise ExportError("expected the package sigmf: pip install 'arn-keras[radio]'") from None
    return sigmf


def files(name):
    """(samples, metadata) of a recording's name, with or without an ending of SigMF's.

    Raises:
        DataError: for no name.
    """
    path = pathlib.Path(name)
    if not path.name:
        raise DataError(f"expected the name of a recording, got {str(name)!r}")
    if path.suffix in (".sigmf-data", ".sigmf-meta"):
        path = path.with_suffix("")
    return tuple(path.with_name(f"{path.name}.sigmf-{kind}") for kind in ("data", "meta"))


class Samples:
    """The samples of a recording, and what its metadata say of them.

    Args:
        name: of the recording.

    Attributes:
        meta: path of its metadata.
        fields: the global ones.
        sample_rate: in Hz, or None.
        annotations: (first sample, samples, label or "") of each; without a number of its own one
            is as long as its capture.
        samples: how many.
        starts: first sample of each capture, between which a receiver may have stood still.
        sha512: of the samples.

    Raises:
        DataError: if it is none of SigMF, of other samples, or truncated.
        ExportError: if `sigmf` is missing.
    """

    def __init__(self, name):
        package = sigmf()
        from jsonschema import ValidationError  # of sigmf's own, and none of its errors

        self._data, self.meta = files(name)
        for file in (self.meta, self._data):
            if not file.is_file():
                raise DataError(f"{file}: expected a SigMF recording, found none")
        try:
            about = package.SigMFFile(metadata=read_json(self.meta, DataError))
            about.validate()
        except (
            *(package.error.SigMFError, ValidationError),
            *(OSError, ValueError, KeyError, TypeError),
        ) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{self.meta}: expected the metadata of SigMF: {reason}") from None
        self.fields = about.get_global_info()
        found = self.fields["core:datatype"], self.fields.get("core:num_channels", 1)
        if found != (DATATYPE, 1):
            raise DataError(
                f"{self.meta}: expected {DATATYPE} in 1 channel, got {found[0]} in {found[1]}"
            )
        odd = [key for each in (self.fields, *about.get_captures()) for key in ODD if each.get(key)]
        if odd:
            raise DataError(
                f"{self.meta}: expected samples and nothing else in a file, got {odd[0]}"
            )
        self.sample_rate = self.fields.get("core:sample_rate")
        size = self._data.stat().st_size
        self.samples = size // 8
        self.starts = [int(each["core:sample_start"]) for each in about.get_captures()]
        self.annotations = [self._annotation(each) for each in about.get_annotations()]
        annotated = max((start + count for start, count, _ in self.annotations), default=0)
        if size % 8 or self.samples < annotated:
            raise DataError(
                f"{self._data}: truncated: expected {annotated} whole samples or more, got {size} "
                "bytes of 8 a sample"
            )
        with checked(self._data) as stream:
            self.sha512 = hashlib.file_digest(stream, "sha512").hexdigest()
        if self.fields.get("core:sha512") not in (None, self.sha512):
            raise DataError(f"{self._data}: expected the SHA-512 of its metadata, got another")

    def _annotation(self, each):
        start, count = int(each["core:sample_start"]), each.get("core:sample_count")
        if count is None:
            end = min((one for one in self.starts if one > start), default=self.samples)
            count = max(end - start, 0)
        return start, int(count), each.get("core:label") or ""

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
