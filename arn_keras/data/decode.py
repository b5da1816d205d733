"""Decoding a prepared TensorFlow Datasets data set to 8-bit images and labels.

The stored order is kept, so the order of the sources is the same at each start and on each machine.
"""

import re

import numpy as np

#: Side to which images are resized where a data set has images of several sizes.
RESIZED = 64
_BATCH = 256


class PreparedImages:
    """A prepared data set, opened and about to be decoded; needs TensorFlow.

    Attributes:
        classes: number of labels.
        label_names: what they are called.
        notes: what the user must be told, one line each.
        layout: {name: (dtype, shape)} of the arrays that `parts` yields.

    Args:
        folder: as `find` returns it.

    Raises:
        ValueError: if it is not an image classification data set with a train split.
    """

    def __init__(self, folder):
        import tensorflow_datasets as tfds

        try:
            self._builder = tfds.builder_from_directory(folder)
        except Exception as error:  # damaged metadata raises whatever its parser does
            raise ValueError(f"it cannot be opened ({_first_line(error)})") from error
        info = self._builder.info
        self._image, self._label = _image_and_label(info)
        feature = info.features[self._image]
        self.classes = info.features[self._label].num_classes
        self.label_names = info.features[self._label].names
        self.notes = []

        sizes = {name: split.num_examples for name, split in info.splits.items()}
        if not sizes.get("train"):
            raise ValueError(f"expected a train split, got {', '.join(sizes) or 'none'}")
        self._test = next((name for name in ("test", "validation") if sizes.get(name)), None)
        train, test, self._cut = sizes["train"], sizes.get(self._test), None
        if self._test is None:
            test = max(1, train // 10)
            self._cut = np.zeros(train, bool)
            self._cut[np.random.RandomState(0).permutation(train)[-test:]] = True
            self.notes.append(
                f"no test split: {test:,} of {train:,} training sources, drawn with a fixed seed, "
                "are held out to serve as test"
            )
            train -= test
        elif self._test != "test":
            self.notes.append(f"no test split: the {self._test} split serves as test")

        *size, channels = feature.shape
        self._resized = None in size
        if self._resized:
            size = (RESIZED, RESIZED)
            self.notes.append(f"images of varying size are resized to {RESIZED}x{RESIZED}")
        self._low, self._high = self._range(feature.np_dtype)
        if feature.np_dtype != np.uint8:
            self.notes.append(
                f"{np.dtype(feature.np_dtype)} images, {self._low:g} to {self._high:g}, "
                "are kept in 8 bits"
            )
        self.layout = {
            "train_images": ("uint8", (train, *size, channels)),
            "train_labels": ("int64", (train,)),
            "test_images": ("uint8", (test, *size, channels)),
            "test_labels": ("int64", (test,)),
        }

    def parts(self):
        """Decodes everything once, in the stored order.

        Yields:
            Pairs (name, rows): the next rows of the array of that name.

        Raises:
            ValueError: if a file is damaged or a label out of range.
        """
        start = 0
        for split in self._splits():
            for images, labels in self._batches(split):
                if labels.min() < 0 or labels.max() >= self.classes:
                    raise ValueError(
                        f"expected labels from 0 to {self.classes - 1} in the {split} split, "
                        f"got {labels.min()} to {labels.max()}"
                    )
                images = to_uint8(images, self._low, self._high)
                if self._cut is None:
                    test = np.full(len(labels), split != "train")
                else:
                    test = self._cut[start : start + len(labels)]
                    start += len(labels)
                for name, rows in (("train", ~test), ("test", test)):
                    if rows.any():
                        yield f"{name}_images", images[rows]
                        yield f"{name}_labels", labels[rows]

    def _splits(self):
        return ["train"] if self._test is None else ["train", self._test]

    def _range(self, dtype):
        """Values that become 0 and 1: full scale for integers, what occurs for other floats."""
        if np.issubdtype(dtype, np.integer):
            return 0, np.iinfo(dtype).max
        low, high = np.inf, -np.inf
        for split in self._splits():
            for images, _ in self._batches(split):
                if not np.isfinite(images).all():
                    raise ValueError(f"expected finite images, got NaN or infinity in {split}")
                low, high = min(low, images.min()), max(high, images.max())
        return (0.0, 1.0) if low >= 0 and high <= 1 else (float(low), float(high))

    def _batches(self, split):
        import tensorflow as tf
        import tensorflow_datasets as tfds

        def resize(example):
            image = tf.image.resize(example[self._image], (RESIZED, RESIZED), antialias=True)
            return {**example, self._image: image}

        try:
            sources = self._builder.as_dataset(
                split=split,
                shuffle_files=False,
                read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
                decoders=tfds.decode.PartialDecoding({self._image: True, self._label: True}),
            )
            if self._resized:
                sources = sources.map(resize, num_parallel_calls=tf.data.AUTOTUNE)
            for batch in sources.batch(_BATCH).prefetch(2).as_numpy_iterator():
                yield batch[self._image], batch[self._label]
        except (tf.errors.OpError, AssertionError, OSError) as error:
            raise ValueError(
                f"its {split} split cannot be decoded ({_first_line(error)})"
            ) from error


def to_uint8(images, low, high):
    """Images of any number type with values from `low` to `high`, as 0 to 255."""
    if images.dtype == np.uint8:
        return images
    unit = (images.astype(np.float32) - np.float32(low)) / np.float32((high - low) or 1)
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def _image_and_label(info):
    """Names of the image and of the label: the supervised pair, else the only ones there are."""
    import tensorflow_datasets as tfds

    top = info.features if isinstance(info.features, tfds.features.FeaturesDict) else {}
    images = [
        name
        for name, feature in top.items()
        # Exactly Image: its subclass LabeledImage is a segmentation mask.
        if type(feature) is tfds.features.Image
        and len(feature.shape) == 3
        and feature.shape[2] is not None
    ]
    labels = [
        name
        for name, feature in top.items()
        if isinstance(feature, tfds.features.ClassLabel) and feature.num_classes
    ]
    supervised = info.supervised_keys
    if isinstance(supervised, tuple) and len(supervised) == 2:
        image, label = supervised
        if image in images and label in labels:
            return image, label
    if len(images) == 1 and len(labels) == 1:
        return images[0], labels[0]
    found = ", ".join(f"{name}: {type(feature).__name__}" for name, feature in sorted(top.items()))
    raise ValueError(f"expected one Image and one ClassLabel feature, got {found or info.features}")


def _first_line(error):
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return re.sub(r"\{\{.*?\}\} | \[Op:.*", "", line)  # TensorFlow's own node names
