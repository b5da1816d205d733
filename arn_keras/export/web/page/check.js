// The page's proof: Python's pictures under Python's noise and keys must give Python's figures.
import {keysOf} from './keys.js';
import {guess, PROTECTIONS, send} from './link.js';

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/**
 * Repeats every message of `check.json`.
 *
 * @param {object} models functions of `loadModels`.
 * @param {object} check contents of `check.json`.
 * @param {(index: number) => Float32Array} picture a picture of the page, as the transmitter takes it.
 * @param {object} run contents of `page.json`.
 * @returns {Promise<object>} `found`, shaped like `expected`; `messages`; `mseDifference`, the
 *   largest relative one of Bob's error; `beliefDifference`, the largest of an Eve's probability;
 *   `otherGuesses`, how many of an Eve's guesses differ; `guesses`, of how many.
 */
export async function repeatCheck(models, check, picture, run) {
  const empty = () => Object.fromEntries(['mse', ...run.eves].map((name) => [name, []]));
  const found = Object.fromEntries(PROTECTIONS.map((name) => [name, empty()]));
  const result = {found, messages: 0, mseDifference: 0, beliefDifference: 0};
  Object.assign(result, {guesses: 0, otherGuesses: 0});
  for (const [row, index] of check.pictures.entries()) {
    const message = {
      pixels: picture(index),
      bobNoise: Float32Array.from(check.bob_noise[row]),
      eveNoise: Float32Array.from(check.eve_noise[row]),
      keys: keysOf(bytesOf(check.keystreams[row]), run),
    };
    const outcome = await send(models, message, {snrDb: run.snr_db, gain: 1}, run.eves);
    for (const name of PROTECTIONS) {
      const expected = check.expected[name];
      result.messages += 1;
      found[name].mse.push(outcome[name].mse);
      const change = Math.abs(outcome[name].mse / expected.mse[row] - 1);
      result.mseDifference = Math.max(result.mseDifference, change);
      for (const eve of run.eves) {
        const beliefs = outcome[name][eve];
        found[name][eve].push(beliefs);
        result.guesses += 1;
        result.otherGuesses += guess(beliefs) !== guess(expected[eve][row]) ? 1 : 0;
        for (const [label, belief] of beliefs.entries()) {
          const difference = Math.abs(belief - expected[eve][row][label]);
          result.beliefDifference = Math.max(result.beliefDifference, difference);
        }
      }
    }
  }
  return result;
}
