/** What is written down of runs and of people is forgotten after the days that were set. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import Database from 'better-sqlite3';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { MANUAL } from '../../src/settings/schedule.ts';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { RUNS_KEPT } from '../../src/state/run-store.ts';
import { taskDatabasePath } from '../../src/state/task-database.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import { until } from '../support/browser-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { serviceOptions } from '../support/service-options.ts';

const DAY_MS = 86_400_000;

/** Of each run of a task's database: whether its events are still there. */
function eventsByRun(path: string): boolean[] {
  const db = new Database(path, { readonly: true });
  try {
    return db
      .prepare('SELECT EXISTS (SELECT 1 FROM run_event WHERE run_id = run.id) FROM run ORDER BY id')
      .pluck()
      .all()
      .map((value) => value === 1);
  } finally {
    db.close();
  }
}

describe('events of runs', () => {
  it('go after 90 days where nothing else was set, and the runs themselves stay', async () => {
    const fixture = await BackupFixture.start();
    try {
      for (const [index, days] of [91, 89, 0].entries()) {
        fixture.tree.writeFile(`/new-${index}.txt`, Buffer.from('new'));
        await fixture.run({ clockOffsetMs: -days * DAY_MS });
      }
      assert.deepEqual(eventsByRun(taskDatabasePath(fixture.stateDir, 'under test')), [false, true, true]);
    } finally {
      await fixture.end();
    }
  });
});

describe('the service', () => {
  const room = mkdtempSync(join(tmpdir(), 'site-backup-forget-'));
  const stateDir = join(room, 'state');
  let server: ScriptedServer;
  let service: Service;
  const start = (): Promise<Service> => startService(serviceOptions(stateDir));
  before(async () => {
    mkdirSync(join(room, 'nas'));
    server = await startScriptedServer();
    service = await start();
  });
  after(async () => {
    await service.stop();
    await server.stop();
    rmSync(room, { recursive: true, force: true });
  });

  it('forgets the events of runs after the days that were set', async () => {
    const { tasks, runner, settings } = service.services;
    const { host, port } = server.address;
    const login = { protocol: 'ftp', host, port, user: SCRIPTED_USER, password: SCRIPTED_PASSWORD, folder: '/' };
    const parsed = parseTaskSettings(
      { name: 'Garage', source: login, target: { folder: join(room, 'nas', 'garage') } },
      NO_SECRETS,
    );
    assert.ok('settings' in parsed);
    const id = tasks.add(parsed.settings, MANUAL, Date.now());
    const path = taskDatabasePath(stateDir, tasks.get(id)?.stateKey ?? '');
    const run = async (name: string): Promise<void> => {
      server.tree.writeFile(name, Buffer.from('new'));
      assert.ok(runner.start(id, 'user', 'admin') !== undefined);
      await until(() => runner.activity(id) === undefined, 30_000, 'the end of the run');
    };
    await run('/a.txt');
    await run('/b.txt');
    const db = new Database(path);
    db.prepare('UPDATE run SET started_ms = started_ms - ? WHERE id = 1').run(8 * DAY_MS);
    db.prepare('UPDATE run SET started_ms = started_ms - ? WHERE id = 2').run(6 * DAY_MS);
    db.close();
    assert.deepEqual(eventsByRun(path), [true, true]);
    settings.write({ logDays: 7 });
    await run('/c.txt');
    assert.deepEqual(eventsByRun(path), [false, true, true]);
  });

  it('forgets old runs after the days that were set, but of no task the last ones, nor the last good one', async () => {
    const { runs, settings } = service.services;
    const nowMs = Date.now();
    const add = (taskId: number, days: number, outcome: 'complete' | 'failed'): number => {
      const run = { taskId, taskName: 'Site', cause: 'schedule', startedBy: undefined } as const;
      const id = runs.queue(run, nowMs - days * DAY_MS);
      runs.close(id, outcome, '{}', nowMs - days * DAY_MS);
      return id;
    };
    const good = add(901, 400, 'complete');
    const old = Array.from({ length: 50 }, (_, index) => add(901, 300 - index, 'failed'));
    const recent = Array.from({ length: RUNS_KEPT }, () => add(901, 1, 'failed'));
    const seldom = [add(902, 800, 'failed'), add(902, 700, 'failed'), add(902, 600, 'complete')];
    settings.write({ logDays: 30 });
    await service.stop();
    service = await start();
    const left = (taskId: number): number[] => service.services.runs.list({ taskId }, 1000).map(({ id }) => id);
    assert.deepEqual(left(901).reverse(), [good, ...recent]);
    assert.ok(old.every((id) => service.services.runs.get(id) === undefined));
    assert.deepEqual(left(902).reverse(), seldom);
  });

  it('forgets what people did after the days that were set', async () => {
    const { activity, settings } = service.services;
    const nowMs = Date.now();
    for (const days of [8, 6]) {
      activity.add({
        atMs: nowMs - days * DAY_MS,
        actor: 'admin',
        action: 'sign-in',
        subject: undefined,
        detail: `${days}`,
      });
    }
    settings.write({ logDays: 7 });
    await service.stop();
    service = await start();
    const kept = service.services.activity.list(undefined, 10).map((item) => item.detail);
    assert.deepEqual(kept, ['6']);
  });
});
