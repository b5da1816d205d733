// The power convention: mean square per real symbol, 1 for what the transmitter puts out.

/** Power ratio of a level in dB, 10^(dB/10). */
export const ratio = (db) => 10 ** (db / 10);

/** Level in dB of a power ratio. */
export const decibel = (power) => 10 * Math.log10(power);

/** Mean square of an array. */
export function meanSquare(array) {
  let sum = 0;
  for (const value of array) sum += value * value;
  return sum / array.length;
}

/** a + gain * b, symbol by symbol. */
export const added = (a, b, gain) => a.map((value, at) => value + gain * b[at]);
