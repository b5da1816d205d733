// Uses the page as a person does, in headless Chromium, and prints what it saw as JSON.
//   node tests/page.mjs CHROMIUM ADDRESS EMPTY_DIRECTORY [colour | PAGE ...]
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {argv} from 'node:process';
import {freshClock} from '../export/web/page/clock.js';
import {freshGain} from '../export/web/page/fading.js';
import {pictureOf} from '../export/web/page/ink.js';
import {keysOf} from '../export/web/page/keys.js';
import {gaussianNoise} from '../export/web/page/noise.js';

const packages = createRequire(new URL('../export/web/package.json', import.meta.url));
const {chromium} = packages('playwright-core');
const axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
const [executablePath, address, directory, ...asked] = argv.slice(2);
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const seen = {errors: [], hosts: new Set(), violations: {}, rules: {}};

/** A browser of its own. */
async function launch(profile, options) {
  const browser = await chromium.launchPersistentContext(join(directory, profile), {
    executablePath,
    args,
    reducedMotion: 'reduce',
    ...options,
  });
  // What the page draws from the cryptographic generator, to see that no key comes twice.
  await browser.addInitScript(() => {
    globalThis.drawn = [];
    const real = crypto.getRandomValues.bind(crypto);
    crypto.getRandomValues = (array) => {
      const values = real(array);
      if (values instanceof Uint8Array) {
        globalThis.drawn.push(`${values.length}: ${values.slice(0, 16).join()}`);
      }
      return values;
    };
  });
  return browser;
}

/** A page in a browser, once it is ready. */
async function visit(browser, place) {
  const page = await browser.newPage();
  page.on('console', (line) => line.type() === 'error' && seen.errors.push(line.text()));
  page.on('pageerror', (error) => seen.errors.push(error.message));
  page.on('requestfailed', (request) => seen.errors.push(`failed: ${request.url()}`));
  page.on('request', (request) => seen.hosts.add(new URL(request.url()).host));
  await page.goto(`${place}?seed=1`);
  await page.waitForSelector('body[data-ready]');
  return page;
}

async function open(profile, options) {
  const browser = await launch(profile, options);
  return {browser, page: await visit(browser, address)};
}

/** What the cards show. */
const cards = (page) =>
  page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('.card')].map((card) => {
        const eves = [...card.querySelectorAll('.eve')].map(({dataset}) => [dataset.eve, {...dataset}]);
        const error = Number(card.querySelector('.figure').dataset.value);
        const mean = Number(card.querySelector('.mean').dataset.value);
        const psr = Number(card.querySelector('.signal').dataset.psr);
        return [card.dataset.protection, {error, mean, psr, ...Object.fromEntries(eves)}];
      }),
    ),
  );

/** Waits until what is shown is what was asked for last. */
const idle = (page) => page.waitForSelector('#cards[aria-busy=false]');

/** The cards after the page has sent twenty more, by the keyboard. */
async function more(page) {
  await page.focus('#more');
  await page.keyboard.press('Enter');
  await idle(page);
  return cards(page);
}

/** Moves a slider by the keyboard; the cards once the message was sent again. */
async function slide(page, slider, ...keys) {
  await page.focus(`#${slider}`);
  for (const key of keys) await page.keyboard.press(key);
  await idle(page);
  return cards(page);
}

const width = (page) => page.evaluate(() => document.documentElement.scrollWidth);

