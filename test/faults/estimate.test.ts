/** The look at a site before its first backup: never more than is there, and it says where it has not seen all. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { openSource } from '../../src/remote/open-source.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import { estimateSource } from '../../src/tasks/estimate-source.ts';
import type { Estimate } from '../../src/tasks/estimate-source.ts';
import { Estimates } from '../../src/tasks/estimates.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';

const clock = systemClock;
let server: ScriptedServer;
beforeEach(async () => {
  server = await startScriptedServer();
  for (let index = 0; index < 30; index++) {
    server.tree.writeFile(`/site/folder-${index % 3}/file-${index}.txt`, Buffer.alloc(1000));
  }
  server.tree.writeFile('/site/logs/access.log', Buffer.alloc(50_000));
});
afterEach(() => server.stop());

function settingsOf(changes: Record<string, unknown> = {}, source: Record<string, unknown> = {}): TaskSettings {
  const { host, port } = server.address;
  const parsed = parseTaskSettings(
    {
      name: 'x',
      source: {
        protocol: 'ftp',
        host,
        port,
        user: SCRIPTED_USER,
        password: SCRIPTED_PASSWORD,
        folder: '/site',
        ...source,
      },
      target: { folder: '/volume1/a/b' },
      ...changes,
    },
    NO_SECRETS,
  );
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  return parsed.settings;
}

function look(
  settings: TaskSettings,
  signal = new AbortController().signal,
  onProgress: (soFar: Estimate) => void = () => undefined,
) {
  return estimateSource(openSource(settings.source, { clock }), settings.filters, { clock, signal, onProgress });
}

describe('the look at a site', () => {
  it('counts what a backup would bring, without what is left out', async () => {
    const all = await look(settingsOf());
    assert.deepEqual(all, { files: 31, folders: 4, bytes: 80_000, isComplete: true, failure: undefined });
    const some = await look(settingsOf({ filters: { exclude: ['/logs/', 'file-1*.txt'] } }));
    assert.deepEqual([some.files, some.folders, some.bytes, some.isComplete], [19, 3, 19_000, true]);
  });

  it('says "at least" where a listing was cut, or a folder refused', async () => {
    server.tree.setMode('/site/folder-1', 0);
    const refused = await look(settingsOf());
    assert.deepEqual([refused.files, refused.isComplete], [21, false]);
  });

  it('counts a folder once that is reached twice', async () => {
    server.tree.addAlias('/site/folder-0/again', '/site');
    const seen = await look(settingsOf());
    assert.deepEqual([seen.files, seen.bytes], [31, 80_000]);
  });

  it('tells what it has seen when it is ended', async () => {
    const stop = new AbortController();
    const seen = await look(settingsOf(), stop.signal, () => {
      stop.abort();
    });
    assert.equal(seen.isComplete, false);
    assert.equal(seen.failure, undefined);
  });

  it('says why nothing can be seen', async () => {
    const wrong = await look(settingsOf({}, { password: 'wrong' }));
    assert.equal(wrong.failure?.code, 'login-rejected');
    const missing = await look(settingsOf({}, { folder: '/nowhere' }));
    assert.equal(missing.failure?.code, 'remote-folder-missing');
  });

  it('is made once for a draft, again for other filters, and forgotten with it', async () => {
    const ended: (() => void)[] = [];
    const signals: AbortSignal[] = [];
    const estimates = new Estimates((_settings, signal, onProgress) => {
      signals.push(signal);
      onProgress({ files: 1, folders: 0, bytes: 5, isComplete: false, failure: undefined });
      return new Promise((resolve) => {
        ended.push(() => {
          resolve({ files: 2, folders: 0, bytes: 9, isComplete: true, failure: undefined });
        });
      });
    }, silentLog);
    estimates.of('a', settingsOf());
    assert.deepEqual([estimates.of('a', settingsOf())?.isRunning, signals.length], [true, 1]);
    ended[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(estimates.of('a', settingsOf())?.estimate.bytes, 9);
    estimates.of('a', settingsOf({ filters: { exclude: ['x'] } }));
    assert.equal(signals.length, 2);
    estimates.forget('a');
    assert.equal(signals[1]?.aborted, true);
    for (const draft of ['b', 'c', 'd', 'e', 'f']) estimates.of(draft, settingsOf());
    assert.equal(signals.length, 5, 'no more than a few at once');
    estimates.stop();
    assert.ok(signals.every((signal, index) => index === 0 || signal.aborted));
  });
});
