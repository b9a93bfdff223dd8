/** Settings → Web access as somebody uses it: the address of the pages is changed from a page at that address. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { TRIAL_MS } from '../../src/web/web-access-control.ts';
import { violations } from '../support/axe.ts';
import { EN, startBrowserFixture, statusOf, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { freePort } from '../support/web-app.ts';

const skip = whyBrowserIsMissing() ?? false;

describe('the address of the pages, changed in the browser', { skip }, () => {
  // Not ahead of the browser's own time, by which it would drop the cookies.
  const clock = new FakeClock({ nowMs: Date.now() });
  let fixture: BrowserFixture;
  let page: Page;
  before(async () => {
    fixture = await startBrowserFixture({ isAddressFree: true, clock });
    page = await fixture.openSignedIn();
  });
  after(() => fixture.stop());
  beforeEach(() => page.goto(here('/settings/web')));

  /** Below the address that holds now. */
  const here = (path: string): string => `http://127.0.0.1:${fixture.services.webAccess.current.port}${path}`;

  const tryPort = async (at: Page, port: number): Promise<number> => {
    await at.locator('#port').fill(String(port));
    return statusOf(at, () => at.getByRole('button', { name: EN.t('web.try') }).click());
  };

  /** The page that opens at the new address, beside the one that stays at the old. */
  const openNew = async (from: Page): Promise<Page> => {
    const [opened] = await Promise.all([from.context().waitForEvent('page'), from.locator('#trial a.primary').click()]);
    await opened.waitForLoadState('domcontentloaded');
    return opened;
  };

  const keep = (at: Page): Promise<void> => at.getByRole('button', { name: EN.t('web.keep.go') }).click();

  it('is shown as links, and may be changed: no start option settles it', async () => {
    assert.equal(await page.locator('dl.summary a').first().getAttribute('href'), `${fixture.origin}/`);
    assert.equal(await page.locator('#port').inputValue(), new URL(fixture.origin).port);
    assert.deepEqual(await violations(page, 'web access'), []);
  });

  it('refuses a port that another program has: at the top, beside the field, with what was typed', async () => {
    const { port, server } = await occupiedPort();
    try {
      assert.equal(await tryPort(page, port), 422);
      assert.ok((await page.title()).startsWith('Error: '), await page.title());
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'error-summary');
      const link = page.locator('#error-summary a');
      assert.equal(await link.count(), 1);
      assert.match(await link.innerText(), new RegExp(`port ${port} is in use`));
      await link.click();
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'port');
      assert.equal(await page.locator('#port').getAttribute('aria-invalid'), 'true');
      const beside = (await page.locator('#port-err').innerText()).replace(EN.t('page.error-word').trim(), '').trim();
      assert.equal(beside, await link.innerText());
      assert.equal(await page.locator('#port').inputValue(), String(port));
      assert.equal(await page.locator('#trial').count(), 0);
      assert.deepEqual(await violations(page, 'web access with a fault'), []);
    } finally {
      server.close();
    }
    assert.equal(await tryPort(page, port), 200, 'the same port, once it is free');
    await page.getByRole('button', { name: EN.t('web.trial.back') }).click();
    await page.getByText(EN.t('web.end.taken-back')).waitFor();
    assert.equal(await isOpen(port), false);
  });

  it('goes back to the old one where nobody confirms the new one in time, and the open page says so by itself', async () => {
    const port = await freePort();
    await tryPort(page, port);
    const opened = await openNew(page);
    await opened.getByRole('heading', { name: EN.t('web.keep.h') }).waitFor();
    assert.equal(await isOpen(port), true);
    assert.deepEqual(await violations(page, 'web access during a trial'), []);
    clock.advance(TRIAL_MS);
    // The page asks every two seconds.
    await page.getByText(EN.t('web.end.not-confirmed')).waitFor();
    assert.equal(await page.locator('#trial').count(), 0);
    assert.equal(await isOpen(port), false);
    assert.equal(new URL(page.url()).port, new URL(fixture.origin).port);
    assert.equal(fixture.services.settings.read().web.port, Number(new URL(fixture.origin).port));
    await opened.close();
  });

  it('shows a second browser the trial that is under way; a change made there takes the place of it', async () => {
    const other = await fixture.openSignedIn();
    await other.goto(here('/settings/web'));
    const [first, second] = [await freePort(), await freePort()];
    await tryPort(page, first);
    const opened = await openNew(page);
    await tryPort(other, second);
    assert.deepEqual([await isOpen(first), await isOpen(second)], [false, true]);
    await other.locator('#trial a.primary').waitFor();
    await page.reload();
    assert.match(await page.locator('#trial a.primary').innerText(), new RegExp(`:${second}/`));
    assert.equal(await page.locator('#port').inputValue(), String(second), 'the form follows what is tried');
    await keep(opened);
    await opened.waitForLoadState();
    assert.equal(fixture.services.webAccess.trial?.access.port, second, 'the first link confirms nothing any more');
    await page.getByRole('button', { name: EN.t('web.trial.back') }).click();
    await page.getByText(EN.t('web.end.taken-back')).waitFor();
    await other.getByText(EN.t('web.end.taken-back')).waitFor();
    for (const done of [opened, other]) await done.close();
  });

  it('loses nothing that another browser has changed since the form was opened', async () => {
    const other = await fixture.openSignedIn();
    await other.goto(here('/settings/web'));
    await other.locator('#trustedProxies').fill('192.0.2.1\n192.0.2.2');
    await statusOf(other, () => other.getByRole('button', { name: EN.t('web.try') }).click());
    const opened = await openNew(other);
    await keep(opened);
    await opened.getByText(EN.t('web.end.kept')).waitFor();
    const port = await freePort();
    await tryPort(page, port);
    await page.locator('#trial').waitFor();
    const { trial } = fixture.services.webAccess;
    assert.deepEqual([trial?.access.port, trial?.access.trustedProxies], [port, ['192.0.2.1', '192.0.2.2']]);
    await page.getByRole('button', { name: EN.t('web.trial.back') }).click();
    await page.getByText(EN.t('web.end.taken-back')).waitFor();
    for (const done of [opened, other]) await done.close();
  });

  it('is the new one as soon as it is confirmed there, still signed in; the old one is closed, after a restart too', async () => {
    const port = await freePort();
    fixture.addTask('Atelier');
    const tab = await page.context().newPage();
    await tab.goto(here('/tasks'));
    await tab.locator('#live:not([hidden], .off)').waitFor();
    await tryPort(page, port);
    const opened = await openNew(page);
    assert.equal(new URL(opened.url()).port, String(port));
    assert.deepEqual(await violations(opened, 'the page that asks'), []);
    await keep(opened);
    await opened.getByText(EN.t('web.end.kept')).waitFor();
    assert.equal(new URL(opened.url()).pathname, '/settings/web');
    assert.equal(await opened.locator('dl.summary a').first().getAttribute('href'), here('/'));
    assert.deepEqual([await isOpen(Number(new URL(fixture.origin).port)), await isOpen(port)], [false, true]);
    // Tabs at the old address say where the pages are, and ask nobody any more.
    await tab.locator('#live a').waitFor();
    assert.equal(await tab.locator('#live a').getAttribute('href'), here('/'));
    await page.getByText(EN.t('web.trial.gone')).waitFor();
    assert.equal(await page.locator('[data-jobs] a').getAttribute('href'), here('/'));
    const asked: string[] = [];
    for (const old of [page, tab]) old.on('request', (request) => asked.push(request.url()));
    clock.advance(2 * TRIAL_MS);
    await opened.reload();
    assert.equal(await isOpen(port), true, 'what was confirmed is not taken back');
    await fixture.restart();
    await opened.goto(here('/tasks'));
    assert.equal(new URL(opened.url()).port, String(port));
    assert.equal(new URL(opened.url()).pathname, '/tasks');
    // Longer than they waited between two questions.
    await page.waitForTimeout(5500);
    assert.deepEqual(asked, []);
    await tab.close();
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});

async function occupiedPort(): Promise<{ port: number; server: Server }> {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port, server };
}

/** Whether somebody who is not signed in gets the sign-in there. */
async function isOpen(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/login`, { headers: { Connection: 'close' } });
    return answer.ok;
  } catch {
    return false;
  }
}
