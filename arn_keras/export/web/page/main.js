// The page: loads what it runs on, then listens to pictures, sliders and buttons.
import {repeatCheck} from './check.js';
import {Conversation} from './conversation.js';
import {PROTECTIONS} from './link.js';
import {loadModels} from './models.js';
import {showRun} from './run.js';
import {drawPicture, inDb, titleOf} from './view.js';
import {given, nameOf} from './words.js';

const at = (id) => document.getElementById(id);

async function fetched(name, as) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response[as]();
}

const rounded = (value) => Number(value.toPrecision(1)).toString();

/** Repeats Python's messages and says how far apart the figures are. */
async function check(page) {
  at('checked').textContent = 'checking \u2026';
  const python = await fetched('check.json', 'json');
  const result = await repeatCheck(page.models, python, (n) => page.pixels(n), page.run);
  at('checked').dataset.found = JSON.stringify(result.found);
  at('checked').textContent =
    `${result.messages} messages: Bob\u2019s error within ${rounded(100 * result.mseDifference)} % of ` +
    `Python\u2019s, Eve\u2019s probabilities within ${rounded(100 * result.beliefDifference)} %, ` +
    `${result.guesses - result.otherGuesses} of ${result.guesses} guesses the same.`;
}

function fillGallery(page) {
  for (const index of page.run.shown) {
    const [label, radio] = [document.createElement('label'), document.createElement('input')];
    Object.assign(radio, {type: 'radio', name: 'picture', value: index});
    radio.setAttribute('aria-label', `${given(page.run, page.run.labels[index])}, test picture ${index}`);
    const canvas = document.createElement('canvas');
    drawPicture(canvas, page.pixels(index), page.run);
    label.append(radio, canvas);
    at('gallery').append(label);
    radio.addEventListener('change', () => {
      page.take(index);
      page.request({fresh: true, count: true});
    });
  }
  for (let label = 0; label < page.run.classes; label += 1) {
    at('label').append(new Option(nameOf(page.run, label), label));
  }
}

function fillTabs(page) {
  const choose = (name) => (at('cards').dataset.chosen = name);
  for (const name of PROTECTIONS) {
    const [label, radio] = [document.createElement('label'), document.createElement('input')];
    Object.assign(radio, {type: 'radio', name: 'protection', value: name});
    radio.checked = name === 'arn';
    radio.addEventListener('change', () => {
      choose(name);
      page.show(); // a card that was not seen had no width to draw on
    });
    label.dataset.protection = name;
    label.append(radio, titleOf(name));
    at('tabs').append(label);
  }
  choose('arn');
}

function listen(page) {
  for (const name of ['snr', 'psr']) {
    const tell = () => (at(`${name}-value`).value = inDb(at(name).valueAsNumber));
    tell();
    at(name).addEventListener('input', () => {
      tell();
      page.tally.clear();
      page.request({});
    });
  }
  at('again').addEventListener('click', () => page.request({fresh: true, count: true}));
  at('more').addEventListener('click', () => page.sendMore());
  at('clear').addEventListener('click', () => page.clear());
  at('check').addEventListener('click', () => check(page));
  at('label').addEventListener('change', ({target}) => {
    page.label = target.value === '' ? null : Number(target.value);
    page.show();
  });
  addEventListener('resize', () => page.show());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => page.show());
}

async function start() {
  const run = await fetched('page.json', 'json');
  showRun(run);
  const pictures = new Uint8Array(await fetched('pictures.bin', 'arrayBuffer'));
  const models = await loadModels(run.models, (done, all) => (at('progress').value = done / all));
  const page = new Conversation(run, pictures, models);
  fillGallery(page);
  fillTabs(page);
  listen(page);
  at('loading').hidden = true;
  document.querySelector('main').hidden = false;
  page.take(run.shown[0]);
  await page.request({fresh: true, count: true});
  document.body.dataset.ready = '';
}

addEventListener('unhandledrejection', ({reason}) => {
  at('loading').hidden = true;
  at('trouble').textContent = `Something failed: ${reason.message ?? reason}`;
  at('trouble').hidden = false;
});

start();
