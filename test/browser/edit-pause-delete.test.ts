/** What is changed about a task later on: its settings, its schedule, and whether it is there at all. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { violations } from '../support/axe.ts';
import {
  EN,
  filesBelow,
  startBrowserFixture,
  statusOf,
  until,
  whyBrowserIsMissing,
} from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const NEW_PASSWORD = 'brand-new-secret-42';
/** By the id of the field, in the order of the page. */
const WRONG = { name: '', host: 'ftp://example.org/www', port: '99999', maxSize: 'large', connections: '44' } as const;

const skip = whyBrowserIsMissing() ?? false;

describe('a task that is changed in the browser', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  let taskId: number;
  before(async () => {
    server = await startScriptedServer();
    for (let index = 0; index < 12; index++) server.tree.writeFile(`/page-${index}.html`, `page ${index}`);
    fixture = await startBrowserFixture();
    taskId = fixture.addTask('Garage Morel', {
      source: server.address,
      schedule: { rule: { kind: 'interval', everyMinutes: 1440 }, allowedHours: undefined },
    });
    assert.equal(await fixture.runToEnd(taskId), 'complete');
    page = await fixture.openSignedIn();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  it('says of five wrong fields all five, at the top and beside each, and keeps what was typed', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}/edit`);
    for (const [id, value] of Object.entries(WRONG)) await page.locator(`#${id}`).fill(value);
    await page.locator('#password').fill(NEW_PASSWORD);
    await page.locator('#exclude').fill('/private/\n*.tmp');
    assert.equal(await statusOf(page, () => page.locator('.savebar .primary').click()), 422);

    assert.ok((await page.title()).startsWith('Error: '), await page.title());
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'error-summary');
    const links = page.locator('#error-summary a');
    assert.deepEqual(
      await links.evaluateAll((all) => all.map((link) => link.getAttribute('href'))),
      Object.keys(WRONG).map((id) => `#${id}`),
    );
    for (const [index, id] of Object.keys(WRONG).entries()) {
      await links.nth(index).click();
      assert.equal(await page.evaluate(() => document.activeElement?.id), id);
      const beside = await page.locator(`#${id}-err`).innerText();
      assert.equal(beside.replace(EN.t('page.error-word').trim(), '').trim(), await links.nth(index).innerText());
      assert.equal(await page.locator(`#${id}`).getAttribute('aria-invalid'), 'true');
    }
    for (const [id, value] of Object.entries(WRONG)) assert.equal(await page.locator(`#${id}`).inputValue(), value);
    assert.equal(await page.locator('#exclude').inputValue(), '/private/\n*.tmp');
    assert.ok(!(await page.content()).includes(NEW_PASSWORD), 'the password went back into the page');
    assert.equal(await page.locator('#password').inputValue(), '');
    assert.deepEqual(await violations(page, 'the edit page with faults'), []);
    assert.equal(fixture.services.tasks.get(taskId)?.name, 'Garage Morel', 'nothing is saved yet');
  });

  it('is saved once they are right, with the password that was typed before', async () => {
    const right = {
      name: 'Garage Morel & fils',
      host: '127.0.0.1',
      port: String(server.address.port),
      maxSize: '500 MB',
      connections: '3',
    };
    for (const [id, value] of Object.entries(right)) await page.locator(`#${id}`).fill(value);
    await page.locator('.savebar .primary').click();
    await page.waitForURL(/\/tasks\/\d+-garage-morel-fils/);
    const { settings } = fixture.services.tasks.get(taskId) ?? {};
    assert.equal(settings?.source.password.reveal(), NEW_PASSWORD);
    assert.equal(settings.filters.maxSizeBytes, 500 * 1024 ** 2);
    assert.deepEqual(settings.filters.exclude, ['/private/', '*.tmp']);
  });

  it('shows both sides where it was changed in another window meanwhile, and loses neither', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}/edit`);
    const other = await fixture.openSignedIn();
    await other.goto(`${fixture.origin}/tasks/${taskId}/edit`);
    await other.locator('#connections').fill('5');
    await other.locator('.savebar .primary').click();
    await other.waitForURL(/\/tasks\/\d+-/);
    await page.locator('#name').fill('Garage Morel');
    assert.equal(await statusOf(page, () => page.locator('.savebar .primary').click()), 409);
    assert.equal(await page.locator('#name').inputValue(), 'Garage Morel');
    assert.match(await page.locator('.both').innerText(), /5/);
    assert.equal(fixture.services.tasks.get(taskId)?.settings?.connections, 5);
    assert.deepEqual(await violations(page, 'the edit page after a conflict'), []);
    await page.locator('.savebar .primary').click();
    await page.waitForURL(/\/tasks\/\d+-garage-morel$/);
    assert.equal(fixture.services.tasks.get(taskId)?.name, 'Garage Morel');
  });

  it('can be paused and goes on again', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}`);
    await page.locator('.head details.menu summary').click();
    await page.getByRole('button', { name: EN.t('act.pause') }).click();
    await page.locator('.head .pill[data-state="paused"]').waitFor();
    assert.equal(fixture.services.tasks.get(taskId)?.isPaused, true);
    await page.locator('.head details.menu summary').click();
    await page.getByRole('button', { name: EN.t('act.resume') }).click();
    await page.locator('.head .pill[data-state="ok"]').waitFor();
    assert.equal(fixture.services.tasks.get(taskId)?.isPaused, false);
  });

  it('is deleted without its files, unless somebody means it: Cancel has the focus, keeping is chosen', async () => {
    const folder = join(fixture.nas, 'garage-morel');
    await page.locator('.head details.menu summary').click();
    await page.getByRole('link', { name: EN.t('act.delete.task') }).click();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), EN.t('act.cancel'));
    assert.ok(await page.getByLabel(EN.t('dg.task.keep')).isChecked());
    await page.getByRole('button', { name: EN.t('dg.task.go'), exact: true }).click();
    await page.waitForURL(/\/tasks$/);
    assert.match(await page.locator('#flash').innerText(), new RegExp(folder));
    assert.equal(fixture.services.tasks.get(taskId), undefined);
    assert.equal(filesBelow(join(folder, 'current')).length, 12);
    await page.goto(`${fixture.origin}/runs`);
    await page.getByText('Garage Morel', { exact: false }).first().waitFor();
    assert.match(await page.locator('.acts').innerText(), /admin.*Garage Morel/);
  });

  it('is deleted with its files only after its name was typed', async () => {
    const id = fixture.addTask('Old site', { source: server.address });
    assert.equal(await fixture.runToEnd(id), 'complete');
    const folder = join(fixture.nas, 'old-site');
    await page.goto(`${fixture.origin}/tasks/${id}/delete`);
    await page.locator('input[name="files"][value="delete"]').check();
    await page.locator('#confirm').fill('Old sight');
    assert.equal(await statusOf(page, () => page.getByRole('button', { name: EN.t('dg.task.gofiles') }).click()), 422);
    assert.deepEqual(await violations(page, 'the delete page with a fault'), []);
    assert.ok(existsSync(join(folder, 'current')));
    await page.locator('#confirm').fill('Old site');
    await page.getByRole('button', { name: EN.t('dg.task.gofiles') }).click();
    await page.waitForURL(/\/tasks$/);
    await until(() => filesBelow(folder).length === 0, 10_000, 'the files to go');
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});
