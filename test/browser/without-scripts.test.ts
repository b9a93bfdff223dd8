/** Every page works where no script runs. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import {
  EN,
  FR,
  filesBelow,
  startBrowserFixture,
  statusOf,
  until,
  whyBrowserIsMissing,
} from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const FILES = 150;

const skip = whyBrowserIsMissing() ?? false;

describe('without scripts', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  before(async () => {
    // Slow enough to be stopped on the way.
    server = await startScriptedServer({ delayMs: 60 });
    for (let index = 0; index < FILES; index++) server.tree.writeFile(`/www/site/page-${index}.html`, `page ${index}`);
    fixture = await startBrowserFixture();
    page = await fixture.openSignedIn({ javaScriptEnabled: false });
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  // Without scripts the driver is not told of a finished load.
  const arriveAt = (step: string): Promise<void> =>
    page.locator('.steps [aria-current]', { hasText: EN.t(`wz.step.${step}`) }).waitFor();

  it('a task is made, with the connection tested and a folder found', async () => {
    await page.goto(`${fixture.origin}/tasks/new`);
    await page.locator('label', { hasText: /^FTP$/ }).click();
    await page.locator('#host').fill(server.address.host);
    await page.locator('#port').fill(String(server.address.port));
    await page.locator('#user').fill(SCRIPTED_USER);
    await page.locator('#password').fill('wrong');
    await page.locator('#name').fill('No scripts');
    assert.equal(await statusOf(page, () => page.getByRole('button', { name: EN.t('wz.test') }).click()), 422);
    await page.locator('#test.err').waitFor();
    await page.locator('#password').fill(SCRIPTED_PASSWORD);
    await page.getByRole('button', { name: EN.t('wz.test') }).click();
    await arriveAt('folders');
    await page.getByRole('button', { name: EN.t('wz.open', { name: 'www' }) }).click();
    await page.getByRole('radio', { name: 'site', exact: true }).check();
    await page.getByRole('button', { name: EN.t('act.browse') }).click();
    await page.locator('[data-picker="goLocal"]').waitFor();
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();
    await arriveAt('schedule');
    await page.locator('label', { hasText: EN.t('when.interval') }).click();
    await page.locator('#everyCount').fill('12');
    await page.getByRole('button', { name: EN.t('f.preview') }).click();
    assert.match(await page.locator('#next').innerText(), /\d\d:\d\d/);
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();
    await arriveAt('check');
    await page.getByRole('button', { name: EN.t('act.create') }).click();
    await page.locator('h1', { hasText: 'No scripts' }).waitFor();
    assert.deepEqual(fixture.services.tasks.list()[0]?.schedule.rule, { kind: 'interval', everyMinutes: 720 });
    assert.equal(fixture.services.tasks.list()[0]?.settings?.source.folder, '/www/site');
  });

  it('its run is watched by Refresh, as of a time that is told, and stopped', async () => {
    const [task] = fixture.services.tasks.list();
    const current = `${task?.settings?.target.folder ?? ''}/current`;
    await until(() => filesBelow(current).length > 0, 15_000, 'the first file');
    await page
      .locator('.asof')
      .getByRole('link', { name: EN.t('app.refresh') })
      .first()
      .click();
    await page.locator('.pill[data-state="running"]').first().waitFor();
    assert.match(await page.locator('.asof').first().innerText(), /\d\d:\d\d/);
    assert.ok((await page.locator('progress.lg').getAttribute('value')) !== null);
    await page.getByRole('button', { name: EN.t('act.stop') }).click();
    await until(() => fixture.services.runner.activities().length === 0, 15_000, 'the run to stop');
    await page
      .locator('nav.tabs')
      .getByRole('link', { name: EN.t('tab.overview') })
      .click();
    await page.locator('.pill[data-state="cancelled"]').first().waitFor();
    const files = filesBelow(current).length;
    assert.ok(files > 0 && files < FILES, `${files} files`);
  });

  it('its run is read: what came, and its log', async () => {
    await page.locator('.runs a.name').first().click();
    await page
      .locator('.runtabs')
      .getByRole('link', { name: EN.t('run.log'), exact: true })
      .click();
    await page.locator('.log tbody tr').first().waitFor();
    await page
      .locator('.crumbs')
      .getByRole('link', { name: EN.t('nav.tasks') })
      .click();
    await page.locator('.tasks').waitFor();
  });

  it('ticked tasks are paused, and nothing ticked is said', async () => {
    await page.locator('#bulk button[value="pause"]').click();
    assert.match(await page.locator('#flash').innerText(), new RegExp(EN.t('ok.bulk.none')));
    await page.locator('input[name="task"]').check();
    await page.locator('#bulk button[value="pause"]').click();
    await page.locator('.pill[data-state="paused"]').waitFor();
  });

  it('a setting is changed, and the page is French from then on', async () => {
    await page
      .locator('.side')
      .getByRole('link', { name: EN.t('nav.settings') })
      .click();
    await page.locator('select[name="language"]').selectOption('fr');
    await page.locator('#runsMax').fill('3');
    await page.locator('.savebar .primary').click();
    await page.getByText(FR.t('ok.saved')).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
    assert.equal(fixture.services.settings.read().runsMax, 3);
  });
});
