"""Frames on the air in NumPy, for the tests of the radio."""

import shutil

import numpy as np

from arn_keras.export import runtime
from arn_keras.export.radio import equalizer, header
from arn_keras.export.radio.__main__ import main
from arn_keras.export.radio.frame import LEVEL, Layout
from arn_keras.export.radio.send import shaped

LAYOUT = Layout(header_bytes=4, payload=64)
PAIR = b"a pair"


def burst(rng, samples_per_symbol=4, layout=LAYOUT):
    """(samples of a frame of normal symbols, its header's symbols, its signal), complex."""
    signal = rng.normal(size=2 * layout.payload).astype("float32")
    symbols = header.modulate(rng.bytes(layout.header_bytes), PAIR)
    samples = shaped(layout.frame(symbols, signal), samples_per_symbol)
    return samples, symbols, signal.view("complex64")


def noise(rng, count, snr_db, samples_per_symbol=4):
    """White noise of samples that makes an SNR of symbols."""
    deviation = LEVEL * np.sqrt(samples_per_symbol / 2 * 10 ** (-snr_db / 10))
    return deviation * (rng.normal(size=(count, 2)) @ [1, 1j])


def look(samples, place, offset=0.0, samples_per_symbol=4, layout=LAYOUT):
    """An `equalizer.Look` at samples whose frame begins at a place."""
    before, after = equalizer.span(layout, samples_per_symbol)
    wide = np.pad(samples, (before, after))[place : place + before + after]
    return equalizer.Look(wide, offset, layout, samples_per_symbol)


def send(bundle, sources, out, *options):
    """`python -m export.radio send`: its status."""
    given = ["send", str(bundle), "--sources", str(sources), "--out", str(out)]
    return main([*given, *map(str, options)])


def receive(bundle, name, out, *options):
    """`python -m export.radio receive`: its status."""
    return main(["receive", str(bundle), str(name), "--out", str(out), *map(str, options)])


def new_key(bundle, path):
    """A key; options of `send`, and of `receive` with a copy of it."""
    runtime.new_key(bundle, path)
    copy = f"{path}.bob"
    shutil.copy(path, copy)
    at_bob = ["--key", copy, "--window", f"{path}.window"]
    return ["--key", path, "--counter", f"{path}.counter"], at_bob
