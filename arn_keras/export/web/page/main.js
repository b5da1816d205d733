// The page: loads what it runs on, then listens to messages, sliders and buttons.
import {repeatCheck} from './check.js';
import {Conversation} from './conversation.js';
import {fetched} from './files.js';
import {KINDS} from './kinds.js';
import {PROTECTIONS} from './link.js';
import {loadModels} from './models.js';
import {channelHint, showRun} from './run.js';
import {inDb, titleOf} from './view.js';

const at = (id) => document.getElementById(id);

/** Repeats Python's messages and says how far apart the figures are. */
async function check(page) {
  at('checked').textContent = 'checking \u2026';
  const {found, told} = await repeatCheck(page, await fetched('check.json', 'json'));
  at('checked').dataset.found = JSON.stringify(found);
  at('checked').textContent = told;
}

function fillGallery(page) {
  for (const index of page.run.shown) {
    const [label, radio] = [document.createElement('label'), document.createElement('input')];
    const {looks, name} = page.kind.choice(index);
    Object.assign(radio, {type: 'radio', name: page.kind.words.source, value: index});
    if (name) radio.setAttribute('aria-label', name);
    label.append(radio, ...looks);
    at('gallery').append(label);
    radio.addEventListener('change', () => {
      page.take(index);
      page.request({fresh: true, count: true});
    });
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

/** What each slider's level is called. */
const LEVELS = {
  snr: inDb,
  offset: (level) =>
    level ? `${inDb(Math.abs(level))} ${level > 0 ? 'better' : 'worse'}` : 'as well as Bob',
  psr: inDb,
};

function listen(page) {
  const other = () => {
    page.tally.clear();
    page.request({});
  };
  for (const [name, called] of Object.entries(LEVELS)) {
    const tell = () => (at(`${name}-value`).value = called(at(name).valueAsNumber));
    tell();
    at(name).addEventListener('input', () => {
      tell();
      other();
    });
  }
  at('channel').addEventListener('change', () => {
    at('channel-hint').textContent = channelHint(page.run);
    other();
  });
  at('again').addEventListener('click', () => page.request({fresh: true, count: true}));
  at('more').addEventListener('click', () => page.sendMore());
  at('check').addEventListener('click', () => check(page));
  const again = () => {
    if (page.index !== null) page.kind.showSource(page);
    page.show();
  };
  addEventListener('resize', again);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const radio of document.querySelectorAll('#gallery input')) {
      radio.parentElement.replaceChildren(radio, ...page.kind.choice(Number(radio.value)).looks);
    }
    again();
  });
}

async function start() {
  const run = await fetched('page.json', 'json');
  const kind = await KINDS[run.kind].open(run);
  showRun(run, kind);
  const models = await loadModels(run.models, (done, all) => (at('progress').value = done / all));
  at('loading').hidden = true;
  document.querySelector('main').hidden = false; // what is drawn needs its width
  const page = new Conversation(run, kind, models);
  fillGallery(page);
  fillTabs(page);
  listen(page);
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
