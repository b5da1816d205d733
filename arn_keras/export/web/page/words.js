// What the labels of the data sets that people know are called.

const CLASSES = {
  cifar10: 'airplane automobile bird cat deer dog frog horse ship truck',
  fashion_mnist: 'T-shirt trouser pullover dress coat sandal shirt sneaker bag boot',
};
const DIGITS = ['mnist', 'digits'];

/** What Eve wants to know of a picture. */
export function thingOf({dataset}) {
  if (DIGITS.includes(dataset)) return 'digit';
  return 'kind';
}

/** What a label is called. */
export function nameOf({dataset}, label) {
  return CLASSES[dataset]?.split(' ')[label] ?? String(label);
}

/** A picture of this label, in a sentence. */
export function given(run, label) {
  const name = nameOf(run, label);
  if (!DIGITS.includes(run.dataset) && !(run.dataset in CLASSES)) return `label ${name}`;
  return `${/^[aeiou8]/.test(name) ? 'an' : 'a'} ${name}`;
}
