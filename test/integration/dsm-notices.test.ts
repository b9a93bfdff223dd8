/** On a DSM, its administrators hear on their desktops when a backup begins to go wrong, and when it is well again. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MANUAL } from '../../src/settings/schedule.ts';
import { Secret } from '../../src/settings/secret.ts';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { until } from '../support/browser-fixture.ts';
import { FakeDsm } from '../support/fake-dsm.ts';
import { taskSettings } from '../support/run-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { serviceOptions } from '../support/service-options.ts';

const DSM_UI = resolve(import.meta.dirname, '../../ui/dsm');
const NAME = '-x <b>Shop</b> & more';

describe('a notice on the desktop of DSM', () => {
  const room = mkdtempSync(join(tmpdir(), 'site-backup-notices-'));
  const dsm = new FakeDsm();
  const program = join(room, 'synodsmnotify');
  const toldFile = join(room, 'told');
  let server: ScriptedServer;
  let service: Service;
  let taskId: number;
  before(async () => {
    mkdirSync(join(room, 'nas'));
    writeFileSync(toldFile, '');
    writeFileSync(program, `#!/bin/sh\nprintf '%s|' "$@" >> '${toldFile}'\necho >> '${toldFile}'\n`, { mode: 0o755 });
    server = await startScriptedServer();
    server.tree.writeFile('/index.html', 'hello');
    service = await startService(
      serviceOptions(join(room, 'state'), {
        basePath: '/sitebackup/',
        access: 'dsm',
        dsmPrograms: dsm.programs,
        dsmNotifyProgram: program,
      }),
    );
    taskId = service.services.tasks.add(settings('/'), MANUAL, Date.now());
  });
  after(async () => {
    await service.stop();
    await server.stop();
    rmSync(dsm.folder, { recursive: true, force: true });
    rmSync(room, { recursive: true, force: true });
  });

  const settings = (folder: string): ReturnType<typeof taskSettings> => {
    const { host, port } = server.address;
    const login = { protocol: 'ftp', host, port, user: SCRIPTED_USER, folder } as const;
    const all = taskSettings(NAME, { ...login, password: new Secret(SCRIPTED_PASSWORD) });
    return { ...all, target: { folder: join(room, 'nas', 'shop') } };
  };
  const run = async (): Promise<string | undefined> => {
    const { runner, runs } = service.services;
    const runId = runner.start(taskId, 'schedule', undefined) ?? 0;
    await until(() => runner.activity(taskId) === undefined, 30_000, 'the end of the run');
    return runs.get(runId)?.outcome;
  };
  /** What DSM was told in all, in the order of it: the keys of the texts and the value for {0}. */
  const told = (): string[][] =>
    readFileSync(toldFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('|').slice(2, -1));
  const notice = (key: string): string[] => [
    '@administrators',
    'SiteBackup:notify:title',
    `SiteBackup:notify:${key}`,
    '–x ‹b›Shop‹/b› & more',
  ];

  it('comes when a task begins to fail and when it is complete again, not each night, and holds no markup', async () => {
    const move = (folder: string): void => {
      const { tasks } = service.services;
      const revision = tasks.get(taskId)?.revision ?? 0;
      assert.ok(tasks.update(taskId, revision, settings(folder), MANUAL, Date.now()));
    };
    const outcomes = [await run()];
    move('/nowhere');
    outcomes.push(await run(), await run());
    move('/');
    outcomes.push(await run(), await run());
    assert.deepEqual(outcomes, ['complete', 'failed', 'failed', 'complete', 'complete']);
    await until(() => told().length >= 2, 10_000, 'both notices');
    assert.deepEqual(told(), [notice('failed'), notice('complete')]);
  });

  it('has a text in each language that DSM loads before anybody opens the pages', () => {
    const config = JSON.parse(readFileSync(join(DSM_UI, 'config'), 'utf8')) as {
      '.url': Record<string, { preloadTexts: string[] }>;
    };
    const preloaded = config['.url']['com.sitebackup.SiteBackup']?.preloadTexts ?? [];
    for (const key of ['title', 'complete', 'incomplete', 'failed', 'held']) {
      assert.ok(preloaded.includes(`notify:${key}`), key);
      for (const language of ['enu', 'fre']) {
        const strings = readFileSync(join(DSM_UI, 'texts', language, 'strings'), 'utf8');
        const section = strings.slice(strings.indexOf('[notify]'));
        assert.match(section, new RegExp(`^${key}="${key === 'title' ? '' : '\\{0\\}'}[^"]+"$`, 'm'), language);
      }
    }
  });
});
