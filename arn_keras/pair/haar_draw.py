"""A rotation drawn exactly uniformly from O(n), out of a keystream: what both ends compute alike.

The subgroup algorithm (Stewart, SIAM J. Numer. Anal. 17, 1980; Diaconis and Shahshahani, Prob. Eng.
Inf. Sci. 1, 1987), with the signs that make it Haar (Mezzadri, Notices of the AMS 54, 2007): it is
what the QR factorisation of an n x n matrix of normal numbers does, without drawing the numbers
that the factorisation throws away. For another implementation, all in float64:

    m      = ceil(n (n + 1) / 4) pairs of normal numbers (Box and Muller),
    radius = sqrt(-2 ln((w + 1/2) / 2^64)),  w: the keystream's first m words of 64 bits, LE
    angle  = 2 pi v / 2^32,                  v: its next m words of 32 bits, LE
    g      = radius * cos(angle), then radius * sin(angle): 2 m numbers, the first n (n + 1) / 2
    x_i    = the next n - i of g, i = 0 ... n - 1,    s_i = -1 if x_i[0] < 0 else 1
    u_i    = x_i + s_i |x_i| e_1, behind i zeros,     H_i = I - 2 u_i u_i^T / |u_i|^2
    Q      = H_0 H_1 ... H_{n-2} diag(-s_0, ..., -s_{n-2}, s_{n-1})

`tests/keystream_vectors.json` fixes it in numbers. The order of the sums is free: orthogonal steps
do not amplify rounding, and two machines agree to 1e-12. Here some reflections at a time are one
product (Joffrain, Low, Quintana-Orti and van de Geijn, ACM TOMS 32, 2006): with U of rows u_i,
scaled to |u_i|^2 = 2, it is I - U^T T^{-1} U, T the upper triangle of U U^T with a diagonal of 1.
From the last block to the first they are applied to what the later ones made of the unit matrix,
which differs from it in their rows and columns alone: 4 n^3 / 3 multiplications and additions.
Needs numpy alone: a keyed bundle has a copy of this file.
"""

import functools
import math

import numpy as np


def _block(n):
    """Reflections that are one product.

    A product of three sizes of 128 and 16 is too small for a library's threads, which cost more
    than they help there and on a busy machine wait for each other; large ones want more work each.
    """
    return 16 if n <= 256 else 64


def _pairs(n):
    return -(-n * (n + 1) // 4)


def keystream_bytes(n):
    """Bytes of keystream that one rotation of n real symbols takes: 12 for two normal numbers."""
    return 12 * _pairs(n)


def normal_numbers(keystream, count):
    """Box and Muller's normal numbers, float64 [count], from 12 bytes of keystream for each two."""
    pairs = -(-count // 2)
    words = np.frombuffer(keystream, "<u8", pairs)
    turns = np.frombuffer(keystream, "<u4", pairs, offset=8 * pairs)
    radius = np.sqrt(-2.0 * np.log((words + 0.5) * 2.0**-64))
    angle = turns * (2.0 * math.pi / 2**32)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


def haar_rotation(keystream, n):
    """Q of one message, exactly Haar-distributed on O(n) if the keystream is random.

    Args:
        keystream: at least `keystream_bytes(n)` bytes.
        n: real symbols a message.

    Returns:
        Orthogonal matrix, float64 [n, n].
    """
    block = _block(n)
    reflectors = np.zeros((-(-n // block) * block, n))
    used = reflectors[:n]
    used[_upper(n)] = normal_numbers(keystream, n * (n + 1) // 2)
    first = used.diagonal().copy()
    signs = np.where(first < 0, -1.0, 1.0)
    norms = np.sqrt(np.einsum("ij,ij->i", used, used))
    norms[-1] = 1.0  # of the last only the sign is used, and an angle of 0 makes it 0
    used.flat[:: n + 1] += signs * norms
    used *= (1 / np.sqrt(norms * (norms + np.abs(first))))[:, None]
    used[-1] = 0.0
    blocks = reflectors.reshape(-1, block, n)
    triangles = np.triu(blocks @ blocks.transpose(0, 2, 1), 1) + np.eye(block)
    solved = np.linalg.inv(triangles) @ blocks
    rotation, memory = np.eye(n), np.empty(n * n)  # pages once, not for each block
    for at in range(len(blocks) - 1, -1, -1):
        start = at * block
        rest = rotation[start:, start:]
        change = memory[: rest.size].reshape(rest.shape)
        np.matmul(blocks[at, :, start:].T, solved[at, :, start:] @ rest, out=change)
        rest -= change
    signs[:-1] *= -1.0
    rotation *= signs
    return rotation


@functools.lru_cache(maxsize=4)
def _upper(n):
    return np.triu(np.ones((n, n), bool))
