// The pad to draw on, with a mouse, a pen or a finger.

const SIDE = 280;
const EMPTY = 'Pad: draw here with mouse, pen or finger, or choose a picture below';

/** A canvas that is drawn on; tells its ink after each stroke and while one goes on. */
export class Pad {
  /**
   * @param {HTMLCanvasElement} canvas square.
   * @param {((ink: Uint8ClampedArray, side: number) => void)|false} changed false for a canvas that
   *   only shows, where nobody can draw a picture of the kind
   */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    canvas.width = canvas.height = SIDE;
    this.context = canvas.getContext('2d', {willReadFrequently: true});
    this.clear();
    canvas.classList.toggle('to-draw', Boolean(changed));
    if (!changed) return;
    canvas.addEventListener('pointerdown', (event) => this.#begin(event));
    canvas.addEventListener('pointermove', (event) => this.#go(event));
    for (const end of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(end, () => this.#end());
    }
    // A stroke is no gesture of the browser's. After a quick one, which it takes for a fling, it
    // would swallow the next tap anywhere, `touch-action: none` or not.
    canvas.addEventListener('touchstart', (event) => event.preventDefault(), {passive: false});
  }

  clear() {
    this.canvas.setAttribute('aria-label', this.changed ? EMPTY : 'No picture');
    this.context.fillStyle = '#000';
    this.context.fillRect(0, 0, SIDE, SIDE);
    this.drawn = false;
  }

  /** Shows a picture of the data set, described so, in place of a drawing. */
  show(image, description) {
    this.clear();
    this.canvas.setAttribute('aria-label', description);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(image, 0, 0, SIDE, SIDE);
  }

  #begin(event) {
    if (event.button !== 0 || !event.isPrimary) return; // a second finger draws nothing
    event.preventDefault();
    if (!this.drawn) this.clear();
    this.drawn = true;
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.#place(event);
    this.#line(this.last);
  }

  #go(event) {
    if (!this.last || !event.isPrimary) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const each of moves.length ? moves : [event]) this.#line(this.#place(each));
    this.#tell();
  }

  #end() {
    if (!this.last) return;
    this.last = null;
    this.#tell();
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * SIDE,
      ((event.clientY - box.top) / box.height) * SIDE,
    ];
  }

  #line(to) {
    this.context.strokeStyle = '#fff';
    this.context.lineWidth = SIDE / 12;
    this.context.lineCap = this.context.lineJoin = 'round';
    this.context.beginPath();
    this.context.moveTo(...this.last);
    this.context.lineTo(...to);
    this.context.stroke();
    this.last = to;
  }

  #tell() {
    const rgba = this.context.getImageData(0, 0, SIDE, SIDE).data;
    const ink = new Uint8ClampedArray(SIDE * SIDE);
    for (let at = 0; at < ink.length; at += 1) ink[at] = rgba[4 * at];
    this.changed(ink, SIDE);
  }
}
