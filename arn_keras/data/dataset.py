"""A data set: sources s of Eq. (4), private labels of Eq. (14), and what Bob is to recover."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from arn_keras.data import PREPROCESSING
from arn_keras.rooms import answer

_LOOKED_AT = 256  # sources of a split, for its digest


@dataclass(frozen=True, eq=False)
class Split:
    """Sources, their private labels, and Bob's targets.

    Attributes:
        source: array [n, ...], or {name of a transmitter's input: array}; as they are stored, so
            8-bit pictures are 8-bit here. May be read-only memory maps.
        label: private labels, integers from 0, [n].
        target: what Bob is to recover, array [n, ...]; None where that is the source itself.
    """

    source: np.ndarray | dict[str, np.ndarray]
    label: np.ndarray
    target: np.ndarray | None = None

    def __len__(self):
        return len(self.label)

    def part(self, rows):
        """The split of some rows, a slice or an array of their numbers."""
        target = None if self.target is None else self.target[rows]
        return Split(_each(lambda array: array[rows], self.source), self.label[rows], target)

    def in_memory(self):
        """The same as plain arrays, which any process can be sent."""
        target = None if self.target is None else np.array(self.target)
        return Split(_each(np.array, self.source), np.array(self.label), target)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set to train and to test on.

    Attributes:
        name: the set that was loaded; for `auto`, the one that was chosen.
        train, test: splits.
        classes: number of private labels.
        notes: what the user must be told, one line each: another set taken, images resized, ...
        preprocessing: name in `data.PREPROCESSING`.
        vocabulary: the words of token ids, where the sources are sentences.
        label_names: what the private labels are called, where that is known.
    """

    name: str
    train: Split
    test: Split
    classes: int
    notes: tuple[str, ...] = ()
    preprocessing: str = "none"
    vocabulary: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()

    @property
    def source_shape(self):
        """Shape of one source, or {name of a transmitter's input: shape}."""
        return _each(lambda array: tuple(array.shape[1:]), self.train.source)

    def describe(self):
        """The set in one line."""
        shape = self.source_shape
        shapes = shape.values() if isinstance(shape, dict) else [shape]
        of = " and ".join("x".join(map(str, each)) for each in shapes)
        return f"{self.name}: {len(self.train)} training and {len(self.test)} test sources of {of}"

    @property
    def prepare(self):
        """Function from stored sources to what the transmitter takes, or None for none."""
        return answer(PREPROCESSING, self.preprocessing)

    def prepared(self, sources):
        """Stored sources as the transmitter takes them."""
        return sources if self.prepare is None else self.prepare(sources)

    def digest(self):
        """A word for what the data are: shapes, all labels, and every so many a source.

        Two sets of one name have another each, short of some sources between those.
        """
        found = hashlib.sha256()
        for split in (self.train, self.test):
            few = split.part(slice(None, None, max(1, len(split) // _LOOKED_AT)))
            named = few.source if isinstance(few.source, dict) else {"source": few.source}
            for array in (split.label, few.target, *map(named.get, sorted(named))):
                if array is not None:
                    found.update(f"{array.dtype} {array.shape}".encode())
                    found.update(np.ascontiguousarray(array))
        return found.hexdigest()[:16]

    def in_memory(self):
        """The same as plain arrays, which any process can be sent."""
        return replace(self, train=self.train.in_memory(), test=self.test.in_memory())

    def without_target(self):
        """The same where Bob is to recover the source itself."""
        return replace(
            self, train=replace(self.train, target=None), test=replace(self.test, target=None)
        )

    def targets(self, split):
        """What Bob is to recover of a split (or a part of one)."""
        return self.prepared(split.source) if split.target is None else split.target


def _each(function, nest):
    """The function of an array, or of each array of a dictionary."""
    if isinstance(nest, dict):
        return {name: function(array) for name, array in nest.items()}
    return function(nest)
