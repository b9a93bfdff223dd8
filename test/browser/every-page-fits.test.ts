/** Every page at every width, in both languages, and within its budget. */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { readTexts } from '../../src/text.ts';
import { startBrowserFixture, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { fillPages } from '../support/browser-pages.ts';
import type { PageList } from '../support/browser-pages.ts';
import { makeSampleSite } from '../support/sample-site.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const SIZES = [
  { width: 320, height: 568 },
  { width: 390, height: 844 },
  { width: 768, height: 1024 },
  { width: 1000, height: 600 },
  { width: 1280, height: 800 },
];
/** ui.md 2.5, unminified. */
const HTML_BYTES_MAX = 60 * 1024;
const CSS_BYTES_MAX = 48 * 1024;
const JS_BYTES_MAX = 25 * 1024;
const NODES_MAX = 1500;

const skip = whyBrowserIsMissing() ?? false;

describe('every page fits', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let pages: PageList;
  before(async () => {
    server = await startScriptedServer();
    makeSampleSite(server.tree, { bigFileBytes: 4_000_000 });
    fixture = await startBrowserFixture();
    pages = fillPages(fixture, server);
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  const atEverySize = async (page: Page, look: (where: string) => Promise<void>): Promise<void> => {
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(fixture.origin + path);
      for (const size of SIZES) {
        await page.setViewportSize(size);
        await look(`${name} at ${size.width}`);
      }
    }
  };

  it('without a sideways scroll or words cut off, in French, the longer language', async () => {
    const page = await fixture.openSignedIn({ locale: 'fr-FR' });
    const found: string[] = [];
    await atEverySize(page, async (where) => {
      found.push(...(await page.evaluate(faultsOfFit)).map((fault) => `${where}: ${fault}`));
    });
    assert.deepEqual(found, []);
  });

  it('with fields that do not zoom and things to press that are large enough for a thumb on a phone', async () => {
    const page = await fixture.openSignedIn({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const found: string[] = [];
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(fixture.origin + path);
      found.push(...(await page.evaluate(faultsOfTouch)).map((fault) => `${name}: ${fault}`));
      if ((await page.evaluate(() => window.scrollY)) !== 0) found.push(`${name}: does not begin at its top`);
    }
    assert.deepEqual(found, []);
  });

  it('without a word of English in French', async () => {
    const page = await fixture.openSignedIn({ locale: 'fr-FR' });
    const english = englishTexts();
    const found = new Set<string>();
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(fixture.origin + path);
      assert.equal(await page.locator('html').getAttribute('lang'), 'fr', name);
      for (const words of await page.evaluate(readWords)) {
        if (english(words)) found.add(`${name}: ${words}`);
      }
    }
    assert.deepEqual([...found], []);
  });

  it('in the other language at one press', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/settings/general`);
    await page.locator('.top .account summary').click();
    await page.locator('.top .account button[value="fr"]').click();
    await page.waitForLoadState();
    assert.equal(new URL(page.url()).pathname, '/settings/general');
    assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
  });

  it('in its budget of bytes and nodes', async () => {
    const page = await fixture.openSignedIn();
    for (const [name, path] of Object.entries(pages)) {
      const answer = await page.goto(fixture.origin + path);
      const bytes = (await answer?.body())?.length ?? 0;
      assert.ok(bytes <= HTML_BYTES_MAX, `${name}: ${bytes} bytes of HTML`);
      const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
      assert.ok(nodes <= NODES_MAX, `${name}: ${nodes} nodes`);
    }
    const folder = join(import.meta.dirname, '../../ui/public');
    const sizeOf = (end: string): number =>
      readdirSync(folder)
        .filter((name) => name.endsWith(end))
        .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    assert.ok(sizeOf('.css') <= CSS_BYTES_MAX, `${sizeOf('.css')} bytes of CSS`);
    assert.ok(sizeOf('.js') <= JS_BYTES_MAX, `${sizeOf('.js')} bytes of scripts`);
  });

  it('with what needs attention, five tasks and the latest activity in the first 800 pixels', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/tasks`);
    const bottom = await page.locator('.attn').evaluate((list) => list.getBoundingClientRect().bottom);
    assert.ok(bottom < 250);
    assert.equal(await page.locator('.tasks tbody tr').count(), 5);
    const last = await page
      .locator('.tasks tbody tr')
      .last()
      .evaluate((row) => row.getBoundingClientRect().bottom);
    assert.ok(last < 600, `the last row ends at ${last}`);
    const happening = await page
      .locator('#below tbody tr')
      .nth(2)
      .evaluate((row) => row.getBoundingClientRect().bottom);
    assert.ok(happening < 800, `the third line of activity ends at ${happening}`);
    await page.setViewportSize({ width: 1000, height: 600 });
    const begin = await page
      .locator('.tasks tbody tr')
      .last()
      .evaluate((row) => row.getBoundingClientRect().top);
    assert.ok(begin < 600, `the last row begins at ${begin}`);
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});

