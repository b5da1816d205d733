// Flat fading, one gain a message, as arn_keras/channel/fading.py defines it.
import {added} from './power.js';

/**
 * @param {(count: number) => Float32Array} noise of `gaussianNoise`.
 * @returns {number[]} w ~ CN(0, 1), a pair: what a listener's gain is made of.
 */
export const freshGain = (noise) => [...noise(2)].map((value) => value * Math.SQRT1_2);

/**
 * What a listener is given: y = h z + n, h = mu + sqrt(1 - mu^2) w, equalised if he knows h.
 *
 * @param {Float32Array} sent z, I, Q, I, Q, ...
 * @param {Float32Array} noise of variance 1.
 * @param {number} deviation of n, of each real.
 * @param {object} channel one of `page.json`'s `airs`.
 * @param {string} ear "bob" or "eve".
 * @param {number[]} gain w, of `freshGain`.
 */
export function heard(sent, noise, deviation, channel, ear, gain) {
  if (channel.line_of_sight === undefined) return added(sent, noise, deviation);
  const {line_of_sight: direct, [ear]: {knows, equalizer}} = channel;
  const [a, b] = gain.map((part, at) => (at ? 0 : Math.sqrt(direct)) + Math.sqrt(1 - direct) * part);
  const power = a * a + b * b + (equalizer === 'mmse' ? deviation ** 2 : 0);
  const given = new Float32Array(sent.length);
  for (let at = 0; at < sent.length; at += 2) {
    const i = a * sent[at] - b * sent[at + 1] + deviation * noise[at];
    const q = a * sent[at + 1] + b * sent[at] + deviation * noise[at + 1];
    given[at] = knows ? (a * i + b * q) / power : i;
    given[at + 1] = knows ? (a * q - b * i) / power : q;
  }
  return given;
}
