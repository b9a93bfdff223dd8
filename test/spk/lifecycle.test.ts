/** The life of the package on a NAS, as an administrator sees it, in the mode with a password of its own. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { EN, OWNER, signIn, until, whyBrowserIsMissing } from '../support/browser-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { DEFAULT_WEB_ACCESS } from '../../src/settings/web-access.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { SettingsStore } from '../../src/state/settings-store.ts';
import { startFakeNas, whyNasIsMissing } from './fake-nas.ts';
import type { FakeNas } from './fake-nas.ts';
import { PackageCenter } from './package-center.ts';
import type { Answers } from './package-center.ts';
import { spkForTests } from './spk-for-tests.ts';

const CHROMIUM = '/usr/bin/chromium';
const PAGE_TIMEOUT_MS = 60_000;
const RUN_MS_MAX = 60_000;
const ANSWERS: Answers = {
  wizard_share: 'web-backup',
  wizard_access_dsm: 'false',
  wizard_access_password: 'true',
};
const CODE = /[A-Z2-9]{4}(-[A-Z2-9]{4}){3}/;
const isCopy = (name: string): boolean => name.endsWith('.sqlite');
const SITE = { '/index.html': 'hello', '/img/logo.svg': '<svg/>', '/about/us.html': 'we' };

const skip = whyNasIsMissing() ?? whyBrowserIsMissing() ?? false;

describe('the package on a NAS', { skip }, () => {
  let nas: FakeNas;
  let center: PackageCenter;
  let browser: Browser;
  let page: Page;
  let site: ScriptedServer;
  let oldSpk = '';
  let newSpk = '';
  let origin = '';
  let startDialog = '';
  const copy = '/volume1/web-backup/atelier-martin/current';
  const inVar = (name: string): string => nas.file(`${center.place('var')}/${name}`);

  before(async () => {
    [oldSpk, newSpk] = [await spkForTests('0.1.0-0001'), await spkForTests('0.10.0-0002')];
    nas = await startFakeNas();
    center = new PackageCenter(nas);
    origin = `http://${nas.address}:8377`;
    site = await startScriptedServer({ listensOn: nas.clientAddress, pasvHost: nas.clientAddress });
    for (const [path, content] of Object.entries(SITE)) site.tree.writeFile(path, content);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    page = await browser.newPage({ locale: 'en-GB' });
    page.setDefaultTimeout(PAGE_TIMEOUT_MS);
  });
  after(async () => {
    await browser.close();
    await site.stop();
    await nas.stop();
  });

  it('installs as its own user, and keeps what the wizard was answered', async () => {
    const outcome = await center.install(oldSpk, ANSWERS);
    assert.deepEqual(outcome, { isDone: true, dialog: '', steps: ['preinst 0', 'postinst 0'] });
    assert.equal(readFileSync(inVar('answers.conf'), 'utf8'), 'access=password\nshare=web-backup\n');
    assert.equal(menuAddress(), `${origin}/`);
    assert.equal(await center.status(), 3);
    // Nobody else makes the folder of the data before the service does.
    const byRoot = await nas.run([`${center.place('target')}/bin/site-backup`, 'versions', 'x.json']);
    assert.equal(byRoot.code, 64);
    assert.match(byRoot.stderr, /sudo -u sitebackup site-backup versions x\.json/);
  });

  it('starts, and shows in the dialog where to go and the code of the first sign-in', async () => {
    const outcome = await center.start();
    assert.deepEqual(outcome.steps, ['prestart 0', 'start 0']);
    startDialog = outcome.dialog;
    assert.match(startDialog, /http:\/\/DiskStation:8377\/ .*: [A-Z2-9]{4}(-[A-Z2-9]{4}){3}\./);
    assert.equal(await center.status(), 0);
    assert.equal(statSync(inVar('data')).mode & 0o777, 0o700);
    const code = CODE.exec(startDialog)?.[0] ?? '';
    assert.ok(!readFileSync(inVar('site-backup.out'), 'utf8').includes(code), 'the code stays out of what is kept');
  });

  it('is set up with that code, and backs up a site into the shared folder of the wizard', async () => {
    // Another one that it may write to as well, and that comes first by its name.
    const other = '/volume1/archive';
    await nas.must(['sh', '-c', `mkdir ${other} && chgrp sitebackup ${other} && chmod g+rwx ${other}`]);
    await page.goto(menuAddress());
    await page.locator('#code').fill(CODE.exec(startDialog)?.[0] ?? '');
    await page.locator('#name').fill(OWNER.name);
    await page.locator('#password').fill(OWNER.password);
    await page.locator('#again').fill(OWNER.password);
    await page.getByRole('button', { name: EN.t('su.go') }).click();
    await page.waitForURL('**/tasks');
    const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'en_US.UTF-8' };
    const said = await nas.must(['site-backup', 'setup-code'], { environment, user: center.user });
    assert.match(said, /there is an account already/, 'the code that was used is not offered again');

    await page.goto(`${origin}/tasks/new`);
    await page.locator('input[name=protocol][value=ftp]').check({ force: true });
    await page.locator('#host').fill(site.address.host);
    await page.locator('#port').fill(String(site.address.port));
    await page.locator('#user').fill(SCRIPTED_USER);
    await page.locator('#password').fill(SCRIPTED_PASSWORD);
    await page.locator('#name').fill('Atelier Martin');
    await page.getByRole('button', { name: EN.t('wz.test') }).click();
    await page.waitForURL('**/folders');
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();
    await page.waitForURL('**/schedule');
    await page.getByText(EN.t('when.manual'), { exact: true }).click();
    await page.getByRole('button', { name: EN.t('act.next'), exact: true }).click();
    await page.waitForURL('**/check');
    await page.getByRole('button', { name: EN.t('act.create') }).click();
    await page.waitForURL(/\/tasks\/\d+-atelier-martin/);
    const logo = nas.file(`${copy}/img/logo.svg`);
    await until(() => readIndex() === 'hello' && existsSync(logo), RUN_MS_MAX, 'the first backup');
    assert.equal(readFileSync(logo, 'utf8'), '<svg/>');
  });

  it('is not started twice', async () => {
    const before = readFileSync(inVar('site-backup.pid'), 'utf8');
    assert.deepEqual((await center.start()).steps, ['prestart 0', 'start 0']);
    assert.equal(readFileSync(inVar('site-backup.pid'), 'utf8'), before);
    assert.equal((await nas.must(['pgrep', '-fc', 'app/main.js'])).trim(), '1');
  });

  it('keeps tasks, passwords, accounts, history and index over an upgrade, and goes on with them', async () => {
    await until(async () => (await runWords()).length === 1, RUN_MS_MAX, 'the end of the first run');
    const key = readFileSync(inVar('data/secret.key'));
    const fetched = site.count('RETR');
    const outcome = await center.upgrade(newSpk);
    assert.deepEqual(outcome, {
      isDone: true,
      dialog: '',
      steps: ['prestop 0', 'stop 0', 'preupgrade 0', 'preuninst 0', 'postuninst 0'].concat([
        'preinst 0',
        'postinst 0',
        'postupgrade 0',
        'prestart 0',
        'start 0',
      ]),
    });
    assert.equal(await center.status(), 0);
    assert.equal(menuAddress(), `${origin}/`);
    assert.deepEqual(readFileSync(inVar('data/secret.key')), key);
    await page.context().clearCookies();
    await signIn(page, origin);
    await page.goto(`${origin}/about`);
    assert.match(await page.locator('main').innerText(), /0\.10\.0/);
    site.tree.writeFile('/index.html', 'hello again');
    await page.goto(`${origin}/tasks`);
    await page.getByRole('link', { name: 'Atelier Martin' }).first().click();
    // What a run reads again to compare it would be taken for what it transfers again.
    await page
      .locator('.head')
      .getByRole('link', { name: EN.t('act.edit') })
      .click();
    await page.locator('#sample').fill('');
    await page.getByRole('button', { name: EN.t('act.save'), exact: true }).click();
    await page.waitForURL(/\/tasks\/\d+-atelier-martin$/);
    await page
      .getByRole('button', { name: EN.t('act.backup') })
      .first()
      .click();
    await until(() => readIndex() === 'hello again', RUN_MS_MAX, 'the backup after the upgrade');
    await until(async () => (await runWords()).length === 2, RUN_MS_MAX, 'the end of the second run');
    // The index is known: only the changed file came again.
    assert.equal(site.count('RETR'), fetched + 1);
  });

  it('refuses an older version with a sentence, and works on as it was', async () => {
    const outcome = await center.upgrade(oldSpk);
    assert.equal(outcome.isDone, false);
    assert.deepEqual(outcome.steps, ['prestop 0', 'stop 0', 'preupgrade 1']);
    assert.match(outcome.dialog, /used by Site Backup 0\.10\.0-0002; version 0\.1\.0-0001 is older/);
    assert.equal((await center.start()).isDone, true);
    await page.goto(`${origin}/tasks`);
    await page.getByRole('link', { name: 'Atelier Martin' }).first().waitFor();
  });

  it('gives the command to its own user, and says so to others', async () => {
    const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'en_US.UTF-8' };
    const { host, port } = site.address;
    const source = { protocol: 'ftp', host, port, user: SCRIPTED_USER, password: SCRIPTED_PASSWORD, folder: '/' };
    const task = { name: 'x', source, target: { folder: '/volume1/web-backup/x' } };
    writeFileSync(nas.file('/tmp/task.json'), JSON.stringify(task));
    assert.equal(await nas.must(['site-backup', '--version'], { environment }), '0.10.0\n');
    const ofRoot = ['find', center.place('var'), '-user', 'root'] as const;
    const before = await nas.must(ofRoot);
    for (const command of ['run', 'adopt', 'prune', 'delete', 'versions', 'setup-code', 'a-later-one']) {
      const byRoot = await nas.run(['site-backup', command, '/tmp/task.json'], { environment });
      assert.equal(byRoot.code, 64, command);
      assert.match(byRoot.stderr, new RegExp(`sudo -u sitebackup site-backup ${command} /tmp/task\\.json`));
    }
    assert.equal(await nas.must(ofRoot), before);
    assert.match(await nas.must(['site-backup', 'prune', '--help'], { environment }), /--dry-run/);
    // These two use nothing of the package's data.
    const listed = await nas.run(['site-backup', 'list', '/tmp/task.json', '/'], { environment });
    assert.match(listed.stdout, /index\.html/, listed.stderr);
    const made = await nas.run(['site-backup', 'run', '/tmp/task.json'], { environment, user: center.user });
    assert.equal(made.code, 0, made.stderr);
    const versions = await nas.must(['site-backup', 'versions', '/tmp/task.json'], { environment, user: center.user });
    assert.match(versions, /1/, 'in the folder of the package, without being told');
    const byOwner = await nas.must(['site-backup', 'setup-code'], { environment, user: center.user });
    assert.match(byOwner, /there is an account already/);
  });

  it('stops, and frees its port', async () => {
    assert.deepEqual((await center.stop()).steps, ['prestop 0', 'stop 0']);
    assert.equal(await center.status(), 3);
    await assert.rejects(fetch(origin));
    assert.equal((await nas.run(['pgrep', '-f', 'app/main.js'])).code, 1);
  });

  it('comes up with the NAS, without a status from Package Center, and the menu leads to the port that was set', async () => {
    for (const port of [8400, 8377]) {
      setPort(port);
      assert.equal((await center.boot()).isDone, true);
      assert.equal(menuAddress(), `http://${nas.address}:${port}/`);
      assert.equal((await fetch(menuAddress())).status, 200);
      assert.equal((await center.shutDown()).isDone, true);
      assert.equal(await center.status(), 3);
    }
  });

  it('shows one clear page when its database is damaged, restores the last copy there, and goes on', async () => {
    // As if a day had passed: the next start makes a copy of what there is now.
    rmSync(inVar('data/copies'), { recursive: true });
    assert.equal((await center.start()).isDone, true);
    await until(
      () => existsSync(inVar('data/copies')) && readdirSync(inVar('data/copies')).some(isCopy),
      RUN_MS_MAX,
      'a copy',
    );
    assert.equal((await center.stop()).isDone, true);
    const database = inVar('data/site-backup.sqlite');
    const bytes = readFileSync(database);
    writeFileSync(database, bytes.fill(0xa7, bytes.length >> 1));

    const outcome = await center.start();
    assert.equal(outcome.isDone, true);
    assert.equal(await center.status(), 0);
    assert.match(
      outcome.dialog,
      /database of Site Backup cannot be opened\. Open http:\/\/DiskStation:8377\/ and enter this code/,
    );
    await page.context().clearCookies();
    await page.goto(origin);
    await page.locator('#code').fill(CODE.exec(outcome.dialog)?.[0] ?? '');
    await page.getByRole('button', { name: EN.t('lg.go') }).click();
    await page.getByRole('heading', { name: EN.t('rp.state-unreadable.h') }).waitFor();
    await page.getByLabel(EN.t('rp.restore.confirm')).check();
    await page.getByRole('button', { name: EN.t('rp.restore') }).click();
    await page.waitForURL('**/login**');
    await signIn(page, origin);
    assert.equal((await runWords()).length, 2);
    assert.equal(readIndex(), 'hello again');
    assert.equal((await center.stop()).isDone, true);
  });

  it('moves to a new NAS as the README says, and copies nothing again there', async () => {
    const next = await startFakeNas();
    try {
      const nextCenter = new PackageCenter(next);
      assert.equal((await nextCenter.install(newSpk, ANSWERS)).isDone, true);
      assert.equal((await nextCenter.start()).isDone, true);
      assert.equal((await nextCenter.stop()).isDone, true);
      const [data, share] = ['/var/packages/SiteBackup/var', '/volume1/web-backup'];
      await nas.must(['sh', '-c', `umask 077; tar -C ${data} -czf ${share}/move.tgz data`]);
      await nas.must(['tar', '-C', share, '-cf', '/tmp/share.tar', '.']);
      copyFileSync(nas.file('/tmp/share.tar'), next.file('/tmp/share.tar'));
      await next.must(['tar', '-C', share, '--no-same-owner', '-xf', '/tmp/share.tar']);
      // Stands for what a permission of DSM gives in the whole shared folder.
      await next.must(['sh', '-c', `chgrp -R sitebackup ${share} && chmod -R g+rwX ${share}`]);
      await next.must(['tar', '-C', data, '-xzf', `${share}/move.tgz`]);
      await next.must(['chown', '-R', 'sitebackup:sitebackup', `${data}/data`]);

      assert.deepEqual((await nextCenter.start()).dialog, '');
      const there = `http://${next.address}:8377`;
      await page.context().clearCookies();
      await signIn(page, there);
      const fetched = site.count('RETR');
      site.tree.writeFile('/new.html', 'new');
      await page.getByRole('link', { name: 'Atelier Martin' }).first().click();
      await page
        .getByRole('button', { name: EN.t('act.backup') })
        .first()
        .click();
      await until(() => existsSync(next.file(`${copy}/new.html`)), RUN_MS_MAX, 'the backup on the new NAS');
      await until(async () => (await runWords(there)).length === 3, RUN_MS_MAX, 'the end of that run');
      assert.equal(site.count('RETR'), fetched + 1);
    } finally {
      await next.stop();
    }
  });

  it('keeps settings and history at an uninstall that is asked to, and a new installation goes on with them', async () => {
    assert.equal((await center.uninstall({ wizard_keep_data: 'true', wizard_delete_data: 'false' })).isDone, true);
    assert.ok(existsSync(inVar('data/site-backup.sqlite')));
    assert.equal((await center.install(newSpk, ANSWERS)).isDone, true);
    const outcome = await center.start();
    assert.deepEqual([outcome.isDone, outcome.dialog], [true, '']);
    await page.context().clearCookies();
    await signIn(page, origin);
    assert.equal((await runWords()).length, 2);
  });

  it('deletes settings and history at an uninstall that is asked to, and never a backup', async () => {
    // What somebody has laid there, and a link to the backups.
    const places = `${center.place('var')}/.hidden ${center.place('var')}/data/..more`;
    await nas.must([
      'sh',
      '-ec',
      `mkdir ${places}; for place in ${places}; do ln -s /volume1/web-backup $place/link; done`,
    ]);
    await nas.must(['chown', '-R', center.user, center.place('var')]);
    const outcome = await center.uninstall({ wizard_keep_data: 'false', wizard_delete_data: 'true' });
    assert.deepEqual(outcome.steps, ['prestop 0', 'stop 0', 'preuninst 0', 'postuninst 0']);
    assert.deepEqual(readdirSync(nas.file(center.place('var'))), []);
    assert.equal(existsSync(nas.file(center.place('target'))), false);
    assert.equal(readIndex(), 'hello again');
  });

  /** What DSM opens from its menu, for a browser that has DSM at its usual address. */
  function menuAddress(): string {
    const config = JSON.parse(readFileSync(nas.file(`${center.place('target')}/ui/config`), 'utf8')) as {
      '.url': Record<string, { protocol?: string; port?: string; url: string }>;
    };
    const { protocol = 'http', port = '5000', url = '' } = Object.values(config['.url'])[0] ?? {};
    return `${protocol}://${nas.address}:${port}${url}`;
  }

  /** As on the page of the web access, while the service is stopped. */
  function setPort(port: number): void {
    // SQLite cannot open a file by its path in another machine.
    const folder = mkdtempSync(join(tmpdir(), 'site-backup-port-'));
    try {
      copyFileSync(inVar('data/site-backup.sqlite'), join(folder, 'site-backup.sqlite'));
      const db = openAppDatabase(folder);
      new SettingsStore(db).write({ web: { ...DEFAULT_WEB_ACCESS, port } });
      db.close();
      copyFileSync(join(folder, 'site-backup.sqlite'), inVar('data/site-backup.sqlite'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  function readIndex(): string {
    const file = nas.file(`${copy}/index.html`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** One line for each ended run of the list. */
  async function runWords(at = origin): Promise<string[]> {
    await page.goto(`${at}/runs`);
    const lines = await page.locator('main').innerText();
    return lines.match(new RegExp(`Atelier Martin – ${EN.t('st.ok')}`, 'g')) ?? [];
  }
});
