// What the labels of pictures are called.

const DIGITS = ['mnist', 'digits'];

/** What Eve wants to know of a picture. */
export function thingOf({dataset}) {
  if (DIGITS.includes(dataset)) return 'digit';
  return 'kind';
}

/** What a label is called. */
export function nameOf({names}, label) {
  return names[label] ?? String(label);
}

/** A picture of this label, in a sentence. */
export function given(run, label) {
  const name = nameOf(run, label);
  if (!DIGITS.includes(run.dataset) && /^\d+$/.test(name)) return `label ${name}`;
  return `${/^[aeiou8]/i.test(name) ? 'an' : 'a'} ${name}`;
}