/** Has axe-core look at the page as it stands: every rule, in light and in dark. */
async function audit(page, when) {
  await page.evaluate(axe);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({colorScheme});
    await idle(page);
    const found = await page.evaluate(() => globalThis.axe.run());
    seen.rules[`${when}, ${colorScheme}`] = found.passes.length;
    seen.violations[`${when}, ${colorScheme}`] = found.violations.map(
      ({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(' ')}`,
    );
  }
  await page.emulateMedia({colorScheme: 'light'});
}

/** Has the page repeat Python's messages; what it found is kept. */
async function check(page, into = seen) {
  await page.click('#check');
  await page.waitForFunction(() => document.getElementById('checked').dataset.found);
  into.checked = await page.textContent('#checked');
  into.found = JSON.parse(await page.getAttribute('#checked', 'data-found'));
}

async function desktop() {
  const {browser, page} = await open('desktop', {viewport: {width: 1280, height: 900}});
  // The way through the page with Tab, and whether one sees where one is.
  seen.stops = [];
  for (let stop = 0; stop < 10; stop += 1) {
    await page.keyboard.press('Tab');
    seen.stops.push(
      await page.evaluate(() => {
        const {activeElement: at} = document;
        const shown = [at, at.nextElementSibling].filter(Boolean);
        const outlined = shown.some((each) => getComputedStyle(each).outlineStyle === 'solid');
        return {id: at.id || at.name || at.tagName, outlined};
      }),
    );
  }
  await check(page);
  seen.first = await cards(page);

  await page.focus('#gallery :checked');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.getElementById('said').textContent.startsWith('Sent a 1'));
  seen.chosen = await page.getAttribute('#gallery :checked', 'aria-label');
  seen.before = await cards(page);
  await page.focus('#again');
  await page.keyboard.press('Enter');
  await idle(page);
  seen.again = await cards(page);
  seen.keys = await page.evaluate(() => globalThis.drawn);

  // One message at both ends of a slider, then twenty at each.
  seen.ends = {trained: await slide(page, 'psr', 'ArrowRight', 'ArrowLeft')};
  for (const slider of ['psr', 'snr', 'offset']) {
    const start = await page.inputValue(`#${slider}`);
    const most = {one: await slide(page, slider, 'End')};
    const least = {one: await slide(page, slider, 'Home')};
    least.many = await more(page);
    await slide(page, slider, 'End');
    most.many = await more(page);
    await page.fill(`#${slider}`, start);
    seen.ends[slider] = {least, most};
  }
  seen.keysInTheEnd = await page.evaluate(() => globalThis.drawn);
  seen.widths = {1280: await width(page)};
  await audit(page, 'desktop');
  await browser.close();
}

async function phone() {
  const {browser, page} = await open('phone', {
    viewport: {width: 360, height: 740},
    hasTouch: true,
    isMobile: true,
  });
  seen.widths[360] = await width(page);
  seen.shown = {};
  for (const name of ['none', 'keyed', 'arn']) {
    await page.tap(`#tabs [value=${name}]`);
    seen.shown[name] = await page.$$eval('.card', (all) =>
      all.filter((card) => card.checkVisibility()).map((card) => card.dataset.protection),
    );
  }
  await audit(page, 'phone');
  await page.evaluate(() => scrollTo(0, 0));
  await page.tap('#clear');
  await page.waitForSelector('#again:disabled');
  const box = await page.locator('#pad').boundingBox();
  const touch = await browser.newCDPSession(page);
  const point = (x, y) => [{x: box.x + x * box.width, y: box.y + y * box.height}];
  const tell = (type, touchPoints) => touch.send('Input.dispatchTouchEvent', {type, touchPoints});
  const stroke = async () => {
    await tell('touchStart', point(0.5, 0.2));
    for (let y = 0.25; y < 0.8; y += 0.05) await tell('touchMove', point(0.5, y));
    await tell('touchEnd', []);
  };
  await stroke();
  await page.waitForFunction(() => document.getElementById('said').textContent.includes('drawing'));
  seen.drawn = {
    scrolled: await page.evaluate(() => scrollY),
    badge: await page.textContent('[data-protection=none] [data-eve=frozen] .badge'),
    // Bob's picture of an upright stroke in the middle: bright there, dark at the sides.
    bob: await page.$eval('[data-protection=none] .picture', (canvas) => {
      const {data, width, height} = canvas
        .getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height);
      const columns = Array(width).fill(0);
      for (let at = 0; at < width * height; at += 1) columns[at % width] += data[4 * at] / 255;
      return columns;
    }),
    counted: (await cards(page)).none.frozen.messages,
  };
  await page.selectOption('#label', '1');
  seen.drawn.labelled = await page.textContent('[data-protection=none] [data-eve=frozen] .badge');
  // A quick stroke is no fling that would swallow the next tap.
  await stroke();
  await idle(page);
  await page.tap('#clear');
  await page.waitForSelector('#again:disabled', {timeout: 5000}).catch(() => {});
  seen.drawn.cleared = await page.inputValue('#label');
  await browser.close();
}

function mathematics() {
  seen.noise = [...gaussianNoise(1)(40000)];
  seen.noiseAgain = [...gaussianNoise(1)(5)];
  seen.noiseOther = [...gaussianNoise(2)(5)];
  const noise = gaussianNoise(3);
  seen.gains = Array.from({length: 5000}, () => freshGain(noise));
  seen.clocks = Array.from({length: 5000}, () => freshClock(noise, 8));
  // Enough for 128 symbols; test_web.py makes the same bytes.
  const keystream = Uint8Array.from({length: 49536}, (_, at) => Math.imul(at + 1, 2654435761) >>> 24);
  seen.rotations = [1, 2, 33, 128].map((symbols) => [
    ...keysOf(keystream, {rotation: 'haar', symbols}).rotation,
  ]);
  seen.signs = [...keysOf(keystream, {rotation: 'fast', symbols: 13, rounds: 3}).signs];
  const ink = new Uint8ClampedArray(100 * 100);
  for (let at = 0; at < ink.length; at += 1) {
    const [x, y] = [at % 100, Math.floor(at / 100)];
    ink[at] = x >= 10 && x < 20 && y >= 5 && y < 45 ? 255 : 0;
  }
  seen.picture = [...pictureOf(ink, 100, [28, 28], 20 / 28)].map((stored) => stored / 255);
  seen.blank = pictureOf(new Uint8ClampedArray(100 * 100), 100, [28, 28], 20 / 28);
}

