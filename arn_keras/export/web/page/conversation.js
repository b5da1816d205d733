// The conversation: which picture Alice sends now, under which noise and key, and what came of it.
import {pictureOf} from './ink.js';
import {freshKeystream, keysOf} from './keys.js';
import {PROTECTIONS, send} from './link.js';
import {gaussianNoise} from './noise.js';
import {Pad} from './pad.js';
import {Tally} from './tally.js';
import {Card, drawPicture, sentence} from './view.js';
import {given} from './words.js';

const MORE = 20;
const at = (id) => document.getElementById(id);

/** Everything that changes while the page is open. */
export class Conversation {
  constructor(run, pictures, models) {
    Object.assign(this, {run, pictures, models});
    // ?seed=1 makes the noise repeatable, never the keys.
    const seed = new URLSearchParams(location.search).get('seed');
    this.noise = gaussianNoise(seed === null ? null : Number(seed));
    this.tally = new Tally(run.eves);
    this.next = 0;
    this.pad = new Pad(at('pad'), run.extent !== null && ((ink, side) => this.draw(ink, side)));
    this.cards = Object.fromEntries(PROTECTIONS.map((name) => [name, new Card(name, run)]));
    at('cards').append(...PROTECTIONS.map((name) => this.cards[name].element));
  }

  /** The test picture of this number, as the transmitter takes it. */
  pixels(index) {
    const count = this.run.shape[0] * this.run.shape[1] * this.run.channels;
    return this.taken(this.pictures.subarray(index * count, (index + 1) * count));
  }

  /** What the transmitter takes for 8-bit values. */
  taken(stored) {
    const [low, high] = this.run.range;
    return Float32Array.from(stored, (value) => low + (high - low) * (value / 255));
  }

  /** Takes a picture of the test set as Alice's. */
  take(index) {
    const source = this.pixels(index);
    Object.assign(this, {source, label: this.run.labels[index], drawing: false});
    at('again').disabled = false;
    const canvas = document.createElement('canvas');
    drawPicture(canvas, this.source, this.run);
    this.pad.show(canvas, `Alice\u2019s picture: ${given(this.run, this.label)}`);
    at('label').value = String(this.label);
    at('named').textContent = given(this.run, this.label);
    for (const radio of document.querySelectorAll('#gallery input')) {
      radio.checked = Number(radio.value) === index;
    }
  }

  /** Takes a drawing as Alice's; it is sent while it grows, and not counted. */
  draw(ink, side) {
    const stored = pictureOf(ink, side, this.run.shape, this.run.extent);
    if (stored === null) return;
    if (!this.drawing) this.forget();
    this.drawing = true;
    this.source = this.taken(stored);
    at('again').disabled = false;
    this.request({fresh: true});
  }

  /** Empties the pad. */
  clear() {
    this.pad.clear();
    this.forget();
    at('again').disabled = true;
  }

  /** Nobody knows any more what it is. */
  forget() {
    const chosen = document.querySelector('#gallery :checked');
    if (chosen) chosen.checked = false;
    this.label = null;
    at('label').value = '';
  }

  /** What the sliders say. */
  air() {
    const [snrDb, psrDb] = [at('snr').valueAsNumber, at('psr').valueAsNumber];
    return {snrDb, gain: 10 ** ((psrDb - this.run.psr_db) / 20)};
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
    const symbols = this.run.symbols;
    if (fresh) {
      this.message = {
        pixels: this.source,
        bobNoise: this.noise(symbols),
        eveNoise: this.noise(symbols),
        keys: keysOf(freshKeystream(this.run), this.run),
      };
    }
    this.outcome = await send(this.models, this.message, this.air(), this.run.eves);
    if (count && this.label !== null) this.tally.add(this.outcome, this.label);
    this.show();
  }

  show() {
    for (const name of PROTECTIONS) {
      this.cards[name].show(this.outcome[name], this.label, this.tally);
    }
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      at('said').textContent = sentence(this.outcome, this.label, this.run);
    }, 300);
  }

  /** Sends the next pictures of the test set, one after another. */
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
