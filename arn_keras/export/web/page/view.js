// One protection's card: what is on the air, what Bob gets, what the Eves believe.
import {guess} from './link.js';

const SYMBOLS_SHOWN = 64;
const MOST_NUMBERED = 20;
const WORDS = {
  none: {title: 'No protection', idea: 'The transmitter\u2019s signal goes out as it is.'},
  arn: {
    title: 'Pair of ARNs',
    idea: 'Alice\u2019s module adds a perturbation against Eve, Bob\u2019s removes it.',
  },
  keyed: {
    title: 'Keyed pair',
    idea: 'A one-time key turns the signal, and turns it back at Bob\u2019s.',
  },
};
const CAPTION = {
  none: () => '',
  arn: (psrDb) => `, ${inDb(psrDb)} added`,
  keyed: () => ', turned by the key',
};

/** What an Eve is called: one of several who never adapt has her number. */
export function eveOf(name, all) {
  if (name === 'retrained') return 'Eve, retrained';
  const number = name.split('_')[1] ?? 1;
  return all.length > 2 ? `Eve ${number}, never adapts` : 'Eve, never adapts';
}

/** A level in dB in print. */
export const inDb = (level) => `${String(Number(level.toFixed(1))).replace('-', '\u2212')} dB`;

/** What a protection is called on the page. */
export const titleOf = (name) => WORDS[name].title;

/** A card of the page, filled by `show`. */
export class Card {
  constructor(name, run, kind) {
    Object.assign(this, {name, run, kind});
    this.element = copyOf('card');
    this.element.dataset.protection = name;
    this.element.id = `card-${name}`;
    this.find('h3').textContent = WORDS[name].title;
    this.find('.idea').textContent = WORDS[name].idea;
    this.element.setAttribute('aria-label', WORDS[name].title);
    this.element.style.gridRow = `span ${4 + run.eves.length}`;
    this.find('.bob').prepend(copyOf(`bob-${kind.name}`));
    this.find('.bob .who').textContent = kind.words.got;
    for (const eve of run.eves) this.#prepare(eve, run);
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  #prepare(eve, {eves, classes}) {
    const box = copyOf('eve');
    box.dataset.eve = eve;
    this.element.append(box);
    const same = this.name === 'none' && eve === 'retrained';
    const called = eveOf(eve, eves);
    const first = eves.length > 2 ? 'as Eve 1' : 'the same';
    box.querySelector('.who').textContent = same ? `${called} (${first})` : called;
    box.style.setProperty('--chance', 1 / classes);
    const bars = box.querySelector('.bars');
    for (let label = 0; label < classes; label += 1) {
      const bar = document.createElement('span');
      bar.append(document.createElement('i'), classes > MOST_NUMBERED ? '' : this.kind.markOf(label));
      bar.title = this.kind.nameOf(label);
      bars.append(bar);
    }
    bars.classList.toggle('named', bars.textContent.length > 2 * classes);
  }

  /**
   * Shows one message.
   *
   * @param {object} outcome of this protection, as `link.send` gives it.
   * @param {object} message as `link.send` takes it.
   * @param {number|null} label of the message, null if nobody said.
   * @param {import('./tally.js').Tally} tally
   */
  show(outcome, message, label, tally) {
    drawSignal(this.find('.signal'), outcome, this.name);
    this.kind.showBob(this.find('.bob'), outcome, message);
    const [figure, mean, sums] = [this.find('.figure'), this.find('.mean'), tally.sums[this.name]];
    figure.textContent = this.kind.told(outcome.bob);
    figure.dataset.value = this.kind.figureOf(outcome.bob);
    mean.textContent = tally.messages ? this.kind.toldOf(sums, tally.messages) : '';
    mean.dataset.value = tally.messages ? this.kind.figureOf(sums) : '';
    for (const eve of this.run.eves) this.#showEve(eve, outcome[eve], label, tally);
  }

