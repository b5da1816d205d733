// Sentences: token ids chosen by Alice, read word by word by Bob.
import {same} from './check.js';
import {fetched} from './files.js';

const [PAD, END] = [0, 2]; // as arn_keras/data/tokens.py has them
/** TREC's coarse types, in words, and in words that fit under a bar. */
const TYPES = {
  ABBR: ['abbreviation', 'abbr.'],
  DESC: ['description', 'descr.'],
  ENTY: ['entity', 'entity'],
  HUM: ['person', 'person'],
  LOC: ['place', 'place'],
  NUM: ['number', 'number'],
};

const at = (id) => document.getElementById(id);

/** The ids up to the first <end> or padding. */
function wordsOf(ids) {
  const end = ids.findIndex((id) => id === END || id === PAD);
  return end < 0 ? ids : ids.slice(0, end);
}

export class Sentences {
  name = 'sentences';
  measure = 'bleu4';
  looks = ['cleaned'];

  static async open(run) {
    return Object.assign(new Sentences(), {run, ...(await fetched('sentences.json', 'json'))});
  }

  get words() {
    return {
      source: 'sentence',
      sources: 'sentences',
      thing: this.run.dataset === 'trec' ? 'type of question' : 'kind',
      got: 'Bob reads',
      measure: 'BLEU-4',
      about:
        'BLEU-4 is 1 where Bob reads every sentence as it was sent. An underlined word is not the one ' +
        'that was sent; <unk> is any word that the link does not know.',
    };
  }

  nameOf = (label) => TYPES[this.run.names[label]]?.[0] ?? this.run.names[label];
  markOf = (label) => TYPES[this.run.names[label]]?.[1] ?? this.run.names[label];
  given = (label) => `a sentence (${this.nameOf(label)})`;
  source = (index) => Int32Array.from(this.sentences[index]);
  text = (ids) => wordsOf(ids).map((id) => this.vocabulary[id]).join(' ');

  choice(index) {
    const [type, words] = [document.createElement('b'), document.createElement('span')];
    type.textContent = this.nameOf(this.run.labels[index]);
    words.textContent = this.text(this.sentences[index]);
    return {looks: [type, ' ', words]};
  }

  begin() {}

  showSource({index, label}) {
    at('sentence').textContent = this.text(this.sentences[index]);
    at('named').textContent = this.nameOf(label);
  }

  judge(logits, {index}) {
    const [sent, size] = [this.sentences[index], this.vocabulary.length];
    const read = sent.map((_, place) => {
      const scores = logits.subarray(place * size, (place + 1) * size);
      return scores.reduce((best, score, id) => (score > scores[best] ? id : best), 0);
    });
    const [words, found] = [wordsOf(sent), wordsOf(read)];
    const right = words.filter((id, place) => found[place] === id).length;
    return {right, words: words.length, more: Math.max(0, found.length - words.length), read};
  }

  figureOf = ({right, words}) => 1 - right / words;
  told = ({right, words, more}) => `${right} of ${words} words${more ? `, and ${more} more` : ''}`;
  toldOf = ({right, words}, messages) => `in ${messages}: ${right} of ${words} words`;
  printed = (bleu) => bleu.toFixed(3);

  showBob(box, {bob}, {index}) {
    const [sent, read] = [wordsOf(this.sentences[index]), wordsOf(bob.read)];
    const words = [];
    for (let place = 0; place < Math.max(sent.length, read.length); place += 1) {
      const word = place < read.length ? this.vocabulary[read[place]] : '\u2026';
      words.push(sent[place] === read[place] ? word : marked(word, this.vocabulary[sent[place]]), ' ');
    }
    box.querySelector('.read').replaceChildren(...words);
  }

  proof = ({read}) => ({read});
  agreed = (found, expected) => `${same(found, expected, 'read')} words that Bob reads the same`;
}

/** A word that is not the one that was sent: underlined, and said so to those who do not see it. */
function marked(word, sent) {
  const [mark, said] = [document.createElement('mark'), document.createElement('span')];
  said.className = 'unseen';
  said.textContent = sent === undefined ? ' (not sent)' : ` (sent: ${sent})`;
  mark.title = said.textContent.trim();
  mark.append(word, said);
  return mark;
}
