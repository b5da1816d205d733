// How often each Eve was right of the messages whose digit is known, and Bob's mean error.
import {guess, PROTECTIONS} from './link.js';

/** Counts of the messages sent since the last change of the air. */
export class Tally {
  constructor() {
    this.clear();
  }

  clear() {
    this.messages = 0;
    this.counts = Object.fromEntries(
      PROTECTIONS.map((name) => [name, {frozen: 0, retrained: 0, mse: 0}]),
    );
  }

  /** Counts one message: what `link.send` gave, and its label. */
  add(outcome, label) {
    this.messages += 1;
    for (const name of PROTECTIONS) {
      const count = this.counts[name];
      count.mse += outcome[name].mse;
      for (const eve of ['frozen', 'retrained']) {
        count[eve] += guess(outcome[name][eve]) === label ? 1 : 0;
      }
    }
  }

  /** Bob's mean squared error over the messages, or null before the first. */
  meanError(name) {
    return this.messages ? this.counts[name].mse / this.messages : null;
  }
}
