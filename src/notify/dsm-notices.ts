import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from '../log.ts';
import type { RunStore, StoredOutcome } from '../state/run-store.ts';
import type { TaskRunner } from '../tasks/task-runner.ts';

/** Shows a notice on the desktop of DSM. The package's user may run it (DSM 7). */
export const DSM_NOTIFY_PROGRAM = '/usr/syno/bin/synodsmnotify';

/** As in ui/dsm/config; DSM finds the texts by it. */
const DESKTOP_ENTRY = 'com.sitebackup.SiteBackup';
const TIMEOUT_MS = 5000;

const run = promisify(execFile);

/** What a run can come to that somebody may have to look after. */
const FINAL = ['complete', 'incomplete', 'failed', 'held'] as const satisfies readonly StoredOutcome[];

export interface DsmNoticeOptions {
  readonly runner: TaskRunner;
  readonly runs: RunStore;
  readonly log: Logger;
  readonly program: string;
}

/**
 * Tells the administrators on their DSM desktops when the runs of a task begin to end otherwise than complete, when they
 * change in that, and when they are complete again: not the same each night. Gives a function that ends it, which resolves
 * once nothing is under way. DSM takes keys of preloaded texts only, with values for `{0}`.
 */
export function tellDsmOfRuns({ runner, runs, log, program }: DsmNoticeOptions): () => Promise<void> {
  let last = Promise.resolve();
  const unsubscribe = runner.subscribe((event) => {
    if (event.kind !== 'ended') return;
    const ended = runs.get(event.runId);
    const outcome = FINAL.find((one) => one === event.outcome);
    if (ended === undefined || ended.cause === 'simulation' || outcome === undefined) return;
    const filter = { taskId: ended.taskId, beforeId: ended.id, outcomes: FINAL, hasSimulations: false };
    const before = runs.list(filter, 1)[0]?.outcome ?? 'complete';
    if (outcome === before) return;
    last = last
      .then(() => show(program, outcome, ended.taskName))
      .catch((error: unknown) => {
        log.warn('dsm-not-notified', { program, error });
      });
  });
  return async () => {
    unsubscribe();
    await last;
  };
}

async function show(program: string, outcome: string, taskName: string): Promise<void> {
  const keys = ['title', outcome].map((key) => `SiteBackup:notify:${key}`);
  const args = ['-c', DESKTOP_ENTRY, '@administrators', ...keys, shownName(taskName)];
  await run(program, args, { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
}

/** The desktop shows values as HTML, and the program would take a leading dash for an option. */
function shownName(taskName: string): string {
  return taskName.replaceAll('<', '‹').replaceAll('>', '›').replace(/^-/, '–');
}
