/** The volume of the service's own database is full: the service lives on, its pages open, and no run is left in the air. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import Database from 'better-sqlite3';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { until } from '../support/browser-fixture.ts';
import { addTask } from '../support/run-fixture.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { startWebApp } from '../support/web-app.ts';
import { serviceOptions } from '../support/service-options.ts';

const full = (): never => {
  throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
};

describe('a run whose end the disk refuses to write', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'site-backup-full-'));
  let server: ScriptedServer;
  let service: Service;
  before(async () => {
    server = await startScriptedServer();
    service = await startService(serviceOptions(stateDir));
  });
  after(async () => {
    await service.stop();
    await server.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  it('takes nothing down, and is told as it was as soon as the disk takes it', async () => {
    const { runner, runs } = service.services;
    const { host, port } = server.address;
    const id = addTask(service.services, 'Wrong password', { protocol: 'ftp', host, port });
    const run = async (): Promise<number> => {
      const runId = runner.start(id, 'user', 'admin') ?? 0;
      await until(() => runner.activity(id) === undefined, 30_000, 'the end of the run');
      return runId;
    };
    const writes = { setStarted: full, setLocalRun: full, close: full };
    Object.assign(runs, writes);
    const first = await run();
    assert.equal(runs.get(first)?.outcome, 'queued', 'nothing could be written');
    for (const name of Object.keys(writes)) Reflect.deleteProperty(runs, name);
    const second = await run();
    for (const runId of [first, second]) {
      const stored = runs.get(runId);
      assert.equal(stored?.outcome, 'failed');
      assert.match(stored.report ?? '', /login-rejected/);
      assert.ok(stored.startedMs !== undefined && stored.endedMs !== undefined && stored.endedMs >= stored.startedMs);
    }
    assert.match(readFileSync(join(stateDir, 'site-backup.log'), 'utf8'), /"event":"run-not-recorded"/);
  });
});

describe('pages on a full disk', () => {
  it('open, and name the cause where something cannot be saved', async () => {
    const web = await startWebApp();
    try {
      const taskId = addTask(web.services, 'Full');
      const owner = await web.owner();
      web.clock.advance(60_000);
      Object.assign(web.services.accounts, { setSeen: full });
      Object.assign(web.services.tasks, { setPaused: full });
      assert.equal((await owner.ask('/tasks')).status, 200);
      const answer = await owner.send(`/tasks/${taskId}/pause`, {}, '/tasks');
      assert.equal(answer.status, 500);
      assert.match(answer.text, /The volume is full/);
    } finally {
      await web.close();
    }
  });
});
