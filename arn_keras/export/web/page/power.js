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

/** What is to be sent, scaled to the power that the plain signal has. */
export function withPowerOf(signal, sent) {
  const gain = Math.sqrt(meanSquare(signal) / meanSquare(sent));
  return sent.map((value) => gain * value);
}

/**
 * Share of a signal's symbols that are sent, above 0: those of all places but the silent ones.
 *
 * @param {Float32Array} signal
 * @param {number|null} place symbols of a place that is silent where all are 0; null for none.
 */
export function sentShare(signal, place) {
  if (place === null) return 1;
  let sent = 0;
  for (let start = 0; start < signal.length; start += place) {
    sent += signal.subarray(start, start + place).some((value) => value !== 0) ? place : 0;
  }
  return Math.max(1, sent) / signal.length;
}
