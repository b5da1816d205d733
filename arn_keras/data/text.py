"""Sentences with a private label: text sets of TensorFlow Datasets, or files of one's own.

A file has a line for each text: its label, a tab, the text; it may be compressed (`.gz`). The
vocabulary is the training set's, and the labels are numbered in the order of their names.
"""

import gzip
import io
import os
import pathlib
import zlib

import numpy as np

from arn_keras.backend import quiet_tensorflow
from arn_keras.data.dataset import Dataset, Split
from arn_keras.data.images import read_prepared
from arn_keras.data.tokens import UNKNOWN, encode, vocabulary_of, words_of
from arn_keras.errors import DataError
from arn_keras.machine.files import LIMIT_BYTES, read_bytes

#: Share of a single file, or of a training split, that is held out where there is no test set.
HELD_OUT = 10


def load(name, files, *, data_dir, limit, text, label, length, vocabulary):
    """A set of sentences as token ids, int32 [n, length].

    Args:
        name: of a TensorFlow Datasets text set, or what the files are called.
        files: one or two paths (training, test); nothing for a set by name.
        data_dir: where prepared data sets are, or None.
        limit: number of training sources to use, from the first; None for all.
        text, label: names of the set's features.
        length: tokens of a sentence, its `<end>` included.
        vocabulary: number of token ids, at most.

    Returns:
        `Dataset`, with the words of its vocabulary.

    Raises:
        DataError: if the set cannot be had or used.
    """
    if files:
        splits = [_file(path) for path in files]
    else:
        splits = read_prepared(name, data_dir, lambda _, folder: _prepared(folder, text, label))
    notes = []
    if len(splits) == 1:
        splits, note = _held_out(splits[0])
        notes.append(note)
    (texts, labels), (test_texts, test_labels) = splits
    known = sorted(set(labels))
    foreign = sorted(set(test_labels) - set(known))
    if foreign or len(known) < 2:
        names = ", ".join(map(str, foreign or known))
        what = "test labels of the training set's" if foreign else "two labels or more"
        raise DataError(f"{name}: expected {what}, got {names}")
    if (texts, labels) == (test_texts, test_labels):
        raise DataError(f"{name}: expected other texts to test on than to train on, got the same")
    texts, labels = texts[:limit], labels[:limit]
    words = vocabulary_of(texts, vocabulary)
    train, test = (
        of_tokens(encode(each, words, length), [known.index(one) for one in of])
        for each, of in ((texts, labels), (test_texts, test_labels))
    )
    notes += _told(test.source, test_texts, texts, words, length)
    names = tuple(each if files else each.partition(" ")[2] for each in known)  # see `_named`
    return Dataset(name, train, test, len(known), tuple(notes), vocabulary=words, label_names=names)


def of_tokens(tokens, labels):
    """The split of sentences, which Bob is to read: ids are class numbers, and a target as such."""
    return Split(tokens, np.array(labels, np.int64), tokens)


def _told(tokens, test_texts, texts, words, length):
    cut = sum(len(words_of(text)) >= length for text in (*texts, *test_texts))
    if cut:
        yield f"{cut:,} sentences of {length} words or more are cut to {length - 1}"
    share = np.sum(tokens == UNKNOWN) / sum(min(len(words_of(t)), length - 1) for t in test_texts)
    yield (
        f"{len(words):,} token ids; {share:.1%} of the test set's words are none of theirs: "
        "they are <unk>, and Bob is right there if he reads <unk>"
    )


def _held_out(split):
    texts, labels = split
    order = np.random.RandomState(0).permutation(len(texts))
    count = max(1, len(texts) // HELD_OUT)
    parts = [np.sort(order[count:]), np.sort(order[:count])]
    note = f"no test set: {count:,} of {len(texts):,} sources, drawn with a fixed seed, serve as it"
    return [([texts[i] for i in part], [labels[i] for i in part]) for part in parts], note


def _file(path):
    """Texts and labels of a file of lines `label<tab>text`."""
    path = pathlib.Path(os.path.expanduser(path))
    what = "lines of text in UTF-8"
    content = read_bytes(path, DataError, what=what)
    try:
        if path.suffix == ".gz":
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(LIMIT_BYTES + 1)
            if len(content) > LIMIT_BYTES:
                raise EOFError(f"it unpacks to more than {LIMIT_BYTES} bytes")
        lines = content.decode("utf-8-sig").split("\n")  # a mark is no part of a label
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: expected {what}: {reason}") from None
    texts, labels = [], []
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r")
        if not line and number == len(lines):
            continue
        label, tab, text = line.partition("\t")
        if not (tab and label):
            raise DataError(f"{path}, line {number}: expected a label, a tab and a text, got none")
        texts.append(text)
        labels.append(label)
    return _checked(path, texts, labels)


def _prepared(folder, text, label):
    """Texts and labels of each split of a prepared set."""
    with quiet_tensorflow():
        import tensorflow as tf
        import tensorflow_datasets as tfds

        try:
            builder = tfds.builder_from_directory(folder)
        except Exception as error:  # damaged metadata raises whatever its parser does
            raise ValueError(f"it cannot be opened ({str(error).splitlines()[0]})") from error
        features = builder.info.features
        for option, feature, kinds in (
            ("--text-feature", text, tfds.features.Text),
            ("--label-feature", label, tfds.features.ClassLabel),
        ):
            fitting = sorted(k for k, kind in features.items() if isinstance(kind, kinds))
            if feature not in fitting:
                raise ValueError(
                    f"expected {option} to be one of {', '.join(fitting) or 'none'}, got {feature}"
                )
        names = features[label].names
        sizes = {name: split.num_examples for name, split in builder.info.splits.items()}
        chosen = [name for name in ("train", "test", "validation") if sizes.get(name)][:2]
        if "train" not in chosen:
            raise ValueError(f"expected a train split, got {', '.join(sizes) or 'none'}")
        found = []
        for split in chosen:
            try:
                examples = list(
                    builder.as_dataset(
                        split=split,
                        shuffle_files=False,
                        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
                        decoders=tfds.decode.PartialDecoding({text: True, label: True}),
                    ).as_numpy_iterator()
                )
            except (tf.errors.OpError, AssertionError, OSError) as error:
                reason = str(error).splitlines()[0]
                raise ValueError(f"its {split} split cannot be decoded ({reason})") from error
            texts = [example[text].decode("utf-8", "replace") for example in examples]
            found.append(_checked(split, texts, [_named(names, e[label]) for e in examples]))
    return found


def _named(names, label):
    return f"{int(label):06d} {names[label]}"  # sorted as the set numbers them


def _checked(source, texts, labels):
    empty = [number for number, text in enumerate(texts, start=1) if not words_of(text)]
    if empty:
        raise DataError(f"{source}, text {empty[0]}: expected one word or more, got none")
    if not texts:
        raise DataError(f"{source}: expected texts, got none")
    return texts, labels
