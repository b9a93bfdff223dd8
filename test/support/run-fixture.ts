import { Secret } from '../../src/settings/secret.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { MANUAL } from '../../src/settings/schedule.ts';
import { RunLog } from '../../src/state/run-log.ts';
import type { RunEvent } from '../../src/state/run-log.ts';
import type { StoredOutcome } from '../../src/state/run-store.ts';
import { openTaskDatabase } from '../../src/state/task-database.ts';
import type { RunnerEvent, TaskActivity, TaskRunner } from '../../src/tasks/task-runner.ts';
import type { Services } from '../../src/web/services.ts';

/** A runner whose tasks do what the test says. */
export class PuppetRunner implements TaskRunner {
  readonly #activities = new Map<number, TaskActivity>();
  readonly #listeners = new Set<(event: RunnerEvent) => void>();

  /** The task is now doing this; told as progress, or as a new phase. */
  set(activity: TaskActivity, kind: 'progress' | 'phase' = 'progress'): void {
    this.#activities.set(activity.taskId, activity);
    for (const listener of this.#listeners) listener({ kind, activity });
  }

  end(taskId: number, outcome: StoredOutcome): void {
    const runId = this.#activities.get(taskId)?.runId ?? 0;
    this.#activities.delete(taskId);
    for (const listener of this.#listeners) listener({ kind: 'ended', taskId, runId, outcome });
  }

  start(): undefined {
    return undefined;
  }

  stop(): boolean {
    return false;
  }

  activity(taskId: number): TaskActivity | undefined {
    return this.#activities.get(taskId);
  }

  activities(): readonly TaskActivity[] {
    return [...this.#activities.values()];
  }

  subscribe(listener: (event: RunnerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** Settings of a task that can be used. */
export function taskSettings(name: string, source: Partial<TaskSettings['source']> = {}): TaskSettings {
  const parsed = parseTaskSettings(
    {
      name,
      source: { protocol: 'ftps', host: 'ftp.example.com', user: 'web', password: 'geheim-123', folder: '/www' },
      target: { folder: '/volume1/web-backup/site' },
    },
    NO_SECRETS,
  );
  if (!('settings' in parsed)) throw new Error(JSON.stringify(parsed.faults));
  return { ...parsed.settings, source: { ...parsed.settings.source, password: new Secret('geheim-123'), ...source } };
}

export function addTask(services: Services, name: string, source: Partial<TaskSettings['source']> = {}): number {
  return services.tasks.add(taskSettings(name, source), MANUAL, services.clock.nowMs());
}

/** A run of the past, begun `agoMs` before now and a minute long. */
export function addRun(
  services: Services,
  taskId: number,
  outcome: StoredOutcome,
  more: { agoMs?: number; report?: object; cause?: 'schedule' | 'user' | 'simulation' } = {},
): number {
  const queuedMs = services.clock.nowMs() - (more.agoMs ?? 60_000);
  const taskName = services.tasks.get(taskId)?.name ?? '';
  const cause = more.cause ?? 'schedule';
  const runId = services.runs.queue({ taskId, taskName, cause, startedBy: undefined }, queuedMs);
  services.runs.setStarted(runId, queuedMs);
  services.runs.close(runId, outcome, JSON.stringify(more.report ?? {}), queuedMs + 60_000);
  return runId;
}

/** Writes what the run would have noted in its task's own database. */
export function addEvents(services: Services, runId: number, events: readonly Omit<RunEvent, 'atMs'>[]): void {
  const run = services.runs.get(runId);
  const task = services.tasks.get(run?.taskId ?? 0);
  if (run === undefined || task === undefined) throw new Error('no such run');
  const { db, close } = openTaskDatabase(services.stateDir, task.stateKey);
  const log = new RunLog(db);
  const localRunId = log.start(run.queuedMs, undefined);
  db.transaction(() => {
    for (const event of events) log.add(localRunId, { atMs: run.queuedMs, ...event });
  })();
  log.close(localRunId, run.queuedMs, run.outcome, '{}');
  close();
  services.runs.setLocalRun(runId, localRunId);
}

/** Three versions of a task that holds nothing on disk: their numbers. The oldest has a folder and names of every kind. */
export function addVersions(services: Services, taskId: number): number[] {
  const task = services.tasks.get(taskId);
  if (task === undefined) throw new Error(`no task ${taskId}`);
  const { db, close } = openTaskDatabase(services.stateDir, task.stateKey);
  try {
    const nowMs = services.clock.nowMs();
    const addPoint = db.prepare(
      `INSERT INTO run (started_ms, ended_ms, outcome, report, has_changed, is_pinned) VALUES (?, ?, ?, ?, 1, ?)`,
    );
    const counts = { new: 1204, changed: 31, retired: 2 };
    const report = JSON.stringify({ counts, bytes: 52_000_000 });
    const [first = 0, second = 0, third = 0] = [3, 2, 1].map((days) => {
      const atMs = nowMs - days * 86_400_000;
      const outcome = days === 2 ? 'incomplete' : 'complete';
      return Number(addPoint.run(atMs, atMs + 60_000, outcome, report, days === 3 ? 1 : 0).lastInsertRowid);
    });
    const addFolder = db.prepare('INSERT INTO past_folder VALUES (?, ?, ?, ?, ?)');
    addFolder.run('/', null, '', first, third + 1);
    addFolder.run('/wp-content', '/', 'wp-content', first, third);
    const addFile = db.prepare(
      `INSERT INTO version (path, parent, since_run, until_run, content_run, reason, size_bytes, precision, modified_ms,
         sha256, origin, folder, local_path, retired_ms, state)
       VALUES (?, '/', ?, ?, ?, 'replaced', 4096, 'second', ?, zeroblob(32), '', 'gone', 'gone', ?, ?)`,
    );
    const names = ['index.php', `${'a-very-long-name-'.repeat(12)}.jpg`, 'Kurzgeschichten & <b>Märchen</b>.txt'];
    for (const [index, name] of names.entries()) {
      const state = ['kept', 'altered', 'lost'][index];
      addFile.run(`/${Buffer.from(name, 'utf8').toString('latin1')}`, first, third, first, nowMs, nowMs, state);
    }
    return [first, second, third];
  } finally {
    close();
  }
}
