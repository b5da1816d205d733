// The conversation: which message Alice sends now, under which noise and key, and what came of it.
import {freshClock} from './clock.js';
import {freshGain} from './fading.js';
import {freshKeystream, keysOf} from './keys.js';
import {PROTECTIONS, send} from './link.js';
import {gaussianNoise} from './noise.js';
import {Tally} from './tally.js';
import {Card, sentence} from './view.js';

const MORE = 20;
const at = (id) => document.getElementById(id);

/** Everything that changes while the page is open. */
export class Conversation {
  constructor(run, kind, models) {
    Object.assign(this, {run, kind, models});
    // ?seed=1 makes the noise repeatable, never the keys.
    const seed = new URLSearchParams(location.search).get('seed');
    this.noise = gaussianNoise(seed === null ? null : Number(seed));
    this.tally = new Tally(run.eves);
    this.next = 0;
    this.cards = Object.fromEntries(PROTECTIONS.map((name) => [name, new Card(name, run, kind)]));
    at('cards').append(...PROTECTIONS.map((name) => this.cards[name].element));
    kind.begin(this);
  }

  /** Takes a message of the test set as Alice's. */
  take(index) {
    Object.assign(this, {source: this.kind.source(index), index, label: this.run.labels[index]});
    at('again').disabled = false;
    this.kind.showSource(this);
    for (const radio of document.querySelectorAll('#gallery input')) {
      radio.checked = Number(radio.value) === index;
    }
  }

  /** Takes what is none of the test set as Alice's; it is sent at once, and not counted. */
  takeOwn(source) {
    if (this.index !== null) this.#forget();
    this.source = source;
    at('again').disabled = false;
    this.request({fresh: true});
  }

  /** Alice has nothing to send. */
  clear() {
    this.#forget();
    at('again').disabled = true;
  }

  /** Somebody says what Alice's message is. */
  name(label) {
    this.label = label;
    this.show();
  }

  #forget() {
    const chosen = document.querySelector('#gallery :checked');
    if (chosen) chosen.checked = false;
    this.label = this.index = null;
  }

  /** What the air's controls say. */
  air() {
    const [snrDb, eveOffsetDb, psrDb] = ['snr', 'offset', 'psr'].map((id) => at(id).valueAsNumber);
    const channel = this.run.airs[Number(at('channel').value)];
    return {channel, snrDb, eveOffsetDb, gain: 10 ** ((psrDb - this.run.psr_db) / 20)};
  }

  /** Sends soon: `fresh` with new noise and key, else the last message again; `count` it. */
  async request({fresh = false, count = false}) {
    this.due = {fresh: fresh || this.due?.fresh, count: count || this.due?.count};
    if (this.running) return;
    this.#run(true);
    try {
      while (this.due) {
        const due = this.due;
        this.due = null;
        await this.send(due);
      }
    } finally {
      this.#run(false);
    }
  }

  /** Says that messages are under way, or that what is shown is what was asked for. */
  #run(running) {
    this.running = running;
    at('cards').setAttribute('aria-busy', running);
  }

  async send({fresh, count}) {
    const {symbols, clock, key} = this.run;
    if (fresh) {
      this.message = {
        source: this.source,
        index: this.index,
        label: this.label,
        bobNoise: this.noise(symbols),
        eveNoise: this.noise(symbols),
        bobGain: freshGain(this.noise),
        eveGain: freshGain(this.noise),
        eveClock: freshClock(this.noise, clock),
        keys: keysOf(freshKeystream(key), key),
      };
    }
    this.outcome = await send(this, this.message, this.air());
    if (count && this.label !== null) this.tally.add(this.outcome, this.label);
    this.show();
  }

  show() {
    for (const name of PROTECTIONS) {
      this.cards[name].show(this.outcome[name], this.message, this.label, this.tally);
    }
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      at('said').textContent = sentence(this.outcome, this.label, this);
    }, 300);
  }

  /** Sends the next messages of the test set, one after another. */
  async sendMore() {
    if (this.running) return;
    this.#run(true);
    at('more').disabled = at('gallery').disabled = true;
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    for (let sent = 0; sent < MORE; sent += 1) {
      this.take(this.next);
      this.next = (this.next + 1) % this.run.labels.length;
      await this.send({fresh: true, count: true});
      if (!still) await new Promise((resolve) => setTimeout(resolve, 80));
    }
    this.#run(false);
    at('more').disabled = at('gallery').disabled = false;
    at('more').focus();
    if (this.due) this.request({});
  }
}
