// Pictures, grey or in colour: drawn or chosen by Alice, seen again by Bob.
import {largestChange} from './check.js';
import {fetched} from './files.js';
import {pictureOf} from './ink.js';
import {Pad} from './pad.js';
import {added, meanSquare} from './power.js';
import {given, nameOf, thingOf} from './words.js';

const at = (id) => document.getElementById(id);

export class Pictures {
  name = 'pictures';
  measure = 'mse';
  looks = ['cleaned'];

  static async open(run) {
    const stored = new Uint8Array(await fetched('pictures.bin', 'arrayBuffer'));
    return Object.assign(new Pictures(), {run, stored});
  }

  get words() {
    const [low, high] = this.run.range.map((end) => Number(end.toFixed(2)));
    return {
      source: 'picture',
      sources: 'pictures',
      thing: thingOf(this.run),
      got: 'Bob sees',
      measure: "Bob's error",
      about: `Bob\u2019s error is the mean square of pixels from ${low} to ${high}.`,
    };
  }

  nameOf = (label) => nameOf(this.run, label);
  markOf = String;
  given = (label) => given(this.run, label);

  source(index) {
    const count = this.run.shape[0] * this.run.shape[1] * this.run.channels;
    return this.#taken(this.stored.subarray(index * count, (index + 1) * count));
  }

  /** What the transmitter takes for 8-bit values. */
  #taken(stored) {
    const [low, high] = this.run.range;
    return Float32Array.from(stored, (value) => low + (high - low) * (value / 255));
  }

  choice(index) {
    const canvas = document.createElement('canvas');
    this.#draw(canvas, this.source(index));
    return {looks: [canvas], name: `${this.given(this.run.labels[index])}, test picture ${index}`};
  }

  begin(page) {
    const draws = this.run.extent !== null;
    for (const needed of document.querySelectorAll('.drawn')) needed.hidden = !draws;
    for (const instead of document.querySelectorAll('.not-drawn')) instead.hidden = draws;
    this.pad = new Pad(at('pad'), draws && ((ink, side) => this.#drawn(page, ink, side)));
    for (let label = 0; label < this.run.classes; label += 1) {
      at('label').append(new Option(this.nameOf(label), label));
    }
    at('label').addEventListener('change', ({target}) => {
      page.name(target.value === '' ? null : Number(target.value));
    });
    at('clear').addEventListener('click', () => {
      this.pad.clear();
      page.clear();
      at('label').value = '';
    });
  }

  /** A drawing is sent while it grows, and not counted. */
  #drawn(page, ink, side) {
    const stored = pictureOf(ink, side, this.run.shape, this.run.extent);
    if (stored === null) return;
    if (page.index !== null) at('label').value = '';
    page.takeOwn(this.#taken(stored));
  }

  showSource({source, label}) {
    const canvas = document.createElement('canvas');
    this.#draw(canvas, source);
    this.pad.show(canvas, `Alice\u2019s picture: ${this.given(label)}`);
    at('label').value = String(label);
    at('named').textContent = this.given(label);
  }

  judge = (picture, {source}) => ({mse: meanSquare(added(picture, source, -1)), picture});
  figureOf = ({mse}) => mse;
  told = ({mse}) => `error ${mse.toFixed(4)}`;
  toldOf = ({mse}, messages) => `mean of ${messages}: ${(mse / messages).toFixed(4)}`;
  printed = (mse) => mse.toFixed(4);

  showBob(box, {bob}) {
    const picture = box.querySelector('.picture');
    this.#draw(picture, bob.picture);
    picture.setAttribute('aria-label', `What Bob receives, error ${bob.mse.toFixed(4)}`);
  }

  proof = ({mse}) => ({mse});
  agreed = (found, expected) =>
    `Bob\u2019s error within ${largestChange(found, expected, 'mse')} of Python\u2019s`;

  /** Paints a picture on a canvas of its own size. */
  #draw(canvas, pixels) {
    const {shape: [height, width], channels, range: [low, high]} = this.run;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const image = new ImageData(width, height);
    const stored = (value) => Math.round((255 * (value - low)) / (high - low));
    for (let place = 0; place < width * height; place += 1) {
      for (let colour = 0; colour < 3; colour += 1) {
        image.data[4 * place + colour] = stored(pixels[place * channels + (colour % channels)]);
      }
      image.data[4 * place + 3] = 255;
    }
    canvas.getContext('2d').putImageData(image, 0, 0);
  }
}
