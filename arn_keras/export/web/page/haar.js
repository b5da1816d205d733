// The exactly uniform rotation, as arn_keras/pair/haar_draw.py defines it, in double precision.

/** Bytes of keystream that one rotation of n real symbols takes. */
export const haarBytes = (n) => 12 * Math.ceil((n * (n + 1)) / 4);

/** Box and Muller's normal numbers from words of 64 and of 32 bits, least significant byte first. */
function normalNumbers(keystream, pairs) {
  const words = new DataView(keystream.buffer, keystream.byteOffset, 12 * pairs);
  const numbers = new Float64Array(2 * pairs);
  for (let at = 0; at < pairs; at += 1) {
    const word = words.getUint32(8 * at + 4, true) * 2 ** 32 + words.getUint32(8 * at, true);
    const radius = Math.sqrt(-2 * Math.log((word + 0.5) * 2 ** -64));
    const angle = words.getUint32(8 * pairs + 4 * at, true) * ((2 * Math.PI) / 2 ** 32);
    numbers[at] = radius * Math.cos(angle);
    numbers[pairs + at] = radius * Math.sin(angle);
  }
  return numbers;
}

/**
 * @param {Uint8Array} keystream at least `haarBytes(n)` bytes.
 * @param {number} n real symbols of a message.
 * @returns {Float32Array} Q by rows, n x n: H_0 ... H_{n-2} diag(-s_0, ..., -s_{n-2}, s_{n-1}).
 */
export function haarRotation(keystream, n) {
  const numbers = normalNumbers(keystream, Math.ceil((n * (n + 1)) / 4));
  const rotation = new Float64Array(n * n);
  const signs = new Float64Array(n);
  const start = (i) => i * n - (i * (i - 1)) / 2; // of the n - i numbers of reflection i
  for (let i = n - 1; i >= 0; i -= 1) {
    const vector = numbers.slice(start(i), start(i + 1));
    const sign = vector[0] < 0 ? -1 : 1;
    rotation[i * n + i] = 1;
    signs[i] = i === n - 1 ? sign : -sign;
    if (i === n - 1) continue;
    vector[0] += sign * Math.hypot(...vector);
    const factor = 2 / vector.reduce((sum, value) => sum + value * value, 0);
    // Before reflection i the matrix is that of a unit outside its last n - i - 1 rows and columns.
    const product = new Float64Array(n);
    for (const [row, value] of vector.entries()) {
      for (let to = i; to < n; to += 1) product[to] += value * rotation[(i + row) * n + to];
    }
    for (const [row, value] of vector.entries()) {
      for (let to = i; to < n; to += 1) {
        rotation[(i + row) * n + to] -= factor * value * product[to];
      }
    }
  }
  return Float32Array.from(rotation, (value, at) => value * signs[at % n]);
}
