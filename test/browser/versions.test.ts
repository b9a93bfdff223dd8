/** Older versions on the pages: the rules, what they would prune, what can be looked at and fetched. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { EN, FR, filesBelow, startBrowserFixture, statusOf, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import type { BrowserFixture } from '../support/browser-fixture.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const HOSTILE = `<img src=x onerror=window.hacked=1> "&' %2e%2e`;
/** Bytes that are no UTF-8: é in Latin-1. */
const LATIN1 = Buffer.from('caf\xe9.txt', 'latin1').toString('latin1');
const BIG = 'x'.repeat(300_000);

const skip = whyBrowserIsMissing() ?? false;

describe('the versions of a task', { skip }, () => {
  let fixture: BrowserFixture;
  let server: ScriptedServer;
  let page: Page;
  let taskId: number;
  before(async () => {
    server = await startScriptedServer();
    server.tree.writeFile('/index.php', 'as it was before the hack');
    server.tree.writeFile('/big.bin', BIG);
    server.tree.writeFile(`/${HOSTILE}/${HOSTILE}.php`, 'hostile');
    server.tree.writeFile(`/${LATIN1}`, 'latin1');
    for (let n = 0; n < 405; n++) server.tree.writeFile(`/many/f${String(n).padStart(3, '0')}`, String(n));
    fixture = await startBrowserFixture();
    taskId = fixture.addTask('Shop', { source: server.address });
    assert.equal(await fixture.runToEnd(taskId), 'complete');
    server.tree.writeFile('/index.php', 'hacked');
    server.tree.writeFile('/big.bin', `${BIG}, changed`);
    assert.equal(await fixture.runToEnd(taskId), 'complete');
    page = await fixture.openSignedIn();
  });
  after(async () => {
    await fixture.stop();
    await server.stop();
  });

  const open = (path: string): Promise<number> => statusOf(page, () => page.goto(`${fixture.origin}${path}`));
  const fetched = async (name: string): Promise<string> => {
    const link = page.getByRole('link', { name: EN.t('vs.download', { name }), exact: true });
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    return readFileSync(await download.path(), 'latin1');
  };

  it('are listed newest first, and a file that was replaced is fetched as it was', async () => {
    await open(`/tasks/${taskId}/versions`);
    const rows = page.locator('main tbody tr');
    assert.equal(await rows.count(), 2);
    assert.match(await rows.nth(0).innerText(), new RegExp(EN.t('vs.latest')));
    await rows.nth(1).locator('a.name').click();
    assert.doesNotMatch(await page.locator('.crumbs').innerText(), /=>|time datetime/);
    assert.equal(await fetched('index.php'), 'as it was before the hack');
    assert.equal(await fetched('big.bin'), BIG);
    await open(`/tasks/${taskId}/versions/2`);
    assert.equal(await fetched('index.php'), 'hacked');
  });

  it('are led to by the run that left them, and counted on the page of the task', async () => {
    const runs = fixture.services.runs.list({ taskId }, 10);
    await open(`/runs/${runs.find((run) => run.localRunId === 1)?.id ?? 0}`);
    await page.getByRole('link', { name: EN.t('run.browse') }).click();
    await page.waitForURL(/\/versions\/1$/);
    await open(`/tasks/${taskId}`);
    const facts = await page.locator('.facts').first().innerText();
    const older = [EN.t('td.older'), EN.bytes(BIG.length + 25), EN.t('count.versions', { count: 2 })];
    assert.deepEqual(
      older.filter((words) => !facts.includes(words)),
      [],
    );
  });

  it('show names that would like to be markup, and names in no known encoding, and give their files', async () => {
    await open(`/tasks/${taskId}/versions/1`);
    assert.equal(await fetched('café.txt'), 'latin1');
    await page.getByRole('link', { name: HOSTILE, exact: true }).click();
    assert.equal(await page.locator('.pathbar b').innerText(), HOSTILE);
    assert.equal(await fetched(`${HOSTILE}.php`), 'hostile');
    await page.getByRole('link', { name: `${HOSTILE}.php`, exact: true }).click();
    assert.equal(await page.locator('h1').innerText(), `${HOSTILE}.php`);
    assert.equal(await page.locator('a[download]').count(), 1);
    assert.equal(
      await page.evaluate(() => 'hacked' in window || document.querySelector('img[src="x"]') !== null),
      false,
    );
  });

  it('show a large folder in pages, each name once', async () => {
    await open(`/tasks/${taskId}/versions/1?path=/many`);
    const names: string[] = [];
    for (;;) {
      names.push(...(await page.locator('main tbody tr td:first-child').allInnerTexts()));
      const next = page.getByRole('link', { name: EN.t('list.next') });
      if ((await next.count()) === 0) break;
      await Promise.all([page.waitForURL(/after=/), next.click()]);
    }
    const plain = names.map((name) => name.trim().slice(0, 4));
    assert.deepEqual(
      plain,
      Array.from({ length: 405 }, (_, n) => `f${String(n).padStart(3, '0')}`),
    );
  });

  it('never lead out of the version, and say what is not there', async () => {
    for (const path of ['/../../etc/passwd', '/no/such', '/index.php/x']) {
      assert.equal(await open(`/tasks/${taskId}/versions/1/file?path=${path}`), 404);
      assert.match(await page.locator('main').innerText(), new RegExp(EN.t('page.past.no-file')));
    }
    assert.equal(await open(`/tasks/${taskId}/versions/1?path=/../..`), 404);
    assert.equal(await open(`/tasks/${taskId}/versions/99`), 404);
    assert.match(await page.locator('main').innerText(), new RegExp(EN.t('page.past.unknown')));
  });

  it('are pinned and let go, and a reload does not do it again', async () => {
    await open(`/tasks/${taskId}/versions`);
    const oldest = page.locator('main tbody tr').nth(1);
    await oldest.getByRole('button').click();
    await page.waitForURL(/\/versions$/);
    assert.match(await oldest.innerText(), new RegExp(EN.t('vs.pinned')));
    await page.reload();
    await oldest.getByRole('button').click();
    await page.locator('.notice.ok').waitFor();
    assert.doesNotMatch(await oldest.innerText(), new RegExp(EN.t('vs.pinned')));
  });

  it('are kept by rules whose faults are shown where they are, without losing what was typed', async () => {
    await open(`/tasks/${taskId}/edit`);
    await page.locator('[name="keepRule"][value="last"]').check();
    await page.locator('#keepCount').fill('none');
    await page.locator('#quota').fill('50');
    await page.locator('[name="deletion"][value="delete"]').check();
    await page.locator('#deletionDays').fill('0');
    const save = page.locator('.savebar [value="save"]');
    assert.equal(await statusOf(page, () => save.click()), 422);
    const faults = await page.locator('.err-sum a').allInnerTexts();
    assert.deepEqual(faults, [EN.t('e.deletionDays'), EN.t('e.keepCount'), EN.t('e.quota')]);
    await page.locator('.err-sum a').nth(1).click();
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'keepCount');
    assert.equal(await page.locator('#quota').inputValue(), '50');
    await page.locator('#keepCount').fill('7');
    await page.locator('#quota').fill('50 GB');
    await page.locator('#deletionDays').fill('30');
    await save.click();
    // A fragment of the address outlives the redirect.
    await page.waitForURL(/\/tasks\/\d+-shop(#|$)/);
    const settings = fixture.services.tasks.get(taskId)?.settings;
    assert.deepEqual(settings?.deletion, { rule: 'delete', days: 30 });
    assert.equal(settings.versions.keep, 'last');
    assert.equal(settings.versions.count, 7);
    assert.equal(settings.versions.quotaBytes, 50 * 1024 ** 3);
  });

  it('show only the fields that the chosen rule needs, also without scripts', async () => {
    const plain = await fixture.openSignedIn({ javaScriptEnabled: false });
    await plain.goto(`${fixture.origin}/tasks/${taskId}/edit`);
    const shown = async (): Promise<boolean[]> =>
      Promise.all(['#keepCount', '#keepDays', '#keepHourly'].map((id) => plain.locator(id).isVisible()));
    for (const [rule, fields] of [
      ['smart', [true, false, false]],
      ['within', [false, true, false]],
      ['steps', [false, false, true]],
      ['all', [false, false, false]],
    ] as const) {
      await plain.locator(`[name="keepRule"][value="${rule}"]`).check();
      assert.deepEqual(await shown(), fields, rule);
    }
    await plain.context().close();
  });

  it('would go tonight as the page says, by what is typed, and nothing goes or is saved', async () => {
    const before = fixture.services.tasks.get(taskId)?.settings?.versions;
    await open(`/tasks/${taskId}/edit`);
    await page.locator('[name="keepRule"][value="last"]').check();
    await page.locator('#keepCount').fill('1');
    const ask = page.locator('[name="do"][value="prune"]');
    assert.equal(await statusOf(page, () => ask.click()), 200);
    const words = await page.locator('#prune [role="status"]').innerText();
    const amount = { files: EN.t('count.files', { count: 2 }), bytes: EN.bytes(BIG.length + 25) };
    assert.ok(words.includes(`${amount.files}, ${amount.bytes}`), words);
    assert.ok(words.includes(EN.t('prune.stays', { versions: EN.t('count.versions', { count: 1 }) })), words);
    assert.equal(await page.locator('#keepCount').inputValue(), '1');
    assert.deepEqual(fixture.services.tasks.get(taskId)?.settings?.versions, before);
    await page.locator('#keepCount').fill('0');
    assert.equal(await statusOf(page, () => ask.click()), 422);
  });

  it('show every content of one file, and let one be deleted that must not stay', async () => {
    await open(`/tasks/${taskId}/versions/1`);
    await page.getByRole('link', { name: 'index.php', exact: true }).click();
    const rows = page.locator('main tbody tr');
    assert.equal(await rows.count(), 2);
    assert.match(await rows.nth(0).innerText(), new RegExp(EN.t('fh.now')));
    const older = rows.nth(1);
    const [download] = await Promise.all([page.waitForEvent('download'), older.locator('a[download]').click()]);
    assert.equal(readFileSync(await download.path(), 'utf8'), 'as it was before the hack');
    await older.locator('a[href*="/delete"]').click();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), EN.t('act.cancel'));
    assert.match(await page.locator('main').innerText(), new RegExp(EN.t('del.undo')));
    await page.getByRole('button', { name: EN.t('del.go') }).click();
    await page.locator('.notice.ok').waitFor();
    assert.match(await rows.nth(1).innerText(), new RegExp(EN.t('versions.file-deleted')));
    assert.equal(await rows.nth(1).locator('a[download], a[href*="/delete"]').count(), 0);
    assert.deepEqual(
      filesBelow(join(fixture.nas, 'shop', 'versions')).map((path) => path.split('/').at(-1)),
      ['big.bin'],
    );
    await open('/runs');
    const words = EN.t('activity.content-deleted', { actor: 'admin', subject: 'Shop', detail: '/index.php' });
    assert.ok((await page.locator('main').innerText()).includes(words), words);
    await open(`/tasks/${taskId}/file?path=/%3Cb%3E/no-such`);
    assert.match(await page.locator('main').innerText(), new RegExp(EN.t('page.past.no-history')));
  });

  it('are not given where their content is no longer what the site had', async () => {
    const versions = join(fixture.nas, 'shop', 'versions');
    const folder = join(versions, readdirSync(versions)[0] ?? '');
    // Deleted on the page before.
    assert.equal(await open(`/tasks/${taskId}/versions/1/file?path=/index.php`), 404);
    assert.match(await page.locator('main').innerText(), /no longer/);
    // Several pieces long: by the time that it is known to be wrong, the answer has begun.
    writeFileSync(join(folder, 'big.bin'), `${BIG.slice(1)}y`);
    await open(`/tasks/${taskId}/versions`);
    const end = await page.evaluate(
      (url) =>
        fetch(url)
          .then((answer) => answer.arrayBuffer())
          .then(
            () => 'whole',
            () => 'cut short',
          ),
      `${fixture.origin}/tasks/${taskId}/versions/1/file?path=/big.bin`,
    );
    assert.equal(end, 'cut short');
  });

  it('are shown in French, too', async () => {
    const french = await fixture.openSignedIn({ locale: 'fr-FR' });
    await french.goto(`${fixture.origin}/tasks/${taskId}/versions`);
    await french.locator('.tabs [aria-current]').waitFor();
    assert.match(await french.locator('main').innerText(), new RegExp(FR.t('vs.latest')));
    await french.context().close();
  });

  it('cause no script error and no request to anywhere else', () => {
    // Leaving a form with unsaved changes asks; that dialog has no words of ours.
    assert.deepEqual(
      fixture.complaints.filter((complaint) => complaint !== 'dialog: '),
      [],
    );
  });
});
