"""A frame's header on the air: its bytes with a checksum, a convolutional code, QPSK. In NumPy.

The code is the one of constraint length 9 and rate 1/2 of 3GPP TS 25.212, 4.2.3.1, generators 561
and 753 (octal), free distance 12, ended by 8 zeros; the coded bits are sent twice and whitened by
an m-sequence, so that a header is as good as pilots once its checksum holds. The decoder is
Viterbi's, on soft values. The checksum, CRC-32 of Ethernet, begins with the pair's identity:
another pair's headers do not pass. Left out: interleaving against fading within a frame.
"""

import zlib

import numpy as np
from scipy.signal import max_len_seq

GENERATORS = (0o561, 0o753)
MEMORY = 8
REPEATS = 2
CHECKSUM_BYTES = 4
_STATES = np.arange(1 << MEMORY)
# The register holds the newest bit first, in front of the state.
_REGISTERS = _STATES[:, None] | np.array([0, 1]) << MEMORY
_CODED = np.stack([np.bitwise_count(_REGISTERS & each) & 1 for each in GENERATORS], axis=-1)
# A state's two predecessors differ in the oldest bit, which is lost; its newest bit is the input.
_BEFORE = (_STATES[:, None] << 1 & (1 << MEMORY) - 1) | np.array([0, 1])
_INPUT = _STATES >> MEMORY - 1
_SIGNS = 1.0 - 2.0 * _CODED[_BEFORE, _INPUT[:, None]]


def symbols_of(header_bytes):
    """Complex symbols of a header of so many bytes."""
    return REPEATS * (8 * (header_bytes + CHECKSUM_BYTES) + MEMORY)


def encode(bits):
    """Coded bits, [2 (bits + 8)], of a message's bits; the register ends as it began, at zero."""
    bits = np.append(bits, np.zeros(MEMORY, int))
    coded = np.empty((len(bits), 2), np.uint8)
    state = 0
    for step, bit in enumerate(bits):
        coded[step] = _CODED[state, bit]
        state = (state | int(bit) << MEMORY) >> 1
    return coded.reshape(-1)


def decode(soft):
    """The most likely message bits, Viterbi's algorithm.

    Args:
        soft: of each coded bit, real [2 (bits + 8)]; positive where it is rather 0, the surer the
            larger.
    """
    gain = np.where(_STATES == 0, 0.0, -np.inf)
    of_path = np.tensordot(np.reshape(soft, (-1, 2)), _SIGNS, (1, 2))
    # State s follows 2 s and 2 s + 1 modulo all of them: both halves have the same predecessors.
    evens, odds = of_path[..., 0].reshape(-1, 2, 128), of_path[..., 1].reshape(-1, 2, 128)
    from_odd = np.empty(evens.shape, bool)
    for step, (even, odd) in enumerate(zip(evens, odds, strict=True)):
        even, odd = even + gain[::2], odd + gain[1::2]
        from_odd[step] = odd > even
        gain = np.maximum(even, odd).reshape(-1)
    steps = from_odd.reshape(-1, len(_STATES)).astype(int)
    bits, state = np.empty(len(steps), np.uint8), 0
    for step in range(len(steps) - 1, -1, -1):
        bits[step] = _INPUT[state]
        state = _BEFORE[state, steps[step, state]]
    return bits[:-MEMORY]


def modulate(content, identity):
    """A header's symbols, QPSK of mean square 1 a real.

    Args:
        content: bytes.
        identity: bytes that name the pair.

    Returns:
        complex64 [symbols_of(len(content))].
    """
    checked = content + zlib.crc32(identity + content).to_bytes(CHECKSUM_BYTES, "little")
    coded = encode(np.unpackbits(np.frombuffer(checked, np.uint8)))
    signs = _whitened(1.0 - 2.0 * np.tile(coded, REPEATS))
    return signs.astype(np.float32).view(np.complex64)


def demodulate(symbols, identity):
    """A header's bytes from received symbols, or None where its checksum does not hold.

    Args:
        symbols: complex, equalized; their scale does not matter.
        identity: bytes that name the pair.
    """
    reals = np.ascontiguousarray(symbols, np.complex64).view(np.float32)
    soft = _whitened(reals).reshape(REPEATS, -1).sum(axis=0)
    checked = np.packbits(decode(soft)).tobytes()
    content, checksum = checked[:-CHECKSUM_BYTES], checked[-CHECKSUM_BYTES:]
    whole = zlib.crc32(identity + content).to_bytes(CHECKSUM_BYTES, "little") == checksum
    return content if whole else None


def _whitened(reals):
    return reals * (1.0 - 2.0 * max_len_seq(13, length=len(reals))[0])
