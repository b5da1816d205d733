// The page's proof: Python's messages under Python's noise and keys must give Python's figures.
import {keysOf} from './keys.js';
import {guess, PROTECTIONS, send} from './link.js';

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

const percent = (share) => `${Number((100 * share).toPrecision(1))} %`;

/** The largest relative change of one of Bob's figures, in print. */
export function largestChange(found, expected, field) {
  const changes = PROTECTIONS.flatMap((name) =>
    found[name][field].map((value, row) => Math.abs(value / expected[name][field][row] - 1)),
  );
  return percent(Math.max(...changes));
}

/** Of all entries of one of Bob's figures, how many are the same, in print. */
export function same(found, expected, field) {
  const flat = (figures) => PROTECTIONS.flatMap((name) => figures[name][field].flat());
  const [one, other] = [flat(found), flat(expected)];
  return `${one.filter((value, at) => value === other[at]).length} of ${other.length}`;
}

/**
 * Repeats every message of `check.json`.
 *
 * @param {object} page `models`, `run` and `kind`, as `send` takes them.
 * @param {object} check contents of `check.json`.
 * @returns {Promise<object>} `found`, shaped like `expected`, and `told`, in words how far apart
 *   they are.
 */
export async function repeatCheck(page, check) {
  const {run, kind} = page;
  const found = Object.fromEntries(PROTECTIONS.map((name) => [name, {}]));
  const keep = (name, field, value) => (found[name][field] ??= []).push(value);
  let [beliefDifference, guesses, others] = [0, 0, 0];
  for (const [row, index] of check.shown.entries()) {
    const message = {
      source: kind.source(index),
      index,
      label: run.labels[index],
      bobNoise: Float32Array.from(check.bob_noise[row]),
      eveNoise: Float32Array.from(check.eve_noise[row]),
      bobGain: check.bob_gain[row],
      eveGain: check.eve_gain[row],
      eveClock: check.eve_clock[row] ?? null,
      keys: keysOf(bytesOf(check.keystreams[row]), run.key),
    };
    const [channel] = run.airs;
    const air = {channel, snrDb: run.snr_db, eveOffsetDb: run.eve_snr_offset_db, gain: 1};
    const outcome = await send(page, message, air);
    for (const name of PROTECTIONS) {
      const figures = Object.entries(kind.proof(outcome[name].bob));
      for (const [field, value] of figures) keep(name, field, value);
      for (const eve of run.eves) {
        const [beliefs, expected] = [outcome[name][eve], check.expected[name][eve][row]];
        keep(name, eve, beliefs);
        guesses += 1;
        others += guess(beliefs) !== guess(expected) ? 1 : 0;
        const differences = beliefs.map((belief, label) => Math.abs(belief - expected[label]));
        beliefDifference = Math.max(beliefDifference, ...differences);
      }
    }
  }
  const told =
    `${PROTECTIONS.length * check.shown.length} messages: ${kind.agreed(found, check.expected)}, ` +
    `Eve\u2019s probabilities within ${percent(beliefDifference)}, ` +
    `${guesses - others} of ${guesses} guesses the same.`;
  return {found, told};
}
