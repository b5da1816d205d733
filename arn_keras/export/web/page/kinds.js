// The kinds of message that a page can be about, by the name that page.json has for them.
import {Constellations} from './constellations.js';
import {Pictures} from './pictures.js';
import {Sentences} from './sentences.js';

/**
 * Each is made of a run by `open(run)`, and answers:
 *
 * `words`, what things are called: `source`, `sources`, `thing` (what Eve wants to know), `got` (of
 *   Bob's), `measure` and `about` (his figure);
 * `nameOf(label)`, `markOf(label)` (in a narrow place), `given(label)` (a message of this label);
 * `source(index)`, what the transmitter takes for a test message; `choice(index)`, what it looks
 *   like in the list, and its name where that is not what is written there;
 * `begin(page)`, once, and `showSource(message)`: Alice's panel;
 * `looks`, of which of the signals `sent`, `received`, `cleaned` Bob's receiver is asked;
 * `judge(estimate, message)`, what he makes of it: numbers that can be summed over messages, and more;
 * `figureOf(sums)`, one number of these; `told(bob)` and `toldOf(sums, messages)`, in words;
 *   `printed(value)`, as the table has it; `measure`, the name of that value;
 * `showBob(box, outcome, message)`, drawn into a copy of the template `bob-<name>`;
 * `proof(bob)`, the figures that Python has of a message, and `agreed(found, expected)`, in words.
 */
export const KINDS = {pictures: Pictures, sentences: Sentences, constellations: Constellations};
