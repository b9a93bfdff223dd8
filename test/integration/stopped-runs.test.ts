/** A run that ends before its time says who or what has ended it: a person, the allowed hours, or the end of the service. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MANUAL } from '../../src/settings/schedule.ts';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { hashPassword } from '../../src/web/access/password-hash.ts';
import { until } from '../support/browser-fixture.ts';
import { taskSettings } from '../support/run-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { Secret } from '../../src/settings/secret.ts';
import { Visitor } from '../support/web-app.ts';
import { serviceOptions } from '../support/service-options.ts';

const PASSWORD = 'correct horse battery';

describe('a run that is stopped', () => {
  const room = mkdtempSync(join(tmpdir(), 'site-backup-stopped-'));
  let server: ScriptedServer;
  let service: Service;
  let owner: Visitor;
  let taskId: number;
  const start = async (): Promise<void> => {
    service = await startService(serviceOptions(join(room, 'state')));
    service.services.accounts.addFirst('ann', await hashPassword(PASSWORD, { N: 1024, r: 8, p: 1 }), Date.now());
    owner = new Visitor(service.port);
    await owner.send('/login', { name: 'ann', password: PASSWORD });
  };
  before(async () => {
    mkdirSync(join(room, 'nas'));
    server = await startScriptedServer();
    server.tree.writeFile('/large.bin', Buffer.alloc(4 * 1024 * 1024));
    await start();
    const { host, port } = server.address;
    const login = { protocol: 'ftp', host, port, user: SCRIPTED_USER, folder: '/' } as const;
    const settings = taskSettings('Slow', { ...login, password: new Secret(SCRIPTED_PASSWORD) });
    // At this speed the one file takes hours.
    const speed = { ...settings.speed, bytesPerSecond: 1024 };
    const target = { folder: join(room, 'nas', 'slow') };
    taskId = service.services.tasks.add({ ...settings, speed, target }, MANUAL, Date.now());
  });
  after(async () => {
    await service.stop();
    await server.stop();
    rmSync(room, { recursive: true, force: true });
  });

  const begin = async (): Promise<number> => {
    const { runner } = service.services;
    const runId = runner.start(taskId, 'user', 'ann') ?? 0;
    const isCopying = (): boolean => runner.activity(taskId)?.progress?.stage === 'transferring';
    await until(isCopying, 30_000, 'the file to be copied');
    return runId;
  };
  const ended = (): Promise<void> =>
    until(() => service.services.runner.activity(taskId) === undefined, 30_000, 'the end of the run');
  const assertSays = async (runId: number, words: RegExp): Promise<void> => {
    const { text } = await owner.ask(`/runs/${runId}`);
    assert.match(text, words);
    assert.doesNotMatch(text, /on request/);
    assert.doesNotMatch(text, /class="notice err"/);
  };

  it('by a person bears the name', async () => {
    const runId = await begin();
    // Another one that waits for it has copied nothing, and need not come to a safe point.
    const { tasks, settings } = service.services;
    settings.write({ runsMax: 1 });
    const { settings: slow, schedule } = tasks.get(taskId) ?? {};
    assert.ok(slow !== undefined && schedule !== undefined);
    const second = tasks.add({ ...slow, name: 'Second' }, schedule, Date.now());
    await owner.send(`/tasks/${second}/run`, {}, '/tasks');
    assert.match((await owner.ask('/tasks')).text, /“Second” is waiting for its turn/);
    await owner.send(`/tasks/${second}/stop`, {}, '/about');
    assert.match((await owner.ask('/tasks')).text, /“Second” no longer waits/);
    assert.equal((await owner.send(`/tasks/${taskId}/stop`, {}, '/tasks')).status, 303);
    await ended();
    assert.equal(service.services.runs.get(runId)?.outcome, 'cancelled');
    await assertSays(runId, /The run was stopped by ann\./);
  });

  it('by the end of its hours does not pretend that somebody wanted it', async () => {
    const runId = await begin();
    service.services.runner.stop(taskId, { hint: 'hours' });
    await ended();
    await assertSays(runId, /at the end of its allowed hours\. ?<[\s\S]*goes on by itself when they begin again/);
  });

  it('by the end of the service was interrupted, and says that', async () => {
    const runId = await begin();
    await service.stop();
    await start();
    assert.equal(service.services.runs.get(runId)?.outcome, 'interrupted');
    await assertSays(runId, /interrupted because Site Backup was stopped/);
  });
});
