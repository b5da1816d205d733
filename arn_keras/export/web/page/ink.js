// From a drawing to a picture like those that the link was trained on.

/**
 * Scales ink to the size that the data set's pictures have, centred by its mass, by averaging areas.
 *
 * @param {Uint8ClampedArray} ink one value a pixel, side by side, `side` times `side`.
 * @param {number} side pixels of the drawing's side.
 * @param {number[]} shape height and width of the picture.
 * @param {number} extent share of the picture's side that the ink's longer side takes.
 * @returns {Uint8Array|null} pixels as a test picture's are stored, or null if there is no ink.
 */
export function pictureOf(ink, side, [height, width], extent) {
  const frame = frameOf(ink, side);
  if (frame === null) return null;
  const longer = Math.max(frame.right - frame.left, frame.bottom - frame.top);
  const step = Math.max(longer / (extent * Math.min(height, width)), side / 200);
  const {x, y} = massOf(ink, side, frame);
  // A centre of mass that would push ink over the edge gives way.
  const left = within(x - (width * step) / 2, frame.right - width * step, frame.left);
  const top = within(y - (height * step) / 2, frame.bottom - height * step, frame.top);
  const pixels = new Uint8Array(height * width);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const value = areaMean(ink, side, left + column * step, top + row * step, step);
      pixels[row * width + column] = Math.round(value);
    }
  }
  return pixels;
}

const within = (value, least, most) => Math.max(least, Math.min(most, value));

function frameOf(ink, side) {
  let [left, top, right, bottom] = [side, side, 0, 0];
  for (let at = 0; at < ink.length; at += 1) {
    if (ink[at] < 128) continue;
    const [x, y] = [at % side, Math.floor(at / side)];
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
  }
  return right ? {left, top, right, bottom} : null;
}

function massOf(ink, side, {left, top, right, bottom}) {
  let [mass, x, y] = [0, 0, 0];
  for (let row = top; row < bottom; row += 1) {
    for (let column = left; column < right; column += 1) {
      const value = ink[row * side + column];
      mass += value;
      x += value * (column + 0.5);
      y += value * (row + 0.5);
    }
  }
  return {x: x / mass, y: y / mass};
}

function areaMean(ink, side, left, top, step) {
  let sum = 0;
  const [firstRow, lastRow] = [Math.floor(top), Math.ceil(top + step)];
  const [firstColumn, lastColumn] = [Math.floor(left), Math.ceil(left + step)];
  for (let row = Math.max(0, firstRow); row < Math.min(side, lastRow); row += 1) {
    const high = Math.min(row + 1, top + step) - Math.max(row, top);
    for (let column = Math.max(0, firstColumn); column < Math.min(side, lastColumn); column += 1) {
      const wide = Math.min(column + 1, left + step) - Math.max(column, left);
      sum += ink[row * side + column] * high * wide;
    }
  }
  return sum / (step * step);
}
