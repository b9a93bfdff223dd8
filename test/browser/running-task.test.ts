/** The page of a task while it runs: what it shows changes by itself, and nothing moves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { startBrowserFixture, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const CONNECTIONS = 3;
const FILE_BYTES = 1_500_000;

const skip = whyBrowserIsMissing() ?? false;

describe('the page of a task that runs', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  before(async () => {
    server = await startScriptedServer();
    for (let index = 0; index < 6; index++) server.tree.writeFile(`/uploads/film-${index}.mp4`, 'x'.repeat(FILE_BYTES));
    fixture = await startBrowserFixture();
    const more = {
      connections: CONNECTIONS,
      speed: { bytesPerSecond: 150_000 },
      retries: { attempts: 3, firstDelaySeconds: 1 },
    };
    const taskId = fixture.addTask('Atelier', { source: server.address, more });
    // The first transfer breaks off once.
    server.addFault({ command: ['RETR'], times: 1 }, { resetAfterBytes: 1000 });
    page = await fixture.openSignedIn();
    fixture.services.runner.start(taskId, 'user', 'admin');
    await page.goto(`${fixture.origin}/tasks/${taskId}`);
    await page.locator('.xfer tbody tr:not([hidden])').first().waitFor();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  const shown = () => page.locator('.xfer tbody tr:not([hidden])');

  it('lists the files that arrive, never more than there are connections', async () => {
    await until(async () => (await shown().count()) >= 2, 10_000, 'two files at once');
    assert.ok((await shown().count()) <= CONNECTIONS);
    assert.match((await shown().first().locator('.path').textContent()) ?? '', /^\/uploads\/film-\d\.mp4$/);
    assert.equal(await shown().first().locator('td').nth(1).innerText(), '1.4 MB');
  });

  it('moves on by itself, and nothing moves sideways', async () => {
    await page.evaluate(() => Object.assign(window, { isSamePage: true }));
    const bar = shown().first().locator('progress');
    const places = (): Promise<number[]> =>
      page.locator('.figs dt, .xfer th').evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().left));
    const [share, before] = [Number(await bar.getAttribute('value')), await places()];
    await until(async () => Number(await bar.getAttribute('value')) > share, 10_000, 'more of the file');
    assert.deepEqual(await places(), before);
    assert.equal(await page.evaluate(() => 'isSamePage' in window), true, 'the page was reloaded');
  });

  it('counts what was tried again', async () => {
    const retries = page.locator('[data-live$=".retries"]');
    await until(async () => Number(await retries.innerText()) >= 1, 15_000, 'a retry');
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});
