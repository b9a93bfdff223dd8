/** A folder that holds a backup becomes a task's on a page: after a task was deleted, after its state was lost, from a mirror. */
import assert from 'node:assert/strict';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { removeTaskDatabase } from '../../src/state/database-care.ts';
import { storedReport } from '../../src/web/stored-report.ts';
import { violations } from '../support/axe.ts';
import { EN, FR, startBrowserFixture, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const FILES = 30;
const SHOTS = process.env['SHOTS'];

const skip = whyBrowserIsMissing() ?? false;

describe('a folder that holds a backup', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  before(async () => {
    server = await startScriptedServer();
    for (let i = 0; i < FILES; i++) {
      server.tree.writeFile(`/www/page ${i}.html`, `page ${i}`, { mtimeMs: Date.UTC(2025, 3, 5) });
    }
    fixture = await startBrowserFixture();
    page = await fixture.openSignedIn();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  const shoot = async (name: string): Promise<void> => {
    if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
  };
  const folderOf = (id: number): string => fixture.services.tasks.get(id)?.settings?.target.folder ?? '';
  const adopted = (id: number): Promise<void> => {
    const isDone = (): boolean => fixture.services.jobs.latest('adopt', id)?.result !== undefined;
    return until(() => Promise.resolve(isDone()), 20_000, 'the adoption to end');
  };
  const assertBringsNothing = async (id: number): Promise<void> => {
    assert.equal(await fixture.runToEnd(id), 'complete');
    const report = storedReport(fixture.services.runs.lastEnded(id));
    assert.deepEqual([report?.counts.listed, report?.counts.downloaded], [FILES, 0]);
  };
  const layMirror = (folder: string): void => {
    for (const file of server.tree.files()) {
      const path = join(folder, file.path);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, file.read());
      utimesSync(path, file.mtimeMs / 1000, file.mtimeMs / 1000);
    }
  };

  it('is offered where a task fails because its state was lost, and then nothing comes again', async () => {
    const id = fixture.addTask('Mairie', { source: server.address });
    assert.equal(await fixture.runToEnd(id), 'complete');
    removeTaskDatabase(fixture.services.stateDir, fixture.services.tasks.get(id)?.stateKey ?? '');
    assert.equal(await fixture.runToEnd(id), 'failed');
    await page.goto(`${fixture.origin}/tasks/${id}`);
    await page
      .locator('.notice')
      .getByRole('link', { name: EN.t('adopt.title') })
      .click();
    await page.waitForURL(/\/adopt$/);
    assert.match(await page.locator('.decide').innerText(), new RegExp(`${FILES} files`));
    assert.ok((await page.locator('.decide').innerText()).includes(EN.t('adopt.has-manifest')));
    assert.deepEqual(await violations(page, 'adopt'), []);
    await shoot('adopt-backup');
    await page.getByRole('button', { name: EN.t('adopt.title') }).click();
    await page.locator('#error-summary').waitFor();
    await page.getByLabel(EN.t('adopt.tick')).check();
    await page.getByRole('button', { name: EN.t('adopt.title') }).click();
    await adopted(id);
    await page.goto(`${fixture.origin}/tasks/${id}/adopt`);
    assert.match(await page.locator('.job').innerText(), /30 are not copied again/);
    await shoot('adopt-done');
    await assertBringsNothing(id);
  });

  it('is offered at once where a task is made anew on the files of a deleted one', async () => {
    const id = fixture.addTask('Atelier', { source: server.address });
    assert.equal(await fixture.runToEnd(id), 'complete');
    const folder = folderOf(id);
    await page.goto(`${fixture.origin}/tasks/${id}/delete`);
    await page.getByRole('button', { name: EN.t('dg.task.go') }).click();
    await page.waitForURL('**/tasks');

    await page
      .getByRole('link', { name: EN.t('dash.new') })
      .first()
      .click();
    const { host, port } = server.address;
    await page.locator('input[name=protocol][value=ftp]').check();
    await page.locator('#host').fill(host);
    await page.locator('#port').fill(String(port));
    await page.locator('#user').fill(SCRIPTED_USER);
    await page.locator('#password').fill(SCRIPTED_PASSWORD);
    await page.locator('#name').fill('Atelier');
    await page.getByRole('button', { name: EN.t('wz.test') }).click();
    for (const step of ['folders', 'schedule']) {
      await page.waitForURL(`**/${step}`);
      await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();
    }
    await page.waitForURL('**/check');
    assert.ok((await page.locator('.summary').first().innerText()).includes(folder));
    await page.getByRole('button', { name: EN.t('act.create') }).click();
    await page.waitForURL(/\/adopt$/);
    await shoot('adopt-wizard');
    const made = fixture.services.tasks.idByName('Atelier') ?? 0;
    assert.equal(fixture.services.runner.activity(made), undefined, 'no run before the answer');
    await page.getByLabel(EN.t('adopt.tick')).check();
    await page.getByRole('button', { name: EN.t('adopt.title') }).click();
    await adopted(made);
    await assertBringsNothing(made);
  });

  it('of another tool is moved to current/ after a tick, in French and on a small screen', async () => {
    const id = fixture.addTask('Boutique', { source: server.address });
    layMirror(folderOf(id));
    const context = await fixture.openSignedIn({ locale: 'fr-FR', viewport: { width: 390, height: 800 } });
    await context.goto(`${fixture.origin}/tasks/${id}/adopt`);
    const words = await context.locator('.decide').innerText();
    assert.ok(words.includes(FR.t('adopt.will-move', { folder: folderOf(id) })), words);
    if (SHOTS !== undefined) await context.screenshot({ path: join(SHOTS, 'adopt-mirror-390.png'), fullPage: true });
    const width = await context.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${width} px wide`);
    await context.getByLabel(FR.t('adopt.tick')).check();
    await context.getByRole('button', { name: FR.t('adopt.title') }).click();
    await adopted(id);
    await context.context().close();
    await assertBringsNothing(id);
  });
});
