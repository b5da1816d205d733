// What the page says of the run that it was made from: ranges of the sliders, and Python's figures.
import {copyOf, eveOf, inDb, titleOf} from './view.js';

const at = (id) => document.getElementById(id);
const share = (accuracy) => `${(100 * accuracy).toFixed(1)} %`;

const CHANNELS = {awgn: 'White noise', rayleigh: 'Rayleigh fading', rician: 'Rician fading'};

/** What there is to say of the channel that is chosen. */
export function channelHint({airs}) {
  const channel = airs[Number(at('channel').value)];
  const knows = ({knows}) => (knows ? 'knows' : 'does not know');
  const gains =
    channel.line_of_sight === undefined
      ? ''
      : `A message has one gain at Bob\u2019s, which he ${knows(channel.bob)}, and another at Eve\u2019s, ` +
        `which she ${knows(channel.eve)}. `;
  return gains + (channel === airs[0] ? '' : 'Nobody here learnt over this channel.');
}

/** Fills in all that follows from `page.json`. */
export function showRun(run, kind) {
  document.body.dataset.kind = kind.name;
  for (const place of document.querySelectorAll('[data-word]')) {
    place.textContent = kind.words[place.dataset.word];
  }
  at('source').append(copyOf(`source-${kind.name}`));
  const heads = document.querySelector('thead tr');
  heads.closest('table').classList.toggle('many', run.eves.length > 2);
  for (const eve of run.eves) {
    const head = document.createElement('th');
    head.scope = 'col';
    head.textContent = eveOf(eve, run.eves).replace(', never adapts', '');
    heads.append(head);
  }
  for (const [number, {name}] of run.airs.entries()) {
    at('channel').append(new Option(CHANNELS[name], number));
  }
  at('channel-hint').textContent = channelHint(run);
  setSlider('snr', run.snr_db, -5, 25);
  setSlider('offset', run.eve_snr_offset_db, -20, 20);
  setSlider('psr', run.psr_db, -30, 0);
  at('snr-hint').textContent =
    `Trained at ${inDb(run.snr_db)}. The noise is drawn in this page, the same for all three.`;
  const clock = run.clock === null ? '' : ' She hears each frame with a phase and a delay unknown to her.';
  at('offset-hint').textContent =
    `Her SNR over Bob\u2019s; she learnt at ${inDb(run.eve_snr_offset_db)}.${clock}`;
  const measured = run.measured_psr_db === null ? 'none' : inDb(run.measured_psr_db);
  const kept = run.keeps_power ? ', at the plain signal\u2019s power,' : '';
  at('psr-hint').textContent =
    `The pair was trained to a budget of ${inDb(run.psr_db)} (measured: ${measured}). Elsewhere its ` +
    `perturbation is scaled, z = y + g\u03b4${kept} and Bob\u2019s module, which learnt to remove the ` +
    'trained one, fits less.';
  at('measured-caption').textContent =
    `Measured in Python on all ${run.sources.toLocaleString('en')} test ${kind.words.sources} at ` +
    `${inDb(run.snr_db)}; guessing gives ${share(1 / run.classes)}`;
  for (const [name, figures] of Object.entries(run.measured)) {
    const row = at('measured').insertRow();
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = titleOf(name);
    row.append(head);
    const eves = run.eves.map((eve) => share(figures[eve]));
    for (const text of [kind.printed(figures[kind.measure]), ...eves]) {
      row.insertCell().textContent = text;
    }
  }
  at('run').textContent =
    `${run.dataset}, ${run.knowledge} box, seed ${run.seed}, pair ${run.pair.slice(0, 12)}; ` +
    'LiteRT.js on WebAssembly, the bundle\u2019s own float32 files. Nothing leaves this page.';
}

function setSlider(id, value, least, most) {
  const slider = at(id);
  slider.min = Math.min(least, value);
  slider.max = Math.max(most, value);
  slider.value = value;
}
