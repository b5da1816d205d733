// The block diagram: one message from Alice, over the air, to Bob and to every Eve.
import {moved} from './clock.js';
import {heard} from './fading.js';
import {added, decibel, meanSquare, ratio, sentShare, withPowerOf} from './power.js';

/** What the page compares. */
export const PROTECTIONS = ['none', 'arn', 'keyed'];

/**
 * Sends a message under every protection, through the same noise.
 *
 * @param {object} page `models`, functions of `loadModels`; `run`, contents of `page.json`; `kind`,
 *   one of `KINDS`.
 * @param {object} message `source` (as the transmitter takes it), `index` and `label` (null if it is
 *   none of the test set), `bobNoise` and `eveNoise` (variance 1), `bobGain` and `eveGain` (of
 *   `freshGain`), `eveClock` (of `freshClock`), `keys` (of the keyed pair, by input).
 * @param {object} air `channel`, one of the run's; `snrDb`; `eveOffsetDb`, how much better Eve hears; `gain`, the amplitude of the
 *   ARN's perturbation, 1 as trained.
 * @returns {Promise<object>} for each protection: `signal` y, `sent` z, `psrDb` measured (null
 *   without perturbation), `estimates`, what Bob's receiver says of each signal that the kind looks
 *   at, `bob`, what the kind makes of it, and what each Eve believes, under her name: a probability
 *   for each label.
 */
export async function send({models, run, kind}, message, {channel, snrDb, eveOffsetDb, gain}) {
  const signal = await models.transmitter(message.source);
  const [atBob, atEve] = [snrDb, snrDb + eveOffsetDb].map((level) => Math.sqrt(ratio(-level)));
  const outcome = {};
  for (const name of PROTECTIONS) {
    const sent = await protect[name](models, signal, message.keys, gain, run.keeps_power);
    const received = heard(sent, message.bobNoise, atBob, channel, 'bob', message.bobGain);
    const cleaned = await clean[name](models, received, message.keys);
    const late = moved(sent, message.eveClock);
    const overheard = heard(late, message.eveNoise, atEve, channel, 'eve', message.eveGain);
    const [signals, estimates, beliefs] = [{sent, received, cleaned}, {}, {}];
    for (const look of kind.looks) estimates[look] = await models.receiver(signals[look]);
    for (const eve of run.eves) beliefs[eve] = softmax(await models[modelOf(eve, name)](overheard));
    const power = meanSquare(added(sent, signal, -1)) / sentShare(sent, run.place);
    outcome[name] = {
      signal,
      sent,
      psrDb: name === 'none' ? null : decibel(power),
      estimates,
      bob: kind.judge(estimates.cleaned, message),
      ...beliefs,
    };
  }
  return outcome;
}

const protect = {
  none: async (models, signal) => signal,
  // z = y + gain * delta. With gain 1 the module's own output, to the last bit.
  arn: async (models, signal, keys, gain, keepsPower) => {
    const sent = await models.transmitter_arn(signal);
    if (gain === 1) return sent;
    const scaled = added(signal, added(sent, signal, -1), gain);
    return keepsPower ? withPowerOf(signal, scaled) : scaled;
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
