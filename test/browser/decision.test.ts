/** A site that loses a folder: the task asks, in both languages and without scripts, and does what was answered. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { EN, FR, startBrowserFixture, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { violations } from '../support/axe.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const PHOTOS = 60;
const PAGES = 20;

const skip = whyBrowserIsMissing() ?? false;

describe('a decision', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  let taskId: number;
  let tasks = 0;
  before(async () => {
    server = await startScriptedServer();
    fixture = await startBrowserFixture();
    page = await fixture.openSignedIn();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  /** A task whose site has lost its photos, and whose run was held for that. */
  beforeEach(async () => {
    for (let i = 0; i < PHOTOS; i++) server.tree.writeFile(`/photos/p${i}.jpg`, `photo ${i}`);
    for (let i = 0; i < PAGES; i++) server.tree.writeFile(`/page ${i}.html`, `page ${i}`);
    taskId = fixture.addTask(`Mairie ${++tasks}`, { source: server.address });
    assert.equal(await fixture.runToEnd(taskId), 'complete');
    server.tree.remove('/photos');
    assert.equal(await fixture.runToEnd(taskId), 'held');
  });

  const photosHere = (): number => {
    const folder = join(fixture.nas, `mairie-${tasks}`, 'current', 'photos');
    return existsSync(folder) ? readdirSync(folder).length : 0;
  };
  const ended = (): Promise<void> =>
    until(() => Promise.resolve(fixture.services.runner.activity(taskId) === undefined), 20_000, 'the run to end');

  it('is asked for on the list of tasks, with numbers, and its button leads to the page', async () => {
    await page.goto(`${fixture.origin}/tasks`);
    const row = page.locator('.attn li', { hasText: `Mairie ${tasks}` });
    assert.match(await row.innerText(), /60/);
    await row.getByRole('link', { name: EN.t('act.decide') }).click();
    await page.waitForURL(/\/decision$/);
    assert.equal(await page.locator('h2').first().innerText(), EN.t('dg.held.h', { count: PHOTOS }));
    const table = await page.locator('.decide table').innerText();
    assert.match(table, /\/photos\s+60\s+0/);
    assert.match(table, /everything else\s+20\s+20/);
    await page.getByText(EN.t('dg.held.examples')).first().click();
    assert.ok(await page.getByText('/photos', { exact: true }).first().isVisible());
    assert.deepEqual(await violations(page, 'decision'), []);
  });

  it('to keep everything lasts: the folder stays, and nobody is asked again', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}/decision`);
    await page.getByRole('button', { name: EN.t('dg.held.no') }).press('Enter');
    await page.waitForURL((url) => !url.pathname.endsWith('/decision'));
    assert.match(await page.locator('body').innerText(), /Everything stays in the backup/);
    await ended();
    assert.equal(fixture.services.runs.lastEnded(taskId)?.outcome, 'complete');
    assert.equal(await fixture.runToEnd(taskId), 'complete');
    assert.equal(await fixture.runToEnd(taskId), 'complete');
    assert.equal(photosHere(), PHOTOS);
    await page.goto(`${fixture.origin}/tasks/${taskId}/decision`);
    assert.match(await page.locator('main').innerText(), /Nothing waits for a decision/);
    await page.goto(`${fixture.origin}/runs`);
    assert.match(await page.locator('body').innerText(), /kept everything in the backup of Mairie/);
  });

  it('to accept wants a tick first, and then starts the run that does it', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}/decision`);
    await page.getByRole('button', { name: EN.t('dg.held.ok') }).click();
    await page.locator('#error-summary').waitFor();
    assert.match(await page.title(), /^Error/);
    assert.equal(fixture.services.runs.lastEnded(taskId)?.outcome, 'held', 'nothing has started');
    await page.getByRole('checkbox').check();
    await page.getByRole('button', { name: EN.t('dg.held.ok') }).click();
    await page.waitForURL((url) => !url.pathname.endsWith('/decision'));
    await ended();
    assert.equal(fixture.services.runs.lastEnded(taskId)?.outcome, 'complete');
    await page.goto(`${fixture.origin}/runs`);
    assert.match(await page.locator('body').innerText(), /accepted the changes held for Mairie/);
  });

  it('counts only for what was shown: a page from before the next run decides nothing', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}/decision`);
    for (let i = 0; i < PHOTOS; i++) server.tree.writeFile(`/photos/p${i}.jpg`, `photo ${i}`);
    assert.equal(await fixture.runToEnd(taskId), 'complete', 'the photos are back');
    await page.getByRole('checkbox').check();
    await page.getByRole('button', { name: EN.t('dg.held.ok') }).click();
    await page.waitForLoadState();
    assert.match(await page.locator('body').innerText(), /Nothing was decided for/);
    assert.equal(fixture.services.runner.activity(taskId), undefined);
  });

  it('is made in French, on a phone and without scripts as well', async () => {
    const viewport = { width: 390, height: 800 };
    const plain = await fixture.openSignedIn({ javaScriptEnabled: false, locale: 'fr-FR', viewport });
    await plain.goto(`${fixture.origin}/tasks/${taskId}/decision`);
    const french = (await plain.locator('html').getAttribute('lang')) === 'fr';
    const text = french ? FR : EN;
    for (const button of await plain.locator('.decide button').all()) {
      const box = await button.boundingBox();
      assert.ok(box !== null && box.x + box.width <= viewport.width, `outside: ${await button.innerText()}`);
    }
    await plain.getByRole('button', { name: text.t('dg.held.no') }).click();
    await ended();
    assert.equal(fixture.services.runs.lastEnded(taskId)?.outcome, 'complete');
    assert.equal(photosHere(), PHOTOS);
    await plain.context().close();
  });

  it('can be to change the limit: the link leads to the fields, and what is saved there holds', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}/decision`);
    await page.getByRole('link', { name: EN.t('dg.held.limit') }).click();
    await page.locator('#guards').waitFor();
    for (const name of ['vanishedPercent', 'emptiedFolders', 'shrunkPercent']) {
      await page.locator(`input[name="guards"][value="${name}"]`).uncheck();
    }
    await page.getByRole('button', { name: EN.t('act.save') }).click();
    await page.waitForURL((url) => !url.pathname.endsWith('/edit'));
    assert.equal(fixture.services.tasks.get(taskId)?.settings?.guards.vanishedPercent, undefined);
    assert.equal(fixture.services.tasks.get(taskId)?.settings?.guards.changedPercent, 30);
    assert.equal(await fixture.runToEnd(taskId), 'complete');
    assert.deepEqual(fixture.complaints, []);
  });
});