/** Pictures in colour: none is drawn, one is chosen, on a phone. */
async function colour() {
  const {browser, page} = await open('colour', {
    viewport: {width: 360, height: 740},
    hasTouch: true,
    isMobile: true,
  });
  await check(page);
  const label = page.locator('#gallery label').nth(1);
  await label.tap();
  await idle(page);
  seen.chosen = await page.getAttribute('#gallery :checked', 'aria-label');
  const rgb = (selector) =>
    page.$eval(selector, (canvas) => {
      const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return {width: canvas.width, pixels: [...data].filter((_, at) => at % 4 < 3)};
    });
  seen.picture = await rgb('#gallery :checked + canvas');
  seen.bob = await rgb('[data-protection=none] .picture');
  seen.cards = await cards(page);
  seen.visible = await page.$$eval('#clear, #label, #pad, #named', (all) =>
    all.filter((each) => each.checkVisibility()).map(({id}) => id),
  );
  seen.named = await page.textContent('#named');
  seen.eves = await page.$$eval('thead th', (all) => all.map((head) => head.textContent));
  seen.width = await width(page);
  await audit(page, 'colour');
  await browser.close();
}

/** What Bob reads under a protection, [word, whether it is marked], or how his plots are painted. */
const bob = (page, name) =>
  page.$eval(`[data-protection=${name}] .bob`, (box) => ({
    told: box.querySelector('.figure').textContent,
    words: [...(box.querySelector('.read')?.childNodes ?? [])]
      .map((node) => [node.firstChild?.textContent ?? node.textContent.trim(), node.nodeName === 'MARK'])
      .filter(([word]) => word),
    plots: [...box.querySelectorAll('.plot')].map((canvas) => canvas.toDataURL()),
  }));

/** Pages of several kinds, on a phone, one after another in one browser; seen of each by its name. */
async function several(names) {
  const size = {width: 360, height: 740};
  const browser = await launch('several', {viewport: size, hasTouch: true, isMobile: true});
  for (const name of names) {
    const page = await visit(browser, `${address}${name}/`);
    const own = (seen[name] = {});
    await check(page, own);
    own.choices = await page.$$eval('#gallery label', (all) => all.map((each) => each.textContent.trim()));
    await page.focus('#gallery :checked');
    await page.keyboard.press('ArrowDown');
    await idle(page);
    own.chosen = await page.$eval('#gallery :checked', (radio) => Number(radio.value));
    own.alice = await page.textContent('#source');
    own.said = await page.textContent('#said');
    // One message at both ends of a slider, then twenty at each.
    own.ends = {snr: {}, offset: {}};
    for (const slider of ['snr', 'offset']) {
      const start = await page.inputValue(`#${slider}`);
      for (const key of ['Home', 'End']) {
        await slide(page, slider, key);
        const bars = await page.$$eval('.bars', (all) => all.map((each) => each.ariaLabel));
        const got = {none: await bob(page, 'none'), keyed: await bob(page, 'keyed')};
        own.ends[slider][key] = {bob: got, bars};
      }
      await page.fill(`#${slider}`, start);
      await idle(page);
    }
    const trained = await page.inputValue('#psr');
    own.psr = {trained: (await cards(page)).arn.psr, most: (await slide(page, 'psr', 'End')).arn.psr};
    await page.fill('#psr', trained);
    await idle(page);
    own.channels = [];
    for (const channel of ['0', '1', '0']) {
      await page.selectOption('#channel', channel);
      await idle(page);
      const {told, words, plots} = await bob(page, 'none');
      own.channels.push({hint: await page.textContent('#channel-hint'), told, words, plots});
    }
    for (const key of ['Home', 'End']) {
      await slide(page, 'snr', key);
      own.ends.snr[key].many = await more(page);
    }
    own.heads = await page.$$eval('thead th', (all) => all.map((head) => head.textContent));
    own.bars = await page.$$eval('.card:first-child .eve:last-child .bars > span', (all) =>
      all.map((bar) => bar.textContent),
    );
    own.width = await width(page);
    await audit(page, name);
    await page.close();
  }
  await browser.close();
}

if (asked[0] === 'colour') {
  await colour();
} else if (asked.length) {
  await several(asked);
} else {
  mathematics();
  await desktop();
  await phone();
}
console.log(JSON.stringify({...seen, hosts: [...seen.hosts]}));
