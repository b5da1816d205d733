// A one-time key for each message: what Alice and Bob share and Eve does not have.
import {haarBytes, haarRotation} from './haar.js';

/** How each rotation makes of a keystream what its modules take, and how many bytes that needs. */
const ROTATIONS = {
  fast: {
    bytes: ({rounds, symbols}) => Math.ceil((rounds * symbols) / 8),
    input: (bits, {rounds, symbols}) => ({
      signs: Float32Array.from({length: rounds * symbols}, (_, at) =>
        (bits[at >> 3] >> (at & 7)) & 1 ? -1 : 1,
      ),
    }),
  },
  haar: {
    bytes: ({symbols}) => haarBytes(symbols),
    input: (keystream, {symbols}) => ({rotation: haarRotation(keystream, symbols)}),
  },
};

/**
 * @param {object} key of `page.json`: `rotation`, `symbols`, and `rounds` of the fast one.
 * @returns {Uint8Array} a message's keystream, from the browser's cryptographic generator.
 */
export function freshKeystream(key) {
  const keystream = new Uint8Array(ROTATIONS[key.rotation].bytes(key));
  for (let at = 0; at < keystream.length; at += 65536) {
    crypto.getRandomValues(keystream.subarray(at, at + 65536)); // it gives no more at once
  }
  return keystream;
}

/**
 * @param {Uint8Array} keystream of one message.
 * @param {object} key of `page.json`.
 * @returns {Object<string, Float32Array>} what the keyed modules take beside the signal, by name.
 */
export const keysOf = (keystream, key) => ROTATIONS[key.rotation].input(keystream, key);
