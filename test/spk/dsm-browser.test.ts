/** The pages behind DSM's nginx, in a browser: from the DSM menu to a running backup, and out again. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { EN, FR, filesBelow, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import { FakeDsm } from '../support/fake-dsm.ts';
import { startDsmNginx, whyNginxIsMissing } from '../support/dsm-nginx.ts';
import type { DsmNginx } from '../support/dsm-nginx.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { serviceOptions } from '../support/service-options.ts';

const FILES = 100;
/** Long: a machine that is busy with other tests takes its time. */
const MOMENT_MS = 60_000;

const skip = whyBrowserIsMissing() ?? whyNginxIsMissing() ?? false;

describe('the pages on a DSM', { skip }, () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'site-backup-on-dsm-')));
  const [stateDir, share] = [join(folder, 'state'), join(folder, 'web-backup')];
  let dsm: FakeDsm;
  let service: Service;
  let nginx: DsmNginx;
  let browser: Browser;
  let server: ScriptedServer;
  const complaints: string[] = [];
  before(async () => {
    mkdirSync(share);
    dsm = new FakeDsm();
    service = await start(0);
    service.services.settings.write({ folderRoots: [share] });
    nginx = await startDsmNginx({ servicePort: service.port, stateDir, dsmPort: await dsm.listen() });
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
    server = await startScriptedServer({});
    for (let index = 0; index < FILES; index++) server.tree.writeFile(`/page-${index}.html`, `page ${index}`);
  });
  after(async () => {
    await browser.close();
    await nginx.stop();
    await service.stop();
    await server.stop();
    await dsm.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (port: number): Promise<Service> =>
    startService(
      serviceOptions(stateDir, { port, basePath: '/sitebackup/', access: 'dsm', dsmPrograms: dsm.programs }),
    );

  /** A browser of its own that has signed in to DSM as `user`; without one it has not. */
  const open = async (user?: string, options: BrowserContextOptions & { origin?: string } = {}): Promise<Page> => {
    const { origin = nginx.origin, ...more } = options;
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...more });
    context.setDefaultTimeout(MOMENT_MS);
    context.on('weberror', (error) => complaints.push(error.error().message));
    context.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text());
    });
    context.on('request', (asked) => {
      if (!asked.url().startsWith(`${origin}/`) && !asked.url().startsWith('data:')) complaints.push(asked.url());
    });
    const page = await context.newPage();
    if (user !== undefined) await page.goto(`${origin}/sign-in?user=${encodeURIComponent(user)}`);
    return page;
  };

  it('lead an administrator from the DSM menu straight to the list of tasks', async () => {
    const page = await open('boss');
    await page.goto(`${nginx.origin}/`);
    await page.getByRole('link', { name: 'Site Backup' }).click();
    await page.waitForURL('**/sitebackup/tasks');
    await page.getByRole('heading', { name: EN.t('dash.empty.h') }).waitFor();
    assert.doesNotMatch(page.url(), /token/i);
    // Back does not lead into the sign-in again, where it would go on forward by itself.
    await page.goBack();
    assert.equal(await page.title(), 'DSM');
    await page.context().close();
  });

  it('lead there over HTTPS too, with cookies that are for HTTPS only', async () => {
    const page = await open('boss', { origin: nginx.httpsOrigin, ignoreHTTPSErrors: true });
    await page.goto(`${nginx.httpsOrigin}/sitebackup`);
    await page.waitForURL('**/sitebackup/tasks');
    const ours = (await page.context().cookies()).filter((cookie) => cookie.name.includes('sitebackup_'));
    assert.ok(ours.length > 0 && ours.every((cookie) => cookie.secure && cookie.httpOnly));
    await page.context().close();
  });

  it('say to whoever is not signed in to DSM where to go, and let him in once he has been there', async () => {
    const page = await open();
    await page.goto(`${nginx.origin}/sitebackup/runs`);
    await page.getByText(EN.t('dl.nobody.h')).waitFor();
    assert.equal(await page.getByRole('link', { name: EN.t('dl.dsm') }).getAttribute('href'), '/');
    await page.getByRole('link', { name: EN.t('dl.again') }).click();
    await page.getByText(EN.t('dl.nobody.h')).waitFor();
    await page.goto(`${nginx.origin}/sign-in?user=boss`);
    await page.goBack();
    await page.waitForURL('**/sitebackup/runs');
    await page.context().close();
  });

  it('refuse a user of DSM who is no administrator, by name, and do not try again by themselves', async () => {
    const page = await open('anna');
    const calls = dsm.calls;
    await page.goto(`${nginx.origin}/sitebackup/`);
    await page.getByText(EN.t('dl.not-administrator.h', { name: 'anna' })).waitFor();
    assert.equal(dsm.calls, calls + 1);
    await page.context().close();
  });

  it('say without JavaScript that this one page needs it', async () => {
    const page = await open('boss', { javaScriptEnabled: false, locale: 'fr-FR' });
    await page.goto(`${nginx.origin}/sitebackup/`);
    const notice = page.locator('noscript .notice');
    assert.equal(await notice.isVisible(), true);
    assert.match((await notice.textContent()) ?? '', new RegExp(FR.t('dl.noscript.h')));
    await page.context().close();
  });

  it('make a backup: task by task, step by step, with numbers that move through nginx at once', async () => {
    const page = await open('boss');
    await page.goto(`${nginx.origin}/sitebackup/`);
    await page.waitForURL('**/tasks');
    await page.getByRole('link', { name: EN.t('dash.new') }).click();
    await page.locator('#protocol-ftp, [name="protocol"][value="ftp"]').first().check({ force: true });
    await page.locator('#host').fill(server.address.host);
    await page.locator('#port').fill(String(server.address.port));
    await page.locator('#user').fill(SCRIPTED_USER);
    await page.locator('#password').fill(SCRIPTED_PASSWORD);
    await page.locator('#name').fill('Atelier');
    await page.getByRole('button', { name: EN.t('wz.test') }).click();
    await page.waitForURL('**/folders');
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();
    await page.waitForURL('**/schedule');
    await page.getByText(EN.t('when.manual'), { exact: true }).click();
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();
    await page.waitForURL('**/check');
    await page.getByLabel(EN.t('wz.start')).check();
    // Slow until enough was seen, so that the run is not over before a busy machine has looked four times.
    server.options.delayMs = 500;
    await page.getByRole('button', { name: EN.t('act.create') }).click();
    await page.waitForURL(/\/sitebackup\/tasks\/\d+-atelier/);

    await page.evaluate(() => Object.assign(window, { isSamePage: true }));
    const figures = page.locator('.prog [data-live$=".headline"]');
    const seen = new Set<string>();
    await until(async () => seen.add(await figures.innerText()).size >= 4, MOMENT_MS, 'four different figures');
    server.options.delayMs = 0;
    await page.locator('.head .pill[data-state="ok"]').waitFor();
    assert.equal(await page.evaluate(() => 'isSamePage' in window), true, 'the page was reloaded');
    assert.equal(filesBelow(share).filter((path) => path.includes('current/')).length, FILES);
    await page.context().close();
  });

  it('send the stream of live numbers on unbuffered and uncompressed, though all else is', async () => {
    const page = await open('boss');
    await page.goto(`${nginx.origin}/sitebackup/`);
    await page.waitForURL('**/tasks');
    const cookie = (await page.context().cookies()).map((item) => `${item.name}=${item.value}`).join('; ');
    const stream = await firstBytes(nginx.port, '/sitebackup/events?topics=tasks', cookie);
    assert.equal(stream.encoding, undefined);
    // Less than any buffer holds: what is kept back until it is full would never come.
    assert.match(stream.text, /retry: \d+\n\n.*event: hello\n/s);
    await page.context().close();
  });

  it('let in again by themselves after a restart of the service, to where the browser was', async () => {
    const page = await open('boss');
    await page.goto(`${nginx.origin}/sitebackup/`);
    await page.waitForURL('**/tasks');
    const { port } = service;
    await service.stop();
    assert.equal((await page.goto(`${nginx.origin}/sitebackup/logs`))?.status(), 502);
    service = await start(port);
    await page.goto(`${nginx.origin}/sitebackup/logs`);
    await page.waitForURL('**/sitebackup/logs');
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.context().close();
  });

  it('sign out, and stay out until asked', async () => {
    const page = await open('boss');
    await page.goto(`${nginx.origin}/sitebackup/`);
    await page.waitForURL('**/tasks');
    await page.locator('details.account > summary').first().click();
    await page
      .getByRole('button', { name: EN.t('nav.sign-out') })
      .first()
      .click();
    await page.getByText(EN.t('dl.left.h')).waitFor();
    await page.reload();
    await page.getByText(EN.t('dl.left.h')).waitFor();
    await page.getByRole('link', { name: EN.t('lg.go') }).click();
    await page.waitForURL('**/tasks');
    await page.context().close();
  });

  it('ask for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(complaints, []);
  });
});

/** What comes of an answer that does not end until it holds a whole event. */
function firstBytes(port: number, path: string, cookie: string): Promise<{ text: string; encoding?: string }> {
  return new Promise((resolve, reject) => {
    const headers = { Cookie: cookie, 'Accept-Encoding': 'gzip' };
    const asked = request({ host: '127.0.0.1', port, path, headers, timeout: MOMENT_MS }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        if (!text.includes('event: hello')) return;
        const encoding = answer.headers['content-encoding'];
        resolve({ text, ...(encoding === undefined ? {} : { encoding }) });
        asked.destroy();
      });
    });
    asked.on('timeout', () => {
      reject(new Error('nothing came'));
      asked.destroy();
    });
    asked.on('error', reject);
    asked.end();
  });
}
