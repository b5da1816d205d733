// White Gaussian noise that can be repeated: Marsaglia's xorshift of 128 bits (2003), Box-Muller.

/** Four words of state from one number; another number, another noise. */
function stateFrom(seed) {
  return Uint32Array.from([1, 2, 3, 4], (word) => {
    let hashed = (Math.imul(seed, 4) + word) >>> 0;
    for (const [shift, factor] of [[16, 0x85ebca6b], [13, 0xc2b2ae35], [16, 1]]) {
      hashed = Math.imul(hashed ^ (hashed >>> shift), factor) >>> 0;
    }
    return hashed;
  });
}

/**
 * A source of noise.
 *
 * @param {number|null} seed whole number for noise that can be repeated, or null.
 * @returns {(symbols: number) => Float32Array} noise of variance 1 per real symbol.
 */
export function gaussianNoise(seed) {
  const state = seed === null ? crypto.getRandomValues(new Uint32Array(4)) : stateFrom(seed);
  const uniform = () => {
    let word = state[0] ^ (state[0] << 11);
    word ^= word >>> 8;
    state.copyWithin(0, 1);
    state[3] ^= (state[3] >>> 19) ^ word;
    return (state[3] + 0.5) / 2 ** 32;
  };
  return (symbols) => {
    const noise = new Float32Array(symbols);
    for (let at = 0; at < symbols; at += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniform()));
      const angle = 2 * Math.PI * uniform();
      noise[at] = radius * Math.cos(angle);
      if (at + 1 < symbols) noise[at + 1] = radius * Math.sin(angle);
    }
    return noise;
  };
}
