/** Names of files, folders, tasks and answers of a server that would like to be markup. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { EN, startBrowserFixture, statusOf, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { addEvents, addRun } from '../support/run-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const HOSTILE = [
  '<script>window.hacked = 1<\\script>',
  '<img src=x onerror=window.hacked=1>',
  `"><svg onload=window.hacked=1>`,
  `' onmouseover='window.hacked=1`,
  'javascript:window.hacked=1',
  '&lt;b&gt;&amp; ${window.hacked=1} <%= 1 %>',
  'x'.repeat(255),
];
/** FTP itself cannot send these; a log or a database may hold them. */
const LINE_BREAKS = 'two\nlines\r\n<img src=x onerror=window.hacked=1>';

const skip = whyBrowserIsMissing() ?? false;

describe('a hostile name', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  let taskId: number;
  const name = '<img src=x onerror=window.hacked=1> "site"';
  before(async () => {
    server = await startScriptedServer();
    for (const hostile of HOSTILE) {
      server.tree.writeFile(`/${hostile}/${hostile}`, hostile);
      server.tree.writeFile(`/refused/${hostile}`, hostile);
      const reply = `550 ${hostile.slice(0, 60)}: no`;
      server.addFault({ command: 'RETR', path: `/refused/${hostile}` }, { reply });
    }
    fixture = await startBrowserFixture();
    taskId = fixture.addTask(name, {
      source: server.address,
      more: { retries: { attempts: 1, firstDelaySeconds: 0 } },
    });
    page = await fixture.openSignedIn();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  const nothingHappens = async (where: string): Promise<void> => {
    // Broken pictures and scripts would have had their turn by then.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
    const found = await page.evaluate(() => ({
      hacked: 'hacked' in window,
      elements: document.querySelectorAll(
        'img[src="x"], svg[onload], [onmouseover], [onerror], main script, a[href^="javascript"]',
      ).length,
    }));
    assert.deepEqual(found, { hacked: false, elements: 0 }, where);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${where} is ${wide} px too wide`);
  };

  it('is only text while its file is being copied', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}`);
    await page.getByRole('button', { name: EN.t('act.backup') }).click();
    await page.locator('.head .pill[data-state="partial"]').waitFor();
    await nothingHappens('the task');
  });

  it('is only text on every tab of its run, whole and readable', async () => {
    const run = fixture.services.runs.list({ taskId }, 1)[0];
    for (const rest of [
      '',
      '?tab=files',
      '?tab=log',
      '?cause=file-refused',
      `?tab=files&q=${encodeURIComponent(HOSTILE[1] ?? '')}`,
    ]) {
      await page.goto(`${fixture.origin}/runs/${run?.id}${rest}`);
      await nothingHappens(`the run ${rest}`);
    }
    await page.goto(`${fixture.origin}/runs/${run?.id}?cause=file-refused`);
    const shown = await page.locator('.path').allInnerTexts();
    for (const hostile of HOSTILE)
      assert.ok(
        shown.some((path) => path.endsWith(hostile)),
        hostile,
      );
  });

  it('is only text with line breaks, too', async () => {
    const runId = addRun(fixture.services, taskId, 'incomplete', { report: { failureCount: 2, counts: {} } });
    addEvents(fixture.services, runId, [
      { level: 'failure', code: 'permission-denied', path: `/${LINE_BREAKS}`, detail: LINE_BREAKS },
      { level: 'failure', code: LINE_BREAKS, path: LINE_BREAKS, detail: undefined },
    ]);
    await page.goto(`${fixture.origin}/runs/${runId}`);
    await nothingHappens('a run with line breaks');
  });

  it('is only text in lists, in the log, on the edit and the delete page and as a search', async () => {
    const paths = [
      '/tasks',
      '/runs',
      '/logs',
      `/logs?q=${encodeURIComponent(HOSTILE[0] ?? '')}`,
      `/tasks?q=${encodeURIComponent(name)}`,
    ];
    for (const path of [...paths, `/tasks/${taskId}/runs`, `/tasks/${taskId}/edit`, `/tasks/${taskId}/delete`]) {
      await page.goto(fixture.origin + path);
      await nothingHappens(path);
    }
  });

  it('is only text in the folder picker, and can be chosen there', async () => {
    await page.goto(`${fixture.origin}/tasks/new`);
    await page.locator('label', { hasText: /^FTP$/ }).click();
    await page.locator('#host').fill(server.address.host);
    await page.locator('#port').fill(String(server.address.port));
    await page.locator('#user').fill(SCRIPTED_USER);
    await page.locator('#password').fill(SCRIPTED_PASSWORD);
    await page.locator('#name').fill('Picked');
    await page.locator('.savebar .primary').click();
    await page.waitForURL('**/folders');
    await nothingHappens('the folder picker');
    const folder = HOSTILE[1] ?? '';
    await page.getByRole('button', { name: EN.t('wz.open', { name: folder }), exact: true }).click();
    await page.locator('[data-picker] [aria-current]', { hasText: folder }).waitFor();
    assert.equal(await page.locator('[data-chosen]').first().innerText(), `/${folder}`);
    await nothingHappens('the open folder');
  });

  it('does not lead out of the shared folder, however the path is written', async () => {
    await page.goto(`${fixture.origin}/tasks/${taskId}/edit`);
    for (const path of [
      '/etc',
      `${fixture.nas}/../../etc`,
      `${fixture.nas}/x/../../..`,
      '../../etc',
      `${fixture.nas}\u0000/x`,
    ]) {
      await page.locator('#target').fill(path);
      assert.equal(await statusOf(page, () => page.locator('.savebar .primary').click()), 422, path);
      assert.equal(await page.locator('#target').getAttribute('aria-invalid'), 'true', path);
    }
    await until(() => fixture.services.runner.activities().length === 0, 5000, 'quiet');
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});
