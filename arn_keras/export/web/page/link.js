// The block diagram: one message from Alice, over the air, to Bob and to every Eve.
import {added, decibel, meanSquare, ratio} from './power.js';

/** What the page compares. */
export const PROTECTIONS = ['none', 'arn', 'keyed'];

/**
 * Sends a message under every protection, through the same noise.
 *
 * @param {object} models functions of `loadModels`.
 * @param {object} message `pixels` (as the transmitter takes them), `bobNoise` and `eveNoise` (variance 1), `keys` (of the keyed pair, by input).
 * @param {object} air `snrDb`; `gain`, the amplitude of the ARN's perturbation, 1 as trained.
 * @param {string[]} eves who listens: `frozen`, `frozen_2`, ... and `retrained`.
 * @returns {Promise<object>} for each protection: `signal` y, `sent` z, `psrDb` measured (null
 *   without perturbation), Bob's `picture` and its squared error `mse`, and what each Eve believes,
 *   under her name: a probability for each label.
 */
export async function send(models, message, {snrDb, gain}, eves) {
  const signal = await models.transmitter(message.pixels);
  const deviation = Math.sqrt(ratio(-snrDb));
  const outcome = {};
  for (const name of PROTECTIONS) {
    const sent = await protect[name](models, signal, message.keys, gain);
    const received = added(sent, message.bobNoise, deviation);
    const overheard = added(sent, message.eveNoise, deviation);
    const cleaned = await clean[name](models, received, message.keys);
    const picture = await models.receiver(cleaned);
    const beliefs = {};
    for (const eve of eves) beliefs[eve] = softmax(await models[modelOf(eve, name)](overheard));
    outcome[name] = {
      signal,
      sent,
      psrDb: name === 'none' ? null : decibel(meanSquare(added(sent, signal, -1))),
      picture,
      mse: meanSquare(added(picture, message.pixels, -1)),
      ...beliefs,
    };
  }
  return outcome;
}

const protect = {
  none: async (models, signal) => signal,
  // z = y + gain * delta. With gain 1 the module's own output, to the last bit.
  arn: async (models, signal, keys, gain) => {
    const sent = await models.transmitter_arn(signal);
    return gain === 1 ? sent : added(signal, added(sent, signal, -1), gain);
  },
  keyed: (models, signal, keys) => models.transmitter_keyed({signal, ...keys}),
};

const clean = {
  none: async (models, received) => received,
  arn: (models, received) => models.receiver_arn(received),
  keyed: (models, received, keys) => models.receiver_keyed({received, ...keys}),
};

/** The model of an Eve: one is retrained for each protection, and without one she is the first. */
function modelOf(eve, protection) {
  if (eve !== 'retrained') return eve.replace('frozen', 'eve');
  return protection === 'none' ? 'eve' : `eve_${protection}`;
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The label that gets the largest probability. */
export const guess = (beliefs) => beliefs.indexOf(Math.max(...beliefs));
