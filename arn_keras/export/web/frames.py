"""Frames of symbols on the page: what the modem takes, and the points that its symbols are.

Bob knows the modulation and, as the header tells it him, the gain of each frame
(`link.constellation.told`); the page is told both.
"""

import json

import numpy as np

from arn_keras.export.web.kind import Kind
from arn_keras.link import constellation
from arn_keras.machine.files import atomic_file


class FrameKind(Kind):
    """Frames of a modem's symbols, which Bob is to decide."""

    name = "constellations"
    about = "frames of a modem's symbols"

    def write(self, out, dataset, first):
        """Writes `frames.json`: `frames` as the modulator takes them, and of each the `symbols`
        (numbers of points) and Bob's `gain`; `points` of each label's modulation, I and Q.
        """
        frames = first.source
        symbols, _, gain, _ = constellation.sent(frames)
        names = list(constellation.MODULATIONS)
        numbers = dict(zip(np.asarray(first.label).tolist(), frames[:, -1, 0], strict=True))
        points = [constellation.points(names[int(numbers[n])]) for n in range(dataset.classes)]
        with atomic_file(out / "frames.json") as temporary:
            temporary.write_text(
                json.dumps(
                    {
                        "frames": frames.reshape(len(frames), -1).astype(int).tolist(),
                        "symbols": symbols.tolist(),
                        "gains": np.abs(constellation.told(gain)).tolist(),
                        "points": [np.stack([p.real, p.imag], 1).tolist() for p in points],
                    }
                )
            )
        return frames, {}

    def figures(self, sources, estimates):
        """`symbol_mse`, squared error of a symbol, and `errors`, wrong symbols."""
        symbols = sources.shape[1] - 1
        squared = constellation.squared_error(sources, estimates) / symbols
        wrong = constellation.symbol_errors(sources, estimates)
        return {"symbol_mse": squared.tolist(), "errors": wrong.tolist()}


FRAMES = FrameKind()
