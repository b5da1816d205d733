"""Frames of a modem out of SigMF recordings of one's own: what was sent, decided symbol by symbol.

A recording is one's own transmitter's, at a high SNR and without a frequency offset; annotations
say the modulation (`core:label`). Part by part, timing (a quarter of a sample), gain and phase are
found blindly:

    m = r * g,   tau maximises mean |m(k T + tau)|^2,   phi = arg(mean m^M / mean a^M) / M

with the pulse g, the modulation's points a and the least power M that has a mean, then gain and
phase again by the points that were decided. Whole turns of a constellation onto itself are not
resolved: the frames are as likely. Alice sends the symbols anew, so the recording's noise is in
none of them. What would be decided wrongly is refused, and so is a recording that uses fewer points
than random symbols would: BPSK is decided as QPSK without an error.
"""

import itertools
import math

import numpy as np

from arn_keras.data.dataset import Dataset, Split
from arn_keras.errors import DataError
from arn_keras.link import constellation
from arn_keras.machine.sigmf_samples import Samples
from arn_keras.pulse import root_raised_cosine

#: Symbols that timing, gain and phase are found over, at least.
PART = 1024
#: Symbols that the pulse is long.
SPAN = 32
#: Steps of the timing within a sample.
STEPS = 4
#: Root mean square error of symbols, in half distances of their points, above which some would be
#: decided wrongly: of white noise, one symbol in 50,000.
LARGEST_ERROR = 1 / 3
#: The same of the symbols of one frame: of silence, and where a receiver stood still.
LARGEST_OF_FRAME = 2 / 3
#: Chance that random symbols use so few points, below which they are of another modulation.
CHANCE = 1e-9
#: Share of a recording's frames that is held out for the test where it is the only one.
HELD_OUT = 10


