// The clock of a listener who has not Alice's, as arn_keras/channel/unsynchronised.py defines it.

/**
 * A phase, uniform over the circle, and a delay, uniform over the samples of a symbol.
 *
 * @param {(count: number) => Float32Array} noise of `gaussianNoise`.
 * @param {number|null} samples of a symbol; null for a listener who has Alice's clock.
 * @returns {number[]|null} [phase in radians, delay in samples].
 */
export function freshClock(noise, samples) {
  if (samples === null) return null;
  const [i, q, a, b] = noise(4);
  const uniform = Math.exp(-(a * a + b * b) / 2); // Box and Muller's transform backwards
  return [Math.atan2(q, i), Math.floor(samples * uniform) % samples];
}

/** Samples I, Q, I, Q, ... turned and delayed, a frame being one period: e^(j phase) z(t - delay). */
export function moved(sent, clock) {
  if (clock === null) return sent;
  const [phase, delay] = clock;
  const [cosine, sine] = [Math.cos(phase), Math.sin(phase)];
  const heard = new Float32Array(sent.length);
  for (let from = 0; from < sent.length; from += 2) {
    const to = (from + 2 * delay) % sent.length;
    heard[to] = sent[from] * cosine - sent[from + 1] * sine;
    heard[to + 1] = sent[from] * sine + sent[from + 1] * cosine;
  }
  return heard;
}
