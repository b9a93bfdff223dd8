/** The list as an agency sees it: fifty sites, each with a past. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EN, FR, startBrowserFixture, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { addRun } from '../support/run-fixture.ts';

const TASKS = 50;
const RUNS = 29;
const DAY_MS = 86_400_000;
/** ui.md 2.5, unminified. */
const HTML_BYTES_MAX = 60 * 1024;
const NODES_MAX = 1500;
const NAMES = ['Garage Morel', 'Mairie de Saint-Aubin-sur-Mer', 'Atelier Dupont', 'Boutique Lumière', 'Lycée Voltaire'];

const skip = whyBrowserIsMissing() ?? false;

describe('fifty tasks on one page', { skip }, () => {
  let fixture: BrowserFixture;
  let lastTask = 0;
  before(async () => {
    fixture = await startBrowserFixture();
    const stored = { files: 12_345, bytes: 2.3e9 };
    const counts = { listed: 12_345, downloaded: 14 };
    const cause = { code: 'login-rejected', facts: { user: 'site', host: 'ftp.example.net' } };
    const report = { bytes: 3e6, durationMs: 60_000, counts, failureCount: 3, stored, cause };
    for (let index = 0; index < TASKS; index++) {
      const name = `${NAMES[index % NAMES.length] ?? ''} ${index + 1}`;
      const host = `ftp.cluster${index + 100}.hosting.example.net`;
      const rule = { kind: 'weekly', days: [0, 1, 2, 3, 4, 5, 6], times: ['02:00'] } as const;
      lastTask = fixture.addTask(name, {
        source: { host, folder: '/www', protocol: index % 2 === 0 ? 'ftp' : 'ftps' },
        schedule: { rule, allowedHours: undefined },
      });
      for (let days = RUNS; days > 0; days--) {
        const outcome =
          (days + index) % 9 === 0 ? 'incomplete' : (days + index) % 13 === 0 ? 'failed' : ('complete' as const);
        addRun(fixture.services, lastTask, outcome, { agoMs: days * DAY_MS, report });
      }
    }
  });
  after(() => fixture.stop());

  for (const [locale, text] of [
    ['en-GB', EN],
    ['fr-FR', FR],
  ] as const) {
    it(`stays within what a page may weigh, in ${text.language}`, async () => {
      const page = await fixture.openSignedIn({ locale });
      const answer = await page.goto(`${fixture.origin}/tasks`);
      const bytes = (await answer?.body())?.length ?? Infinity;
      assert.equal(await page.locator('.tasks tbody tr').count(), TASKS);
      assert.ok(bytes <= HTML_BYTES_MAX, `${bytes} bytes of HTML`);
      const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
      assert.ok(nodes <= NODES_MAX, `${nodes} nodes`);
    });
  }

  it('gives each row its menu, whose entries lead to that task', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/tasks?sort=name`);
    const row = page.locator('tr', { has: page.locator(`input[name="task"][value="${lastTask}"]`) });
    const name = fixture.services.tasks.get(lastTask)?.name ?? '';
    await row.locator('.more').click();
    assert.equal(await row.locator('summary').getAttribute('title'), `${EN.t('dash.more')}: ${name}`);
    assert.deepEqual(
      await row
        .locator('.menu-list a')
        .evaluateAll((links) => links.map((link) => new URL((link as HTMLAnchorElement).href).pathname)),
      ['edit', 'runs', 'delete'].map((last) => `/tasks/${lastTask}/${last}`),
    );
    await row.getByRole('button', { name: EN.t('act.duplicate') }).click();
    await page.waitForURL(/\/edit$/);
    assert.equal(fixture.services.tasks.list().length, TASKS + 1);
  });

  it('is as it was after Back, and after a button below it: filter, search and order', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/tasks`);
    await page.locator('.filters a[href*="state=attention"]').click();
    await page.locator('input[type="search"]').fill('morel');
    await page.keyboard.press('Enter');
    await page.locator('thead a[href*="sort=name"]').click();
    await page.waitForURL(/sort=name/);
    const [list, rows] = [page.url(), await page.locator('.tasks tbody .nm').allTextContents()];
    assert.ok(rows.length > 1 && rows.length < TASKS / 2, `${rows.length} rows`);
    assert.match(list, /state=attention&q=morel&sort=name/);
    const assertSame = async (): Promise<void> => {
      await page.waitForURL(list);
      assert.deepEqual(await page.locator('.tasks tbody .nm').allTextContents(), rows);
      assert.equal(await page.locator('input[type="search"]').inputValue(), 'morel');
      assert.match((await page.locator('.filters [aria-current]').getAttribute('href')) ?? '', /state=attention/);
    };
    await page.locator('.tasks tbody .nm a').first().click();
    await page.getByRole('link', { name: EN.t('tab.history'), exact: true }).click();
    await page.waitForURL(/\/runs$/);
    await page.goBack();
    await page.goBack();
    await assertSame();
    await page.reload();
    await assertSame();
    await page.getByRole('button', { name: EN.t('act.pause'), exact: true }).click();
    await page.getByText(EN.t('ok.bulk.none')).first().waitFor();
    await assertSame();
  });

  it('ticks a task wherever in its cell one presses', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/tasks`);
    const cell = page.locator('.tasks td.c').nth(3);
    await cell.click({ position: { x: 4, y: 4 } });
    assert.ok(await cell.locator('input').isChecked());
    await page.getByRole('button', { name: EN.t('act.pause'), exact: true }).click();
    await page.locator('.pill[data-state="paused"]').waitFor();
    const paused = fixture.services.tasks.list().filter((task) => task.isPaused && !task.name.includes('(2)'));
    assert.equal(paused.length, 1);
  });

  it('starts nothing where Enter is pressed in a box', async () => {
    const page = await fixture.openSignedIn();
    await page.goto(`${fixture.origin}/tasks`);
    await page.locator('.tasks td.c input').nth(3).check();
    await page.keyboard.press('Enter');
    await page.getByText(EN.t('ok.bulk.nothing')).first().waitFor();
    assert.deepEqual(fixture.services.runner.activities(), []);
  });

  it('offers everything without scripts, too, one page further', async () => {
    const page = await fixture.openSignedIn({ javaScriptEnabled: false });
    await page.goto(`${fixture.origin}/tasks?sort=name`);
    await page.locator(`.more[href="/tasks/${lastTask}"]`).click();
    for (const words of ['act.edit', 'act.duplicate', 'act.delete.task', 'tab.history']) {
      assert.ok((await page.getByText(EN.t(words), { exact: true }).count()) > 0, words);
    }
  });

  it('asks for nothing elsewhere, and no script or policy fails on the way', () => {
    assert.deepEqual(fixture.complaints, []);
  });
});