  #showEve(eve, beliefs, label, tally) {
    const box = this.find(`[data-eve=${eve}]`);
    const guessed = guess(beliefs);
    const sure = `${Math.round(100 * beliefs[guessed])} %`;
    const verdict = label === null ? 'guess' : guessed === label ? 'right' : 'wrong';
    const badge = {guess: '? who knows', right: '\u2713 right', wrong: '\u2717 wrong'}[verdict];
    box.dataset.verdict = verdict;
    box.dataset.guess = guessed;
    box.querySelector('.says').textContent = `says ${this.kind.nameOf(guessed)}, ${sure} sure`;
    box.querySelector('.badge').textContent = badge;
    const bars = box.querySelector('.bars');
    for (const [index, bar] of [...bars.children].entries()) {
      bar.firstChild.style.height = `${100 * beliefs[index]}%`;
      bar.classList.toggle('guessed', index === guessed);
      bar.classList.toggle('true', index === label);
    }
    bars.setAttribute('aria-label', describe(beliefs, this.kind));
    const [right, all] = [tally.counts[this.name][eve], tally.messages];
    box.querySelector('.meter span').style.width = all ? `${(100 * right) / all}%` : '0';
    box.querySelector('.told').textContent = all ? `right in ${right} of ${all}` : 'none counted yet';
    box.dataset.right = right;
    box.dataset.messages = all;
  }
}

const listed = (names) => new Intl.ListFormat('en-GB').format(names);

/** One sentence on a message, for eyes and screen readers. */
export function sentence(outcome, label, {run, kind}) {
  const sent = label === null ? 'Sent your drawing.' : `Sent ${kind.given(label)}.`;
  const parts = Object.keys(WORDS).map((name) => {
    const said = (eve) => kind.nameOf(guess(outcome[name][eve]));
    const frozen = listed(run.eves.filter((eve) => eve !== 'retrained').map(said));
    const eves = name === 'none' ? frozen : `${frozen}, retrained ${said('retrained')}`;
    return `${WORDS[name].title}: ${run.eves.length > 2 ? 'Eves say' : 'Eve says'} ${eves}.`;
  });
  return [sent, ...parts].join(' ');
}

function drawSignal(canvas, {signal, sent, psrDb}, name) {
  const marks = getComputedStyle(canvas).color;
  const own = getComputedStyle(canvas.closest('.card')).borderTopColor;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const sharp = devicePixelRatio || 1;
  canvas.width = width * sharp;
  canvas.height = height * sharp;
  const context = canvas.getContext('2d');
  context.scale(sharp, sharp);
  const shown = Math.min(SYMBOLS_SHOWN, sent.length);
  const [step, middle, scale] = [width / shown, height / 2, height / 7];
  for (let at = 0; at < shown; at += 1) {
    context.fillStyle = own;
    const tall = Math.max(-middle, Math.min(middle, sent[at] * scale));
    context.fillRect(at * step + step * 0.15, middle - Math.max(tall, 0), step * 0.7, Math.abs(tall));
    if (name === 'none') continue;
    context.fillStyle = marks;
    context.fillRect(at * step, middle - signal[at] * scale - 0.75, step, 1.5);
  }
  const caption = canvas.parentElement.querySelector('figcaption');
  caption.textContent = `On the air${CAPTION[name](psrDb)}`;
  canvas.setAttribute('aria-label', `The first ${shown} of ${sent.length} symbols on the air`);
  canvas.dataset.psr = psrDb ?? '';
}

function describe(beliefs, kind) {
  const order = [...beliefs.keys()].sort((a, b) => beliefs[b] - beliefs[a]).slice(0, 3);
  return order.map((label) => `${kind.nameOf(label)}: ${Math.round(100 * beliefs[label])} %`).join(', ');
}

/** A copy of a template's content, of one element. */
export function copyOf(template) {
  return document.getElementById(template).content.cloneNode(true).firstElementChild;
}
