/** From the first start to a finished backup of a real server over TLS, as somebody would do it with a mouse. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import {
  EN,
  OWNER,
  filesBelow,
  startBrowserFixture,
  statusOf,
  until,
  whyBrowserIsMissing,
} from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { whyServerIsMissing } from '../support/debian-package-files.ts';
import { startRealServer } from '../support/real-ftp-servers.ts';
import type { RealServer } from '../support/real-ftp-servers.ts';
import { writeTree } from '../support/tree-compare.ts';

const FILES = 90;
const FILE_BYTES = 60_000;
/** Slow enough to watch some seconds of it. */
const SPEED = '500 KB/s';
const CONNECTIONS = 2;
const FIGURES_WATCHED_MS = 8000;

const skip = whyBrowserIsMissing() ?? whyServerIsMissing('vsftpd') ?? false;

describe('a first backup in the browser', { skip }, () => {
  let fixture: BrowserFixture;
  let server: RealServer;
  let page: Page;
  let taskUrl = '';
  const root = mkdtempSync(join(tmpdir(), 'site-backup-root-'));
  const tree = Object.fromEntries([
    ['index.html', 'hello'],
    ...Array.from({ length: FILES }, (_, index) => [
      `www/page-${String(index).padStart(3, '0')}.html`,
      { content: Buffer.alloc(FILE_BYTES, index) },
    ]),
  ]) as Parameters<typeof writeTree>[1];

  before(async () => {
    writeTree(root, tree);
    server = await startRealServer({ software: 'vsftpd', tls: 'explicit', root });
    fixture = await startBrowserFixture();
    page = await fixture.open();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  });

  it('is set up with the one-time code, and nobody gets past the set-up before', async () => {
    await page.goto(`${fixture.origin}/tasks`);
    assert.equal(new URL(page.url()).pathname, '/setup');
    await page.locator('#code').fill('WRONG-CODE');
    await page.locator('#name').fill(OWNER.name);
    await page.locator('#password').fill(OWNER.password);
    await page.locator('#again').fill(OWNER.password);
    assert.equal(await statusOf(page, () => page.getByRole('button', { name: EN.t('su.go') }).click()), 422);
    assert.ok(!(await page.content()).includes(OWNER.password));
    await page.locator('#code').fill(fixture.setupCode ?? '');
    await page.locator('#password').fill(OWNER.password);
    await page.locator('#again').fill(OWNER.password);
    await page.getByRole('button', { name: EN.t('su.go') }).click();
    await page.waitForURL('**/tasks');
    await page.getByRole('heading', { name: EN.t('dash.empty.h') }).waitFor();
  });

  it('becomes a task in four steps, with the certificate pinned on the page', async () => {
    await page.getByRole('link', { name: EN.t('dash.new') }).click();
    await page.locator('#host').fill(server.host);
    await page.locator('#port').fill(String(server.port));
    await page.locator('#user').fill(server.user);
    await page.locator('#password').fill(server.password);
    await page.locator('#name').fill('Atelier Martin');
    // A certificate that nobody signed is shown, and never taken by itself.
    assert.equal(await statusOf(page, () => page.getByRole('button', { name: EN.t('wz.test') }).click()), 422);
    const shown = await page.locator('#test dd.mono').last().innerText();
    assert.equal(shown.replace(/[^0-9a-f]/gi, '').toLowerCase(), server.fingerprint);
    assert.ok(!(await page.content()).includes(server.password));
    await page.getByLabel(EN.t('ct.trust')).check();
    await page.getByRole('button', { name: EN.t('wz.test') }).click();

    await page.waitForURL('**/folders');
    await page.getByText(EN.t('wz.tls-pinned')).waitFor();
    await page.getByRole('button', { name: EN.t('wz.open', { name: 'www' }) }).click();
    await page.locator('[data-picker] .pathbar [aria-current]', { hasText: 'www' }).waitFor();
    assert.equal(await page.locator('[data-chosen]').first().innerText(), '/www');
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();

    await page.waitForURL('**/schedule');
    await page.getByText(EN.t('when.manual'), { exact: true }).click();
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();

    await page.waitForURL('**/check');
    await page.getByLabel(EN.t('wz.start')).uncheck();
    await page.getByRole('button', { name: EN.t('act.create') }).click();
    await page.waitForURL(/\/tasks\/\d+-atelier-martin/);
    taskUrl = page.url();
    assert.match(await page.locator('#flash').innerText(), /Atelier Martin/);
  });

  it('is slowed down on the edit page, and told to read nothing twice', async () => {
    await page
      .locator('.head')
      .getByRole('link', { name: EN.t('act.edit') })
      .click();
    await page.locator('#speed').fill(SPEED);
    await page.locator('#connections').fill(String(CONNECTIONS));
    // What a run reads again to compare it would be taken for what a resumed one brings again.
    await page.locator('#sample').fill('');
    await page.getByRole('button', { name: EN.t('act.save'), exact: true }).click();
    await page.waitForURL(taskUrl);
    const settings = fixture.services.tasks.list()[0]?.settings;
    assert.equal(settings?.speed.bytesPerSecond, 500 * 1024);
    assert.equal(settings.verification.sampleBytes, 0);
  });

  it('shows its numbers moving every second or two, and nothing moves sideways', async () => {
    await page.getByRole('button', { name: EN.t('act.backup') }).click();
    await page.locator('progress.lg[value]').waitFor();
    const figures = page.locator('.prog [data-live$=".headline"]');
    await until(async () => /\d/.test(await figures.innerText()), 15_000, 'the first numbers');
    const watched = await page.evaluate(watchFigures, FIGURES_WATCHED_MS);
    const gaps = watched.atMs.slice(1).map((atMs, index) => atMs - (watched.atMs[index] ?? 0));
    gaps.sort((a, b) => a - b);
    const middle = gaps[Math.floor(gaps.length / 2)] ?? 0;
    assert.ok(gaps.length >= 3, `only ${gaps.length + 1} changes in ${FIGURES_WATCHED_MS} ms`);
    assert.ok(middle >= 900 && middle <= 2000, `numbers change every ${Math.round(middle)} ms`);
    assert.deepEqual(
      watched.lefts.filter((lefts) => new Set(lefts).size > 1),
      [],
      'figures that moved sideways',
    );
    assert.match(await page.title(), /^\d+% /);
  });

  it('stops on request at a whole file, and says so', async () => {
    await page.getByRole('button', { name: EN.t('act.stop') }).click();
    await page.locator('.head .pill[data-state="cancelled"]').waitFor();
    const files = filesBelow(join(fixture.nas, 'atelier-martin', 'current'));
    assert.ok(files.length > 0 && files.length < FILES, `${files.length} files`);
    assert.equal(fixture.services.runs.list({}, 1)[0]?.outcome, 'cancelled');
  });

  it('goes on from there at the next run, to the end', async () => {
    await page.getByRole('button', { name: EN.t('act.backup') }).click();
    await page.locator('.head .pill[data-state="ok"]').waitFor({ timeout: 40_000 });
    assert.equal(filesBelow(join(fixture.nas, 'atelier-martin', 'current')).length, FILES);
    const [second, first] = fixture.services.runs.list({}, 2).map((run) => JSON.parse(run.report ?? '{}') as Reported);
    const again = (first?.bytes ?? 0) + (second?.bytes ?? 0) - FILES * FILE_BYTES;
    assert.ok(again >= 0 && again < CONNECTIONS * FILE_BYTES, `${again} bytes came again, more than was in hand`);
  });

  it('is explained by the page of its run', async () => {
    await page.locator('.runs a.name').first().click();
    await page.waitForURL('**/runs/*');
    await page.getByText(EN.t('run.fact.speed', { x: '' }).trim()).waitFor();
    assert.match(await page.locator('.figs').innerText(), new RegExp(`\\b${FILES}\\b`));
    await page.locator('.runtabs a').nth(1).click();
    await page.locator('.path .base', { hasText: 'page-089.html' }).waitFor();
    await page
      .locator('.runtabs')
      .getByRole('link', { name: EN.t('run.log'), exact: true })
      .click();
    await page.locator('.log tbody tr').first().waitFor();
    assert.ok(!(await page.content()).includes(server.password));
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});

interface Reported {
  readonly bytes: number;
}

/** Runs in the page: when the numbers changed, and where each figure stood meanwhile. Parts of the page are replaced. */
function watchFigures(forMs: number): Promise<{ atMs: number[]; lefts: number[][] }> {
  return new Promise((resolve) => {
    const atMs: number[] = [];
    const lefts: number[][] = [];
    let shown = '';
    const observer = new MutationObserver(() => {
      const words = document.querySelector('.prog [data-live$=".headline"]')?.textContent ?? '';
      if (words === shown) return;
      shown = words;
      atMs.push(performance.now());
      document.querySelectorAll('.figs dt, .prog h2').forEach((figure, index) => {
        (lefts[index] ??= []).push(Math.round(figure.getBoundingClientRect().left));
      });
    });
    observer.observe(document.body, { childList: true, characterData: true, subtree: true });
    setTimeout(() => {
      observer.disconnect();
      resolve({ atMs, lefts });
    }, forMs);
  });
}
