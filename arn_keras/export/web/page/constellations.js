// Frames of a modem's symbols: what is sent, what arrives, and what Bob's module makes of it.
import {largestChange, same} from './check.js';
import {fetched} from './files.js';

const EDGE = 2; // of a plot, where the points have mean energy 1

const at = (id) => document.getElementById(id);

export class Constellations {
  name = 'constellations';
  measure = 'ser';
  looks = ['sent', 'received', 'cleaned'];

  static async open(run) {
    return Object.assign(new Constellations(), {run, ...(await fetched('frames.json', 'json'))});
  }

  words = {
    source: 'frame',
    sources: 'frames',
    thing: 'modulation',
    got: 'Bob decides',
    measure: 'Symbol errors',
    about:
      'A dot is a symbol after the matched filter, a cross one that Bob decides wrongly; he knows ' +
      'the modulation, and the frame\u2019s phase, timing and gain.',
  };

  nameOf = (label) => this.run.names[label].toUpperCase();
  markOf = (label) => this.nameOf(label);
  given = (label) => `a frame of ${this.nameOf(label)}`;
  source = (index) => Float32Array.from(this.frames[index]);

  choice(index) {
    const [canvas, name] = [document.createElement('canvas'), document.createElement('span')];
    const label = this.run.labels[index];
    plot(canvas, this.points[label], [], {side: 40});
    name.textContent = this.nameOf(label);
    return {looks: [canvas, name], name: `${this.nameOf(label)}, test frame ${index}`};
  }

  begin() {}

  showSource({index, label}) {
    const canvas = at('frame');
    const sent = this.symbols[index].map((symbol) => this.points[label][symbol]);
    plot(canvas, this.points[label], sent);
    canvas.setAttribute('aria-label', `The ${sent.length} symbols of ${this.given(label)}`);
    at('named').textContent = this.nameOf(label);
    at('length').textContent = sent.length;
  }

  /** Bob's symbols, scaled back by the gain that he is told: [[I, Q], ...]. */
  #symbols(estimate, index) {
    const count = this.symbols[index].length;
    const each = estimate.length / count; // samples of a symbol, I and Q; he takes the first
    const gain = this.gains[index] * Math.sqrt(each / 2);
    return this.symbols[index].map((_, symbol) =>
      [0, 1].map((part) => estimate[symbol * each + part] / gain),
    );
  }

  judge(estimate, {index, label}) {
    const [points, sent] = [this.points[label], this.symbols[index]];
    const found = this.#symbols(estimate, index);
    const distance = ([i, q], [a, b]) => (i - a) ** 2 + (q - b) ** 2;
    const wrong = found.map((symbol, place) => {
      const distances = points.map((point) => distance(symbol, point));
      return distances.indexOf(Math.min(...distances)) !== sent[place];
    });
    const squares = found.map((symbol, place) => distance(symbol, points[sent[place]]));
    const mean = squares.reduce((sum, square) => sum + square, 0) / sent.length;
    const errors = wrong.filter(Boolean).length;
    return {errors, symbols: sent.length, symbol_mse: mean, wrong};
  }

  figureOf = ({errors, symbols}) => errors / symbols;
  told = ({errors, symbols}) => `${errors || 'no'} of ${symbols} symbols wrong`;
  toldOf = ({errors, symbols}, messages) => `in ${messages}: ${errors} of ${symbols} wrong`;
  printed = (rate) => `${(100 * rate).toFixed(2)} %`;

  showBob(box, {estimates, bob}, {index, label}) {
    for (const look of this.looks) {
      const wrong = look === 'cleaned' ? bob.wrong : [];
      plot(box.querySelector(`.${look}`), this.points[label], this.#symbols(estimates[look], index), {wrong});
    }
  }

  proof = ({symbol_mse, errors}) => ({symbol_mse, errors});
  agreed = (found, expected) =>
    `Bob\u2019s squared error within ${largestChange(found, expected, 'symbol_mse')} of Python\u2019s, ` +
    `his errors the same in ${same(found, expected, 'errors')}`;
}

/** Draws the points of a modulation, and symbols; those decided wrongly as crosses. */
function plot(canvas, points, symbols, {wrong = [], side = 0} = {}) {
  const pixels = (side || canvas.clientWidth || 120) * (devicePixelRatio || 1);
  canvas.width = canvas.height = pixels;
  const context = canvas.getContext('2d');
  const style = getComputedStyle(document.documentElement);
  const place = (value, turn) => pixels / 2 + (turn * Math.max(-EDGE, Math.min(EDGE, value)) * pixels) / (2.1 * EDGE);
  const unit = pixels / 60;
  context.lineWidth = unit * 0.8;
  context.strokeStyle = style.getPropertyValue('--soft');
  for (const [i, q] of points) {
    context.beginPath();
    context.arc(place(i, 1), place(q, -1), unit * 1.6, 0, 2 * Math.PI);
    context.stroke();
  }
  symbols.forEach(([i, q], symbol) => {
    const [x, y, arm] = [place(i, 1), place(q, -1), unit * 1.8];
    context.fillStyle = style.getPropertyValue('--blue');
    context.strokeStyle = style.getPropertyValue('--vermilion');
    context.beginPath();
    if (wrong[symbol]) {
      context.moveTo(x - arm, y - arm);
      context.lineTo(x + arm, y + arm);
      context.moveTo(x - arm, y + arm);
      context.lineTo(x + arm, y - arm);
      context.stroke();
    } else {
      context.arc(x, y, unit * 1.1, 0, 2 * Math.PI);
      context.fill();
    }
  });
}
