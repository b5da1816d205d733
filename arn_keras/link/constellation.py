"""Constellations with Gray labels, and a frame's decisions, in NumPy: what Bob is judged by.

PSK and PAM carry the reflected Gray code of the place, square QAM one such PAM on I by the first
half of the bits and one on Q by the other half. Mean energy 1 over the points. Proakis, Salehi,
*Digital Communications*, 3.2. Left out: GMSK, whose receiver is no table of points.
"""

import numpy as np

from arn_keras.errors import ConfigError

#: Bits a symbol; a modulation's number is its place here.
MODULATIONS = {"bpsk": 1, "qpsk": 2, "8psk": 3, "16qam": 4, "64qam": 6, "pam4": 2}
MOST_BITS = max(MODULATIONS.values())
#: What Bob is told of a frame's gain, 4 bits in its header: a power of this, the middle one 1.
GAIN_STEP, LEAST_STEP, MOST_STEP = 1.032, -7, 8


def known(names):
    """The names, as a tuple.

    Raises:
        ConfigError: for an unknown modulation, or none, or one twice.
    """
    names = tuple(names)
    unknown = [name for name in names if name not in MODULATIONS]
    if unknown or not names or len(set(names)) < len(names):
        raise ConfigError(
            f"expected different modulations of {', '.join(MODULATIONS)}, "
            f"got {', '.join(map(str, names)) or 'none'}"
        )
    return names


def points(name):
    """The points of a modulation, complex [M], in the order of their labels; mean energy 1.

    Raises:
        ConfigError: for an unknown one.
    """
    (name,) = known([name])
    bits = MODULATIONS[name]
    if name.endswith("psk"):
        turn = np.pi / 4 if name == "qpsk" else 0.0
        found = np.exp(1j * (2 * np.pi * _places(bits) / 2**bits + turn))
    elif name.endswith("qam"):
        levels = _levels(bits // 2)
        label = np.arange(2**bits)
        found = levels[label >> bits // 2] + 1j * levels[label % len(levels)]
    else:
        found = _levels(bits).astype(complex)
    return found / np.sqrt(np.mean(np.abs(found) ** 2))


def _places(bits):
    """Where each label stands in the reflected Gray code: label = place xor place / 2."""
    place = np.arange(2**bits)
    places = np.empty_like(place)
    places[place ^ place >> 1] = place
    return places


def _levels(bits):
    return 2.0 * _places(bits) - (2**bits - 1)


def table(names):
    """All points, complex [modulations, 2 ** MOST_BITS]; infinite where there are fewer."""
    found = np.full((len(names), 2**MOST_BITS), np.inf, complex)
    for row, name in zip(found, names, strict=True):
        row[: 2 ** MODULATIONS[name]] = points(name)
    return found


def bit_weights(names):
    """Weight of each bit of a symbol in its label, [modulations, MOST_BITS]; 0 for unused bits."""
    place = np.arange(MOST_BITS)
    bits = np.array([[MODULATIONS[name]] for name in names])
    return np.where(place < bits, 2.0 ** (bits - 1 - place), 0.0)


def sent(frames, names=tuple(MODULATIONS)):
    """What frames of `data.modulation` hold: (labels, points, gain, timing).

    Args:
        frames: [batch, symbols + 1, MOST_BITS], see `data.modulation.frames`.
        names: the modulations.

    Returns:
        labels [batch, symbols], complex points [batch, symbols], complex gain that brings the
        frame to power 1 a real sample and to its carrier phase, for one sample a symbol, [batch],
        timing in samples, [batch].
    """
    frames = np.asarray(frames)
    modulation, phase, timing = (frames[:, -1, column] for column in range(3))
    modulation = modulation.astype(int)
    weights = bit_weights(names)[modulation]
    labels = np.einsum("bsk,bk->bs", frames[:, :-1], weights).astype(int)
    found = table(names)[modulation[:, None], labels]
    gain = np.sqrt(2 / np.mean(np.abs(found) ** 2, axis=1)) * np.exp(1j * phase)
    return labels, found, gain, timing.astype(int)


def told(gain):
    """A gain as the header tells it Bob, which scales every frame to power 1: its phase is exact.

    Args:
        gain: complex, [batch], as of `sent`: of size sqrt(2) for a constellation's mean energy.
    """
    steps = np.log(np.abs(gain) / np.sqrt(2)) / np.log(GAIN_STEP)
    size = GAIN_STEP ** np.clip(np.rint(steps), LEAST_STEP, MOST_STEP)
    return gain * (np.sqrt(2) * size / np.abs(gain))


def estimates(frames, estimate, names=tuple(MODULATIONS)):
    """Bob's symbols at the instants that he knows, turned and scaled back (`told`): complex
    [batch, symbols], a point of the constellation plus noise.

    Args:
        frames: as of `sent`.
        estimate: the receiver's, real [batch, symbols, samples a symbol, 2].
        names: the modulations.
    """
    estimate = np.asarray(estimate, np.float32)
    _, _, gain, timing = sent(frames, names)
    taken = np.take_along_axis(estimate, timing[:, None, None, None], axis=2)[:, :, 0]
    turned = (taken[..., 0] + 1j * taken[..., 1]) / told(gain)[:, None]
    return turned / np.sqrt(estimate.shape[2])


def squared_error(frames, estimate, names=tuple(MODULATIONS)):
    """Squared errors of each frame's symbols, their sum, [batch]; of points of mean energy 1.

    Arguments as of `estimates`.
    """
    _, found, *_ = sent(frames, names)
    return np.sum(np.abs(estimates(frames, estimate, names) - found) ** 2, axis=1)


def symbol_errors(frames, estimate, names=tuple(MODULATIONS)):
    """Wrong symbols of each frame, [batch], by the nearest point; Bob knows the modulation.

    Arguments as of `estimates`.
    """
    labels, *_ = sent(frames, names)
    found = estimates(frames, estimate, names)
    candidates = table(names)[np.asarray(frames)[:, -1, 0].astype(int)]
    distance = np.abs(found[..., None] - candidates[:, None])
    return np.sum(np.argmin(distance, axis=-1) != labels, axis=1)