/** Tells words of the English texts from those of the French ones; numbers and names may stand in their gaps. */
function englishTexts(): (words: string) => boolean {
  const [english, french] = [readTexts('en'), readTexts('fr')];
  const pattern = (template: string): RegExp => {
    const parts = template.replace(/\[\[|\]\]/g, '').split(/\{[^}]*\}/);
    return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.{0,200}')}$`, 'su');
  };
  const letters = (template: string): number => template.replace(/\{[^}]*\}/g, '').replace(/\P{L}/gu, '').length;
  const own = Object.entries(english).filter(([key, words]) => words !== french[key] && letters(words) >= 4);
  const patterns = own.map(([, words]) => pattern(words));
  const allowed = Object.values(french)
    .filter((words) => letters(words) >= 4)
    .map(pattern);
  const both = new Set(Object.values(french));
  return (words) =>
    !both.has(words) && patterns.some((one) => one.test(words)) && !allowed.some((one) => one.test(words));
}

/** Runs in the page: everything that somebody sees or is told. */
function readWords(): string[] {
  const words: string[] = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent?.replace(/\s+/g, ' ').trim() ?? '';
    // What is kept, such as a path or a server's answer, has no language.
    if (text !== '' && !walker.currentNode.parentElement?.closest('code, script, [lang], .mono')) words.push(text);
  }
  for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'data-busy', 'data-words', 'data-on', 'data-lost']) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      if (!element.closest('[lang]:not(html)')) words.push(element.getAttribute(name) ?? '');
    }
  }
  return words;
}

/** Runs in the page. */
function faultsOfFit(): string[] {
  const faults: string[] = [];
  const root = document.documentElement;
  const wide = root.scrollWidth - root.clientWidth;
  if (wide > 0) {
    const culprit = [...document.querySelectorAll('main *')].find(
      (element) => element.getBoundingClientRect().right > root.clientWidth + 1 && element.checkVisibility(),
    );
    faults.push(`${wide} px too wide: ${culprit?.outerHTML.slice(0, 120)}`);
  }
  for (const element of document.querySelectorAll<HTMLElement>(
    '.btn, .pill, h1, h2, th, label, dt, .tabs a, .filters a, .nav a, .bottom-nav a',
  )) {
    if (!element.checkVisibility({ checkVisibilityCSS: true }) || element.closest('.sr, .trunc')) continue;
    const isHidden = getComputedStyle(element).overflowX !== 'visible';
    if (isHidden && element.scrollWidth > element.clientWidth + 1) faults.push(`cut: ${element.textContent.trim()}`);
    const parent = element.parentElement;
    if (element.matches('.btn') && parent && element.getBoundingClientRect().right > root.clientWidth + 1) {
      faults.push(`outside: ${element.textContent.trim()}`);
    }
  }
  return faults;
}

/** Runs in the page. */
function faultsOfTouch(): string[] {
  const faults: string[] = [];
  const fields = 'input:not([type="hidden"], [type="radio"], [type="checkbox"]), select, textarea';
  for (const element of document.querySelectorAll(`.btn:not(.sm), .ac > *, .bottom-nav a, .tabs a, ${fields}`)) {
    if (!element.checkVisibility({ checkVisibilityCSS: true }) || element.closest('.sr')) continue;
    const { height } = element.getBoundingClientRect();
    if (height < 43.5) faults.push(`${Math.round(height)} px high: ${element.outerHTML.slice(0, 100)}`);
    const isZoomed = element.matches(fields) && parseFloat(getComputedStyle(element).fontSize) < 16;
    if (isZoomed) faults.push(`zooms: ${element.outerHTML.slice(0, 100)}`);
  }
  return faults;
}
