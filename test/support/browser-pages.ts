/** One service with something on every page, and the list of all of them. */
import { randomUUID } from 'node:crypto';
import { EMPTY_TASK_FORM } from '../../src/settings/parse-form.ts';
import type { Schedule } from '../../src/settings/schedule.ts';
import { Secret } from '../../src/settings/secret.ts';
import { saveDraft, wizardPath } from '../../src/web/pages/wizard-draft.ts';
import type { BrowserFixture } from './browser-fixture.ts';
import { addEvents, addRun, addVersions } from './run-fixture.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from './scripted-ftp-options.ts';
import type { ScriptedServer } from './scripted-ftp-server.ts';

const HOUR_MS = 3_600_000;

/** Every page for people who are signed in, by name; addresses begin with `/`. */
export type PageList = Readonly<Record<string, string>>;

/**
 * Fills a fresh service with tasks in several states, one of them running against `server`, slowly, and gives the
 * addresses of all pages that need no form before them.
 */
export function fillPages(fixture: BrowserFixture, server: ScriptedServer): PageList {
  const { services } = fixture;
  const source = { host: server.address.host, port: server.address.port };
  const rule = { kind: 'weekly', days: [0, 1, 2, 3, 4, 5, 6], times: ['02:00'] } as const;
  const schedule: Schedule = { rule, allowedHours: { from: '22:00', to: '06:00' } };
  const failed = fixture.addTask('Garage Morel', { source: { ...source, host: 'ftp.garage-morel.example' } });
  const partial = fixture.addTask('Mairie de Saint-Aubin', { source: { ...source, protocol: 'ftps' }, schedule });
  const running = fixture.addTask('Atelier Dupont', { source, more: { speed: { bytesPerSecond: 20_000 } } });
  const paused = fixture.addTask('Lycée Voltaire – site des anciens élèves', { source });
  services.tasks.setPaused(paused, true, services.clock.nowMs());
  fixture.addTask('Boulangerie', { source });
  const counts = { listed: 12_345, new: 3, changed: 11, downloaded: 14, unchanged: 12_331, vanished: 1, failed: 5 };
  const certificate = {
    folders: { complete: 410, total: 411 },
    filesFailed: 2,
    bytes: 2_300_000_000,
    verifiedBytes: 800_000_000,
    rehashedBytes: 2_300_000_000,
    grade: 'D',
    reasons: ['hidden-unseen', 'not-encrypted', 'no-identity'],
  };
  const report = {
    bytes: 3_000_000,
    durationMs: 60_000,
    counts,
    stored: { files: 12_345, bytes: 2_300_000_000 },
    certificate,
  };
  for (const [index, taskId] of [failed, partial, running, paused].entries()) {
    for (let days = 29; days > 0; days--) {
      const outcome = (days + index) % 9 === 0 ? 'incomplete' : 'complete';
      addRun(services, taskId, outcome, { agoMs: days * 24 * HOUR_MS, report: { ...report, failureCount: 2 } });
    }
  }
  const cause = {
    code: 'login-rejected',
    detail: '530 Login incorrect.',
    facts: { host: 'ftp.garage-morel.example', user: 'garage' },
  };
  const failedRun = addRun(services, failed, 'failed', { agoMs: 6 * HOUR_MS, report: { ...report, cause } });
  const folders = { complete: 811, incomplete: 1 };
  const partialRun = addRun(services, partial, 'incomplete', {
    agoMs: 5 * HOUR_MS,
    report: { ...report, folders, failureCount: 9 },
  });
  const longName = `${'a-very-long-folder-name/'.repeat(6)}${'long'.repeat(50)}.jpg`;
  addEvents(services, partialRun, [
    ...['wp-config.php', 'b.php', 'c.php', 'd.php', 'e.php', longName].map((name) => ({
      level: 'failure' as const,
      code: 'permission-denied',
      path: `/${name}`,
      detail: '550 Permission denied.',
    })),
    { level: 'failure', code: 'size-mismatch', path: '/cache/a.html', detail: undefined },
    { level: 'failure', code: 'listing-truncated', path: '/uploads', detail: '226 2000 matches total' },
    { level: 'notice', code: 'link-not-followed', path: '/latest', detail: undefined },
  ]);
  services.activity.add({
    atMs: services.clock.nowMs() - HOUR_MS,
    actor: 'admin',
    action: 'task-created',
    subject: 'Boulangerie',
    detail: undefined,
  });
  const [oldest = 0, middle = 0, newest = 0] = addVersions(services, partial);
  services.runner.start(running, 'user', 'admin');
  const draft = randomUUID();
  const form = {
    ...EMPTY_TASK_FORM,
    protocol: 'ftp',
    host: source.host,
    port: String(source.port),
    user: SCRIPTED_USER,
    name: 'Maison Lefèvre',
    target: `${fixture.nas}/maison-lefevre`,
  };
  saveDraft(services, {
    id: draft,
    form,
    password: new Secret(SCRIPTED_PASSWORD),
    connection: undefined,
    stepsDone: 3,
  });
  return {
    tasks: '/tasks',
    'tasks of a filter that finds none': '/tasks?q=nothing-like-this',
    'a running task': `/tasks/${running}`,
    'a failed task': `/tasks/${failed}`,
    'a partly copied task': `/tasks/${partial}`,
    'a paused task': `/tasks/${paused}`,
    'the history of a task': `/tasks/${partial}/runs`,
    'the versions of a task': `/tasks/${partial}/versions`,
    'the files of a version': `/tasks/${partial}/versions/${oldest}`,
    'the history of a file': `/tasks/${partial}/file?path=/index.php`,
    'deleting a version': `/tasks/${partial}/versions/${middle}/delete`,
    'deleting one content of a file': `/tasks/${partial}/file/delete?path=/index.php&version=${newest}-1`,
    'a partial run': `/runs/${partialRun}`,
    'the files of a run': `/runs/${partialRun}?tab=files`,
    'the log of a run': `/runs/${partialRun}?tab=log`,
    'a failed run': `/runs/${failedRun}`,
    activity: '/runs',
    log: '/logs',
    'the first step of the wizard': '/tasks/new',
    'the folders of the wizard': wizardPath(draft, 'folders'),
    'the schedule of the wizard': wizardPath(draft, 'schedule'),
    'the last step of the wizard': wizardPath(draft, 'check'),
    'the edit page': `/tasks/${partial}/edit`,
    'the delete page': `/tasks/${partial}/delete`,
    'general settings': '/settings/general',
    'web access': '/settings/web',
    security: '/settings/security',
    maintenance: '/settings/maintenance',
    help: '/help',
    about: '/about',
    'a page that is not there': '/tasks/999999',
  };
}