def load(recordings, names, symbols, samples_per_symbol, most):
    """Frames of one's own recordings, as of `data.modulation.load`.

    Args:
        recordings: names of one or two, (training, test).
        names: the modulations; the place among them is the label.
        symbols: symbols of a frame.
        samples_per_symbol: of the recordings.
        most: frames of each split, at most; what is beyond so many of a modulation is not read.

    Returns:
        `data.dataset.Dataset`.

    Raises:
        DataError: if one is no recording, has another rate than the other, frames of no modulation
            or too few, or symbols that cannot be decided.
        ExportError: if the package `sigmf` is missing.
    """
    opened = [Samples(each) for each in recordings]
    rates = {each.sample_rate for each in opened}
    if len(rates) > 1:
        raise DataError(f"{opened[1].meta}: expected the first recording's rate, got another")
    if len({each.sha512 for each in opened}) < len(opened):
        raise DataError(f"{opened[1].meta}: expected another recording to test on than to train on")
    read = most if len(opened) > 1 else (most[0] + HELD_OUT * most[1],)
    frames = [
        _frames(each, names, symbols, samples_per_symbol, count)
        for each, count in zip(opened, read, strict=True)
    ]
    notes = []
    if len(frames) == 1:
        notes = [f"one recording: a {HELD_OUT}th of each modulation is held out for the test"]
        (whole,) = frames
        kept = {name: len(each) - len(each) // HELD_OUT for name, each in whole.items()}
        frames = [
            {name: each[: kept[name]] for name, each in whole.items()},
            {name: each[kept[name] :] for name, each in whole.items()},
        ]
    splits = []
    for recording, own, count in zip((opened * 2)[:2], frames, most, strict=True):
        missing = [name for name in names if not len(own[name])]
        if missing:
            raise DataError(
                f"{recording.meta}: expected frames of {symbols} symbols of each modulation, to "
                f"train and to test on, got none of {', '.join(missing)}"
            )
        drawn = np.concatenate([own[name] for name in names])
        label = np.repeat(np.arange(len(names), dtype=np.int32), [len(own[n]) for n in names])
        order = np.random.default_rng(0).permutation(len(drawn))[:count]
        splits.append(Split(drawn[order], label[order], drawn[order]))
    return Dataset("recordings", *splits, len(names), notes=tuple(notes))


def _frames(recording, names, symbols, samples_per_symbol, most):
    """Frames of each modulation of a recording, {name: [frames, symbols + 1, MOST_BITS]}."""
    found = {
        name: [np.zeros((0, symbols + 1, constellation.MOST_BITS), np.float32)] for name in names
    }
    span = SPAN * samples_per_symbol
    part = -(-PART // symbols) * symbols
    for name, start, end in [*_stretches(recording, names)]:  # refused before any is read
        while end - start >= span + (symbols + 1) * samples_per_symbol:
            if sum(map(len, found[name])) >= most:
                break
            # One symbol more, for the timing; what is left at the end makes the last part longer.
            asked = span + (part + 1) * samples_per_symbol
            stop = end if end - start < 2 * asked else start + asked
            decided = _decided(recording, start, stop, name, symbols, samples_per_symbol)
            found[name].append(_as_frames(decided, name))
            start = stop - span
    return {name: np.concatenate(each) for name, each in found.items()}


def _stretches(recording, names):
    """(name, first sample, the one behind the last) of what is annotated, capture by capture."""
    known, last = {_plain(name): name for name in names}, 0
    for start, count, label in sorted(recording.annotations):
        name = known.get(_plain(label))
        if name is None:
            continue
        if start < last:
            raise DataError(
                f"{recording.meta}: sample {start}: expected annotations of modulations side by "
                f"side, got {label} within the one before"
            )
        last = start + count
        breaks = [each for each in sorted({*recording.starts}) if start < each < last]
        for first, end in itertools.pairwise([start, *breaks, last]):
            yield name, first, end


def _plain(name):
    """A modulation's name without its spelling: "16-QAM" and "qam16" are one."""
    kept = [each for each in name.lower() if each.isalnum()]
    return "".join(sorted(kept, key=str.isdigit))


def _decided(recording, start, stop, name, symbols, samples_per_symbol):
    """Labels of the symbols between two samples of a recording, [frames, symbols]."""
    points = constellation.points(name)
    received = _at_symbols(recording.read(start, stop), samples_per_symbol)
    scale = np.sqrt(np.mean(np.abs(received) ** 2))
    if not scale > 0:
        raise DataError(f"{recording.meta}: sample {start}: expected {name}, got silence")
    power = next(m for m in (2, 4, 8) if abs(np.mean(points**m)) > 0.1)
    turned = np.angle(np.mean((received / scale) ** power) / np.mean(points**power)) / power
    gain = scale * np.exp(1j * turned)
    for _ in range(3):
        label = np.argmin(np.abs(received[:, None] / gain - points), axis=1)
        gain = np.vdot(points[label], received) / np.sum(np.abs(points[label]) ** 2)
    distance = np.abs(points[:, None] - points) + np.where(np.eye(len(points)), np.inf, 0)
    whole = len(label) // symbols * symbols
    error = np.abs(received / gain - points[label])[:whole].reshape(-1, symbols)
    error = np.sqrt(np.mean(error**2, axis=1)) / (distance.min() / 2)
    mean, largest = np.sqrt(np.mean(error**2)), np.max(error)
    if not (mean < LARGEST_ERROR and largest < LARGEST_OF_FRAME):
        raise DataError(
            f"{recording.meta}: sample {start}: expected symbols of {name} at {samples_per_symbol} "
            f"samples each, within {LARGEST_ERROR:.2f} half distances, got {mean:.2f}, of one "
            f"frame {largest:.2f}: noise, silence, another rate, pulse or modulation, or a "
            "frequency offset"
        )
    used = len(np.unique(label))
    if math.comb(len(points), used) * (used / len(points)) ** len(label) < CHANCE:
        raise DataError(
            f"{recording.meta}: sample {start}: expected random symbols of {name}, got {used} of "
            f"its {len(points)} points: another modulation, or what is sent is no data"
        )
    return label[:whole].reshape(-1, symbols)


def _at_symbols(samples, samples_per_symbol):
    """The matched filter's output at the symbols, complex [symbols]."""
    each = samples_per_symbol * STEPS
    fine = np.roll(root_raised_cosine(SPAN * each, each), SPAN * each // 2)
    best = None
    for step in range(STEPS):
        matched = np.convolve(samples, fine[step::STEPS], "valid")
        for offset in range(samples_per_symbol):
            found = matched[offset::samples_per_symbol]
            power = np.mean(np.abs(found) ** 2)
            if best is None or power > best[0]:
                best = power, found
    return best[1]


def _as_frames(labels, name):
    """Rows of bits of `data.modulation.frames`, on Alice's own clock."""
    frames = np.zeros((len(labels), labels.shape[1] + 1, constellation.MOST_BITS), np.float32)
    bits = constellation.MODULATIONS[name]
    for place in range(bits):
        frames[:, :-1, place] = labels >> (bits - 1 - place) & 1
    frames[:, -1, 0] = list(constellation.MODULATIONS).index(name)
    return frames
