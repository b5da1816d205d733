// A one-time key for each message: signs that Alice and Bob share and Eve does not have.

/**
 * @param {number} count number of signs, rounds times symbols.
 * @returns {Float32Array} independent +1 and -1 from the browser's cryptographic generator.
 */
export function freshSigns(count) {
  const bits = crypto.getRandomValues(new Uint8Array(Math.ceil(count / 8)));
  return Float32Array.from({length: count}, (_, at) => ((bits[at >> 3] >> (at & 7)) & 1 ? -1 : 1));
}
