/** The application's database is damaged, gone, of a newer version or without room: what the page at the address does then. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { MANUAL } from '../../src/settings/schedule.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { startServiceOrRepair } from '../../src/service-or-repair.ts';
import type { Running } from '../../src/service-or-repair.ts';
import type { Service, ServiceOptions } from '../../src/service.ts';
import { startService } from '../../src/service.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { COPIES_MAX, COPY_AGE_MS, copyAppDatabase, listCopies, restoreCopy } from '../../src/state/database-copies.ts';
import { openSqlite } from '../../src/state/open-sqlite.ts';
import { hashPassword } from '../../src/web/access/password-hash.ts';
import { FakeDsm } from '../support/fake-dsm.ts';
import { Visitor, tokenIn } from '../support/web-app.ts';
import { serviceOptions } from '../support/service-options.ts';

const DAY_MS = 24 * 60 * 60_000;
const PASSWORD = 'correct horse battery';

describe('the application’s database', () => {
  let folder: string;
  let database: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'site-backup-repair-'));
    database = join(folder, 'site-backup.sqlite');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is copied once a day while it is in use, and the last seven copies are kept', async () => {
    const db = openAppDatabase(folder);
    const startMs = Date.UTC(2026, 0, 1);
    for (let day = 0; day < COPIES_MAX + 3; day++) {
      db.prepare('INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)').run('language', JSON.stringify(day));
      assert.equal(await copyAppDatabase(db, folder, startMs + day * DAY_MS), true);
      assert.equal(await copyAppDatabase(db, folder, startMs + day * DAY_MS + COPY_AGE_MS - 1), false);
    }
    db.close();
    const copies = listCopies(folder);
    assert.deepEqual(
      copies.map((copy) => copy.madeMs),
      Array.from({ length: COPIES_MAX }, (_, index) => startMs + (COPIES_MAX + 2 - index) * DAY_MS),
    );
    assert.ok(copies.every((copy) => copy.state === 'usable'));
    assert.deepEqual(readdirSync(join(folder, 'copies')).length, COPIES_MAX);
  });

  it('loses no earlier copy where a new one cannot be made', async () => {
    const db = openAppDatabase(folder);
    await copyAppDatabase(db, folder, Date.UTC(2026, 0, 1));
    db.close();
    await assert.rejects(copyAppDatabase(db, folder, Date.UTC(2026, 0, 3)));
    assert.equal(listCopies(folder).length, 1);
    assert.equal(readdirSync(join(folder, 'copies')).length, 1);
  });

  it('is copied as soon as there is an account in it, not before, and then not an hour later again', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const service = await startService(serviceOptions(folder));
    const copiesAfterAnHour = async (): Promise<number> => {
      t.mock.timers.tick(60 * 60_000);
      // It is made beside whatever else goes on.
      const isMade = (): boolean => listCopies(folder).length > 0;
      for (let turn = 0; turn < 200 && !isMade(); turn++) await new Promise((resolve) => setTimeout(resolve, 5));
      return listCopies(folder).length;
    };
    try {
      assert.equal(await copiesAfterAnHour(), 0, 'of nothing');
      service.services.accounts.addFirst('admin', 'no hash', 0);
      assert.equal(await copiesAfterAnHour(), 1);
      assert.equal(await copiesAfterAnHour(), 1);
    } finally {
      await service.stop();
    }
    assert.equal(listCopies(folder).length, 1);
  });

  it('is told from a copy that is damaged or of a newer version', async () => {
    const db = openAppDatabase(folder);
    for (const day of [1, 2, 3]) await copyAppDatabase(db, folder, Date.UTC(2026, 0, day));
    db.close();
    const [newest = '', middle = ''] = listCopies(folder).map((copy) => copy.name);
    truncateSync(join(folder, newest), 5000);
    const newer = openSqlite(join(folder, middle));
    newer.pragma('user_version = 999');
    newer.close();
    assert.deepEqual(
      listCopies(folder).map((copy) => copy.state),
      ['damaged', 'newer', 'usable'],
    );
    assert.throws(() => {
      restoreCopy(folder, newest, Date.now());
    });
    assert.throws(() => {
      restoreCopy(folder, '../../etc/passwd', Date.now());
    });
  });

  it('is never half of one and half of another: the log of the old one does not come into the copy', async () => {
    const db = openAppDatabase(folder);
    const set = (value: string): void => {
      db.prepare('INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)').run('x', value);
    };
    set('before');
    await copyAppDatabase(db, folder, Date.UTC(2026, 0, 1));
    set('after');
    // As after a crash: the log stays.
    const log = readFileSync(`${database}-wal`);
    const main = readFileSync(database);
    db.close();
    writeFileSync(database, main);
    writeFileSync(`${database}-wal`, log);
    restoreCopy(folder, listCopies(folder)[0]?.name ?? '', Date.now());
    const restored = openAppDatabase(folder);
    assert.equal(restored.prepare(`SELECT value FROM setting WHERE key = 'x'`).pluck().get(), 'before');
    restored.close();
    const [aside = ''] = readdirSync(folder).filter((name) => name.startsWith('damaged-'));
    assert.deepEqual(readFileSync(join(folder, aside, 'site-backup.sqlite-wal')), log);
  });
});

describe('a service that cannot read its database', () => {
  let folder: string;
  let database: string;
  let running: Running | undefined;
  let opened: Service | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'site-backup-repair-'));
    database = join(folder, 'state', 'site-backup.sqlite');
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    opened = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const options = (more: Partial<ServiceOptions> = {}): ServiceOptions => serviceOptions(join(folder, 'state'), more);
  const start = async (more: Partial<ServiceOptions> = {}): Promise<Running> => {
    running = await startServiceOrRepair(options(more), (service) => (opened = service));
    return running;
  };
  /** The service that has taken over from the page of the repair. */
  const openedService = (): Service => {
    assert.ok(opened !== undefined);
    return opened;
  };
  /** A state with an account and one task, copied, and left. */
  const makeState = async (): Promise<void> => {
    const service = await startService(options());
    const { accounts, tasks, clock } = service.services;
    accounts.addFirst('admin', await hashPassword(PASSWORD, { N: 1024, r: 8, p: 1 }), clock.nowMs());
    const parsed = parseTaskSettings(
      {
        name: 'Atelier',
        source: { protocol: 'ftp', host: 'h', user: 'u', password: 'secret', folder: '/' },
        target: { folder: '/volume1/backup/atelier' },
      },
      NO_SECRETS,
    );
    if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
    tasks.add(parsed.settings, MANUAL, clock.nowMs());
    await service.stop();
    await (await startService(options())).stop();
    assert.equal(listCopies(join(folder, 'state'))[0]?.tasks, 1);
  };
  const breakIt = (): void => {
    const { size } = statSync(database);
    writeFileSync(database, Buffer.alloc(size, 'not a database '));
  };
  const enterByCode = async ({ port, setupCode }: Running): Promise<Visitor> => {
    const visitor = new Visitor(port);
    assert.equal((await visitor.send('/login', { code: setupCode ?? '' })).status, 303);
    return visitor;
  };

  it('shows one page that says so, only to whoever has the code of this start', async () => {
    await makeState();
    breakIt();
    const repair = await start();
    assert.equal(repair.state, 'repair');
    const stranger = new Visitor(repair.port);
    for (const path of ['/', '/tasks', '/repair/diagnostics.zip', '/settings/general']) {
      assert.equal((await stranger.ask(path)).headers.location, '/login', path);
    }
    assert.equal((await stranger.ask('/tasks/live.json')).status, 503);
    assert.equal((await stranger.send('/repair/anew', { confirm: 'yes' }, '/login')).headers.location, '/login');
    assert.equal((await stranger.send('/login', { code: 'WRONG' })).status, 422);
    const visitor = await enterByCode(repair);
    assert.equal((await new Visitor(repair.port).send('/login', { code: repair.setupCode ?? '' })).status, 422);
    assert.equal((await visitor.ask('/tasks')).headers.location, '/');
    const page = await visitor.ask('/');
    assert.equal(page.status, 200);
    assert.match(page.text, /The database of Site Backup is damaged/);
    assert.match(page.text, /1 task, /);
    assert.ok(statSync(database).size > 0);
  });

  it('goes on with the last copy once that is confirmed, at the same address, and keeps the damaged file', async () => {
    await makeState();
    breakIt();
    const repair = await start();
    const visitor = await enterByCode(repair);
    const copy = listCopies(join(folder, 'state'))[0]?.name ?? '';
    assert.equal((await visitor.send('/repair/restore', { copy }, '/')).status, 422);
    assert.equal((await visitor.send('/repair/restore', { copy: '../x', confirm: 'yes' }, '/')).status, 422);
    assert.equal(opened, undefined);
    assert.equal((await visitor.send('/repair/restore', { copy, confirm: 'yes' }, '/')).status, 303);
    assert.equal(openedService().services.tasks.list()[0]?.name, 'Atelier');
    assert.equal(openedService().services.tasks.list()[0]?.settings?.source.password.reveal(), 'secret');
    const owner = new Visitor(repair.port);
    assert.equal((await owner.send('/login', { name: 'admin', password: PASSWORD })).status, 303);
    assert.match((await owner.ask('/tasks')).text, /Atelier/);
    const aside = readdirSync(join(folder, 'state')).filter((name) => name.startsWith('damaged-'));
    assert.match(readFileSync(join(folder, 'state', aside[0] ?? '', 'site-backup.sqlite'), 'latin1'), /^not a data/);
  });

  it('finds a damaged page in the middle at the start, and not in the middle of a backup', async () => {
    await makeState();
    const content = readFileSync(database);
    content.fill(0xee, 4096 * 2, 4096 * 3);
    writeFileSync(database, content);
    assert.equal((await start()).state, 'repair');
  });

  it('does not begin with an empty database where the file is gone and there are copies', async () => {
    await makeState();
    rmSync(database);
    assert.equal((await start()).state, 'repair');
    assert.equal(existsSync(database), false);
  });

  it('begins anew where that is wanted, with everything laid aside', async () => {
    await makeState();
    breakIt();
    const repair = await start();
    const visitor = await enterByCode(repair);
    assert.equal((await visitor.send('/repair/anew', {}, '/')).status, 422);
    assert.equal((await visitor.send('/repair/anew', { confirm: 'yes' }, '/')).status, 303);
    assert.deepEqual(openedService().services.tasks.list(), []);
    assert.ok(openedService().setupCode !== undefined);
    const aside = readdirSync(join(folder, 'state')).filter((name) => name.startsWith('damaged-'));
    assert.deepEqual(readdirSync(join(folder, 'state', aside[0] ?? '')).sort(), ['copies', 'site-backup.sqlite']);
  });

  it('says of a database of a newer version to install that one, and changes nothing', async () => {
    await makeState();
    const db = openSqlite(database);
    db.pragma('user_version = 999');
    db.close();
    const before = readFileSync(database);
    const visitor = await enterByCode(await start());
    const page = (await visitor.ask('/')).text;
    assert.match(page, /belongs to a newer version/);
    assert.equal((await visitor.send('/repair/retry', {}, '/')).status, 422);
    assert.deepEqual(readFileSync(database), before);
  });

  it('starts by the button once the cause has gone', async () => {
    await makeState();
    const sound = readFileSync(database);
    breakIt();
    const visitor = await enterByCode(await start());
    assert.equal((await visitor.send('/repair/retry', {}, '/')).status, 422);
    writeFileSync(database, sound);
    assert.equal((await visitor.send('/repair/retry', {}, '/')).status, 303);
    assert.equal(openedService().services.tasks.list().length, 1);
  });

  it('says of a damaged key file what it is, and offers no copy of a database that is whole', async () => {
    await makeState();
    writeFileSync(join(folder, 'state', 'secret.key'), 'short');
    const visitor = await enterByCode(await start());
    const page = (await visitor.ask('/')).text;
    assert.match(page, /secret\.key/);
    assert.doesNotMatch(page, /repair\/restore|repair\/anew/);
    assert.equal((await visitor.send('/repair/anew', { confirm: 'yes' }, '/')).status, 422);
  });

  it('gives diagnostics without what the database holds', async () => {
    await makeState();
    breakIt();
    const visitor = await enterByCode(await start());
    const answer = await visitor.ask('/repair/diagnostics.zip');
    assert.equal(answer.headers['content-type'], 'application/zip');
    assert.match(answer.text, /^PK/);
    for (const name of ['system.json', 'error.json', 'files.json', 'log.jsonl']) assert.ok(answer.text.includes(name));
  });

  it('lets only administrators of DSM in where DSM signs people in', async () => {
    await makeState();
    breakIt();
    const dsm = new FakeDsm();
    try {
      const repair = await start({ access: 'dsm', basePath: '/sitebackup/', dsmPrograms: dsm.programs });
      assert.equal(repair.setupCode, undefined);
      const gate = /"(.*)"/.exec(readFileSync(join(folder, 'state', 'dsm-gate.conf'), 'utf8'))?.[1] ?? '';
      const headers = { 'X-Site-Backup-Gate': gate, 'X-Forwarded-For': '10.0.0.7' };
      assert.equal((await new Visitor(repair.port).ask('/sitebackup/')).status, 403);
      for (const [user, status] of [
        ['anna', 403],
        ['boss', 303],
      ] as const) {
        const session = dsm.signIn(user, '10.0.0.7');
        const visitor = new Visitor(repair.port);
        visitor.cookies.set('id', session.id);
        const page = await visitor.ask('/sitebackup/login', { headers });
        const form = { _csrf: tokenIn(page.text), synoToken: session.token };
        assert.equal((await visitor.ask('/sitebackup/login', { headers, form })).status, status, user);
        const shown = await visitor.ask('/sitebackup/', { headers });
        assert.equal(shown.status, user === 'boss' ? 200 : 303);
      }
    } finally {
      await dsm.stop();
    }
  });
});
