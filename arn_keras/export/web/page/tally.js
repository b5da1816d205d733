// How often each Eve was right of the messages whose label is known, and what Bob made of them.
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
    const none = () => Object.fromEntries(this.eves.map((name) => [name, 0]));
    this.counts = Object.fromEntries(PROTECTIONS.map((name) => [name, none()]));
    this.sums = Object.fromEntries(PROTECTIONS.map((name) => [name, {}]));
  }

  /** Counts one message: what `link.send` gave, and its label. */
  add(outcome, label) {
    this.messages += 1;
    for (const name of PROTECTIONS) {
      const sums = this.sums[name];
      for (const [field, value] of Object.entries(outcome[name].bob)) {
        if (typeof value === 'number') sums[field] = (sums[field] ?? 0) + value;
      }
      for (const eve of this.eves) {
        this.counts[name][eve] += guess(outcome[name][eve]) === label ? 1 : 0;
      }
    }
  }
}
