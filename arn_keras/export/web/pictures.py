"""Pictures on the page: which problems have any, and the test pictures as 8-bit values.

The page and Python's figures both start from the stored values and what they stand for, so that
they agree whatever a transmitter takes: [0, 1], [-1, 1], or 8-bit values as they are.
"""

from typing import NamedTuple

import numpy as np

from arn_keras.export.web.kind import Kind
from arn_keras.machine.files import atomic_file
from arn_keras.task.extent import ends_in

#: Grey pictures whose edge is darker than this, of 255, are like strokes on a dark ground.
DARK = 64


class Pictures(NamedTuple):
    """Pictures of 8 bits, and what they stand for: low + (high - low) stored / 255.

    Attributes:
        stored: uint8, [n, height, width, 1 or 3].
        low, high: what the transmitter takes for 0 and for 255.
    """

    stored: np.ndarray
    low: float
    high: float

    @classmethod
    def of(cls, sources, low, high):
        """Of pictures as the transmitter takes them; they may lose what 8 bits do not hold."""
        sources = np.asarray(sources, np.float32)
        stored = np.rint((np.clip(sources, low, high) - low) * (255 / (high - low)))
        return cls(stored.astype(np.uint8), low, high)

    def sources(self):
        """What the transmitter takes, float32."""
        return (self.low + (self.high - self.low) * (self.stored / 255.0)).astype(np.float32)


class PictureKind(Kind):
    """Pictures, grey or in colour, that Bob is to see again."""

    name = "pictures"
    about = "pictures that Bob is to see again (height x width x 1, grey, or 3, in colour)"

    def shows(self, problem):
        """Whether the source is a picture, and what Bob is to see."""
        shape = problem.dataset.source_shape
        picture = isinstance(shape, tuple) and len(shape) == 3 and shape[2] in (1, 3)
        return picture and problem.dataset.train.target is None

    def write(self, out, dataset, first):
        """Writes `pictures.bin`; the fields are `shape`, `channels`, `range` (what the transmitter
        takes for 0 and 255) and `extent` (usual share of a picture's side that its ink takes; null
        where nobody can draw such a picture).
        """
        pictures = Pictures.of(dataset.targets(first), *ends_in(dataset))
        with atomic_file(out / "pictures.bin") as temporary:
            temporary.write_bytes(pictures.stored.tobytes())
        *shape, channels = pictures.stored.shape[1:]
        return pictures.sources(), {
            "shape": shape,
            "channels": channels,
            "range": [pictures.low, pictures.high],
            "extent": _extent(pictures.stored),
        }

    def figures(self, sources, estimates):
        """`mse`, Bob's squared error."""
        error = np.square(np.asarray(estimates) - sources)
        return {"mse": error.reshape(len(sources), -1).mean(axis=1).tolist()}


PICTURES = PictureKind()


def _extent(images):
    """Median over pictures of the longer side of the ink's frame, as a share of the picture's.

    None for pictures in colour and for those that are no strokes on a dark ground.
    """
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    if images.shape[-1] != 1 or np.median(np.concatenate(edges, axis=1)) >= DARK:
        return None
    shares = []
    for image in images[..., 0] >= 128:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        if len(rows):
            shares.append(max(np.ptp(rows) + 1, np.ptp(columns) + 1) / max(image.shape))
    return float(np.median(shares)) if shares else 1.0
