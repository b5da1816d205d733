// How often each Eve was right of the messages whose label is known, and Bob's mean error.
import {guess, PROTECTIONS} from './link.js';

/** Counts of the messages sent since the last change of the air. */
export class Tally {
  /** @param {string[]} eves names of who listens. */
  constructor(eves) {
    this.eves = eves;
    this.clear();
  }

  clear() {
    this.messages = 0;
    const none = () => Object.fromEntries(['mse', ...this.eves].map((name) => [name, 0]));
    this.counts = Object.fromEntries(PROTECTIONS.map((name) => [name, none()]));
  }

  /** Counts one message: what `link.send` gave, and its label. */
  add(outcome, label) {
    this.messages += 1;
    for (const name of PROTECTIONS) {
      const count = this.counts[name];
      count.mse += outcome[name].mse;
      for (const eve of this.eves) {
        count[eve] += guess(outcome[name][eve]) === label ? 1 : 0;
      }
    }
  }

  /** Bob's mean squared error over the messages, or null before the first. */
  meanError(name) {
    return this.messages ? this.counts[name].mse / this.messages : null;
  }
}
