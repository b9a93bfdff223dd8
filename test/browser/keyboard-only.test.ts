/** A task made and run without a mouse. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { EN, filesBelow, startBrowserFixture, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const TABS_MAX = 80;

const skip = whyBrowserIsMissing() ?? false;

describe('the keyboard alone', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  before(async () => {
    server = await startScriptedServer();
    server.tree.writeFile('/www/index.html', 'hello');
    server.tree.writeFile('/private/notes.txt', 'not to be copied');
    fixture = await startBrowserFixture();
    page = await fixture.openSignedIn();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  it('makes a task in four steps and runs it', async () => {
    await page.goto(`${fixture.origin}/tasks`);
    await press(page, page.getByRole('link', { name: EN.t('dash.new') }), 'Enter');
    await page.waitForURL('**/connection');

    await tabTo(page, page.locator('input[name="protocol"]:checked'));
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.locator('input[name="protocol"]:checked').inputValue(), 'ftp');
    await type(page, page.locator('#host'), server.address.host);
    await type(page, page.locator('#port'), String(server.address.port));
    await type(page, page.locator('#user'), SCRIPTED_USER);
    await type(page, page.locator('#password'), SCRIPTED_PASSWORD);
    await type(page, page.locator('#name'), 'By keyboard');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/folders');

    await tabTo(page, page.locator('[data-picker="goRemote"] input[type="radio"]:checked'));
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    assert.equal(await page.locator('[data-picker="goRemote"] input[type="radio"]:checked').inputValue(), '/www');
    await press(page, page.getByRole('button', { name: EN.t('act.next'), exact: true }), 'Enter');
    await page.waitForURL('**/schedule');

    await tabTo(page, page.locator('input[name="scheduleKind"]:checked'));
    for (let steps = 0; steps < 3; steps++) await page.keyboard.press('ArrowRight');
    assert.equal(await page.locator('input[name="scheduleKind"]:checked').inputValue(), 'manual');
    await press(page, page.getByRole('button', { name: EN.t('act.next'), exact: true }), 'Enter');
    await page.waitForURL('**/check');

    assert.ok(await page.getByLabel(EN.t('wz.start')).isChecked());
    await press(page, page.getByRole('button', { name: EN.t('act.create') }), 'Enter');
    await page.waitForURL(/\/tasks\/\d+-by-keyboard/);
    await page.locator('.head .pill[data-state="ok"]').waitFor();
    assert.deepEqual(filesBelow(`${fixture.nas}/by-keyboard/current`), ['index.html']);
  });

  it('opens a menu, walks through it and leaves it by Esc, back to where it was', async () => {
    await page.goto(`${fixture.origin}/tasks`);
    // The link becomes a menu as soon as the focus comes to it.
    const menu = page.locator('.tasks .ac summary');
    await tabTo(page, page.locator('.tasks .ac .more'));
    await page.keyboard.press('Enter');
    await page.locator('.tasks details.menu[open]').waitFor();
    await page.keyboard.press('ArrowDown');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent.trim()), EN.t('act.edit'));
    await page.keyboard.press('Escape');
    assert.ok(await menu.evaluate((summary) => summary === document.activeElement));
    assert.equal(await page.locator('details.menu[open]').count(), 0);
  });

  it('gets to the content by the first stop, and to the search by the slash', async () => {
    await page.goto(`${fixture.origin}/tasks`);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), EN.t('nav.skip'));
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'q');
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});

/** Goes on by Tab until the focus is on `wanted`, as somebody does who sees where it is. */
async function tabTo(page: Page, wanted: Locator): Promise<void> {
  for (let tabs = 0; tabs < TABS_MAX; tabs++) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not lead to ${String(wanted)}`);
}

async function press(page: Page, wanted: Locator, key: string): Promise<void> {
  await tabTo(page, wanted);
  await page.keyboard.press(key);
}

async function type(page: Page, wanted: Locator, words: string): Promise<void> {
  await tabTo(page, wanted);
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type(words);
}
