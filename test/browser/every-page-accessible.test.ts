/** Every page through axe-core, in light and dark; the focus and each state are to be seen, whatever the colours. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { violations } from '../support/axe.ts';
import { startBrowserFixture, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { fillPages } from '../support/browser-pages.ts';
import type { PageList } from '../support/browser-pages.ts';
import { makeSampleSite } from '../support/sample-site.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const skip = whyBrowserIsMissing() ?? false;

describe('every page is for everybody', { skip }, () => {
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

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`axe finds nothing in ${colorScheme}`, async () => {
      const page = await fixture.openSignedIn({ colorScheme, reducedMotion: 'reduce' });
      const found: string[] = [];
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(fixture.origin + path);
        found.push(...(await violations(page, name)));
      }
      const door = await fixture.open({ colorScheme });
      await door.goto(`${fixture.origin}/login`);
      found.push(...(await violations(door, 'sign-in')));
      assert.deepEqual(found, []);
    });
  }

  it('axe finds nothing on a phone, where tables are cards and the menu is a bar', async () => {
    const page = await fixture.openSignedIn({ viewport: { width: 390, height: 844 }, hasTouch: true });
    const found: string[] = [];
    for (const name of ['tasks', 'a running task', 'a partial run', 'log', 'the edit page', 'security']) {
      await page.goto(fixture.origin + (pages[name] ?? ''));
      found.push(...(await violations(page, name)));
    }
    assert.deepEqual(found, []);
  });

  it('pages have one h1, no heading left out, a name for every control and no id twice', async () => {
    const page = await fixture.openSignedIn();
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(fixture.origin + path);
      assert.deepEqual(await page.evaluate(faultsOfStructure), [], name);
    }
  });

  it('figures that tick are in no live region, and what a screen reader is told is', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(fixture.origin + (pages['a running task'] ?? ''));
    const inRegions = await page
      .locator('[role="status"] [data-live], [role="alert"] [data-live], [aria-live] [data-live]')
      .count();
    assert.equal(inRegions, 0);
    assert.ok((await page.locator('body > .sr[role="status"]').count()) === 1);
  });

  it('the focus can be seen wherever Tab leads, and no bar covers it', async () => {
    const page = await fixture.openSignedIn({ viewport: { width: 1000, height: 600 } });
    for (const name of ['tasks', 'the edit page', 'the delete page', 'security']) {
      await page.goto(fixture.origin + (pages[name] ?? ''));
      const seen = new Set<string>();
      for (let press = 0; press < 120; press++) {
        await page.keyboard.press('Tab');
        const focus = await page.evaluate(describeFocus);
        // Behind the last stop it leaves the page, and comes back to the first: some pages begin with the focus inside.
        if (focus === undefined) continue;
        if (seen.has(focus.id)) break;
        seen.add(focus.id);
        assert.ok(focus.isMarked, `${name}: no mark on ${focus.id}`);
        assert.equal(focus.coveredBy, '', `${name}: ${focus.id} is covered`);
      }
      assert.ok(seen.size > 8, `${name}: only ${seen.size} stops`);
    }
  });

  it('every state has a word that no other state has, and an icon: none is told by its colour alone', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/tasks`);
    const pills = await page.locator('.tasks .pill').evaluateAll((all) =>
      all.map((pill) => ({
        state: pill.getAttribute('data-state') ?? '',
        words: pill.textContent.trim(),
        icon: pill.querySelector('svg use')?.getAttribute('href')?.split('#')[1] ?? '',
        iconWidth: pill.querySelector('svg')?.getBoundingClientRect().width ?? 0,
      })),
    );
    const states = new Set(pills.map((pill) => pill.state));
    assert.ok(states.size >= 5, [...states].join(' '));
    assert.equal(new Set(pills.map((pill) => pill.words)).size, states.size);
    for (const { state, words, icon, iconWidth } of pills) {
      assert.ok(words !== '' && icon !== '' && iconWidth >= 12, `${state}: ${words} ${icon} ${iconWidth}`);
    }
  });

  it('with the colours of the system every border is there, and with reduced motion nothing moves', async () => {
    const page = await fixture.openSignedIn({ forcedColors: 'active', reducedMotion: 'reduce' });
    for (const name of ['tasks', 'a running task', 'the edit page', 'security']) {
      await page.goto(fixture.origin + (pages[name] ?? ''));
      assert.deepEqual(await page.evaluate(faultsOfForcedColors), [], name);
    }
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});

/** Runs in the page. */
function faultsOfStructure(): string[] {
  const faults: string[] = [];
  const headings = [...document.querySelectorAll('h1, h2, h3, h4')].filter((heading) => heading.checkVisibility());
  const levels = headings.map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push(`h1: ${levels.join(' ')}`);
  levels.forEach((level, index) => {
    if (level > (levels[index - 1] ?? 0) + 1) faults.push(`heading left out before ${headings[index]?.textContent}`);
  });
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of new Set(ids.filter((known, index) => ids.indexOf(known) !== index))) faults.push(`twice: #${id}`);
  for (const name of ['for', 'aria-describedby', 'aria-labelledby', 'aria-controls']) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      for (const id of (element.getAttribute(name) ?? '').split(/\s+/).filter(Boolean)) {
        // The place of a message that is not there yet.
        if (!id.endsWith('-err') && !document.getElementById(id)) faults.push(`${name} leads nowhere: ${id}`);
      }
    }
  }
  if (document.querySelector('[style]')) faults.push('an inline style');
  if (document.querySelector('script:not([src])')) faults.push('an inline script');
  return faults;
}

/** Runs in the page, under forced colours and reduced motion: backgrounds and shadows are gone there. */
function faultsOfForcedColors(): string[] {
  const faults = document
    .getAnimations()
    .filter((animation) => animation.playState === 'running')
    .map(() => 'something moves');
  const fields = 'input:not([type="hidden"], [type="radio"], [type="checkbox"]), select, textarea';
  for (const element of document.querySelectorAll(`.pill, .btn, .notice, progress, ${fields}`)) {
    if (!element.checkVisibility({ checkVisibilityCSS: true }) || element.closest('.sr') || element.matches('.sr'))
      continue;
    const { borderTopStyle, borderTopWidth } = getComputedStyle(element);
    if (borderTopStyle === 'none' || parseFloat(borderTopWidth) < 1) {
      faults.push(`no border: ${element.outerHTML.slice(0, 100)}`);
    }
  }
  return faults;
}

/** Runs in the page: where the focus is, whether that shows, and what lies over it. */
function describeFocus(): { id: string; isMarked: boolean; coveredBy: string } | undefined {
  const focus = document.activeElement;
  if (!focus || focus === document.body) return undefined;
  const all = [...document.querySelectorAll('*')];
  const shown = focus.matches('input[type="radio"], input[type="checkbox"]')
    ? [focus, focus.parentElement ?? focus]
    : [focus];
  const isMarked = shown.some((element) => {
    const style = getComputedStyle(element);
    return (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none';
  });
  const box = focus.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height / 2, 20));
  const isFree = top === null || focus.contains(top) || top.contains(focus) || top.closest('label')?.contains(focus);
  const bar = top?.closest('.savebar, .top, .bottom-nav');
  const coveredBy = !isFree && bar && !bar.contains(focus) ? bar.className : '';
  return {
    id: `${all.indexOf(focus)} ${focus.tagName} ${focus.textContent.trim().slice(0, 40)}`,
    isMarked,
    coveredBy,
  };
}
