/** A page that is left open: the service goes and comes back, and many tabs are open at once. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { EN, startBrowserFixture, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

/** A browser opens six connections to one host. */
const TABS = 7;
const FILES = 110;
const FILES_CHANGED = 40;
const SAID_WITHIN_MS = 10_000;

const skip = whyBrowserIsMissing() ?? false;

describe('a page that stays open', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  let taskId: number;
  before(async () => {
    server = await startScriptedServer({ delayMs: 40 });
    for (let index = 0; index < FILES; index++) server.tree.writeFile(`/page-${index}.html`, `page ${index}`);
    fixture = await startBrowserFixture();
    taskId = fixture.addTask('Atelier', {
      source: server.address,
      more: { connections: 1, guards: { changedPercent: null } },
    });
    page = await fixture.openSignedIn();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  const changeFiles = (day: number): void => {
    for (let index = 0; index < FILES_CHANGED; index++) {
      server.tree.writeFile(`/page-${index}.html`, `${day}`, { mtimeMs: Date.UTC(2026, 0, day) });
    }
  };

  it('invents neither percent nor time left while the site is being looked at', async () => {
    const scan = server.addFault({ command: ['MLSD', 'LIST'] }, { delayMs: 2500 });
    await page.goto(`${fixture.origin}/tasks/${taskId}`);
    await page.evaluate(() => Object.assign(window, { isSamePage: true }));
    await page.getByRole('button', { name: EN.t('act.backup') }).click();
    await page.locator('progress.lg').waitFor();
    assert.equal(await page.locator('progress.lg').getAttribute('value'), null);
    assert.doesNotMatch(await page.locator('.prog').innerText(), /\d ?%|left/);
    server.faults.splice(server.faults.indexOf(scan), 1);
    await page.locator('progress.lg[value]').waitFor();
    assert.match(await page.locator('.prog h2').innerText(), /^\d+%$/);
  });

  it('shows the run in the list of tasks, too, without a reload', async () => {
    const list = await fixture.openSignedIn();
    await list.goto(`${fixture.origin}/tasks`);
    const line = list.locator(`[data-live="task.${taskId}.line"]`);
    const before = await line.innerText();
    await until(async () => (await line.innerText()) !== before, 10_000, 'the line to change');
    await list.context().close();
  });

  it('says that live updates are lost when the service goes, and recovers without a reload when it is back', async () => {
    await page.evaluate(() => Object.assign(window, { isSamePage: true }));
    const mark = page.locator('#live');
    await mark.filter({ hasText: EN.t('app.live') }).waitFor();
    await fixture.restart(async () => {
      await mark.filter({ hasText: EN.t('app.live.lost') }).waitFor({ timeout: SAID_WITHIN_MS });
    });
    await page.locator('#live:not(.off)').waitFor({ timeout: 15_000 });
    // The run was stopped with the service, and the page has found out by itself.
    await page.locator('.head .pill:not([data-state="running"])').waitFor({ timeout: 15_000 });
    assert.equal(await page.evaluate(() => 'isSamePage' in window), true, 'the page was reloaded');
    server.options.delayMs = 5;
    await page.getByRole('button', { name: EN.t('act.backup') }).click();
    await page.locator('.head .pill[data-state="ok"]').waitFor({ timeout: 40_000 });
    server.options.delayMs = 30;
  });

  it('tells a screen reader of the start and the end of a short run once each, and of no figure', async () => {
    const name = fixture.services.tasks.get(taskId)?.name ?? '';
    await page.reload();
    await page.locator('#live:not([hidden], .off)').waitFor();
    changeFiles(1);
    const hear = page.evaluate(hearAnnouncements);
    await fixture.runToEnd(taskId);
    assert.deepEqual(await hear, [EN.t('live.started', { name }), EN.t('live.ended', { name, state: EN.t('st.ok') })]);
  });

  it(`loads in a tab more than a browser has connections, and is live in each`, async () => {
    const context = page.context();
    const tabs: Page[] = [page];
    while (tabs.length < TABS) tabs.push(await context.newPage());
    for (const tab of tabs) {
      await tab.goto(`${fixture.origin}/tasks`, { timeout: 10_000 });
      await tab.getByRole('heading', { name: EN.t('dash.title') }).waitFor({ timeout: 5000 });
    }
    changeFiles(2);
    fixture.services.runner.start(taskId, 'user', 'admin');
    for (const tab of tabs) await tab.locator('.pill[data-state="running"]').waitFor({ timeout: 15_000 });
    fixture.services.runner.stop(taskId);
    await until(() => fixture.services.runner.activity(taskId) === undefined, 10_000, 'the end');
    for (const tab of tabs) await tab.locator('.pill[data-state="cancelled"]').waitFor({ timeout: 15_000 });
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});

/** Runs in the page: what a screen reader is told until two things were, or for a while. */
function hearAnnouncements(): Promise<string[]> {
  return new Promise((resolve) => {
    const status = document.querySelector('body > .sr[role="status"]') ?? document.body;
    const said: string[] = [];
    const observer = new MutationObserver(() => {
      said.push(status.textContent);
      // Whether a third one follows.
      if (said.length === 2) setTimeout(resolve, 1000, said);
    });
    observer.observe(status, { childList: true, characterData: true, subtree: true });
    setTimeout(resolve, 25_000, said);
  });
}
