// What the page says of the run that it was made from: ranges of the sliders, and Python's figures.
import {eveOf, inDb, titleOf} from './view.js';
import {thingOf} from './words.js';

const at = (id) => document.getElementById(id);
const share = (accuracy) => `${(100 * accuracy).toFixed(1)} %`;

/** Fills in all that follows from `page.json`. */
export function showRun(run) {
  for (const thing of document.querySelectorAll('.thing')) thing.textContent = thingOf(run);
  for (const needed of document.querySelectorAll('.drawn')) needed.hidden = run.extent === null;
  for (const instead of document.querySelectorAll('.not-drawn')) instead.hidden = run.extent !== null;
  const [low, high] = run.range;
  at('pixels').textContent = `${Number(low.toFixed(2))} to ${Number(high.toFixed(2))}`;
  const heads = document.querySelector('thead tr');
  heads.closest('table').classList.toggle('many', run.eves.length > 2);
  for (const eve of run.eves) {
    const head = document.createElement('th');
    head.scope = 'col';
    head.textContent = eveOf(eve, run.eves).replace(', never adapts', '');
    heads.append(head);
  }
  setSlider('snr', run.snr_db, -5, 25);
  setSlider('psr', run.psr_db, -30, 0);
  at('snr-hint').textContent =
    `Trained at ${inDb(run.snr_db)}. The noise is drawn in this page, the same for all three.`;
  const measured = run.measured_psr_db === null ? 'none' : inDb(run.measured_psr_db);
  at('psr-hint').textContent =
    `The pair was trained to a budget of ${inDb(run.psr_db)} (measured: ${measured}). Elsewhere its ` +
    'perturbation is scaled, z = y + g\u03b4, and Bob\u2019s module, which learnt to remove the trained one, ' +
    'fits less.';
  at('measured-caption').textContent =
    `Measured in Python on all ${run.sources.toLocaleString('en')} test pictures at ${inDb(run.snr_db)}; ` +
    `guessing gives ${share(1 / run.classes)}`;
  for (const [name, figures] of Object.entries(run.measured)) {
    const row = at('measured').insertRow();
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = titleOf(name);
    row.append(head);
    for (const text of [figures.mse.toFixed(4), ...run.eves.map((eve) => share(figures[eve]))]) {
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
