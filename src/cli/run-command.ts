import { join, resolve } from 'node:path';
import type { RunReport } from '../engine/run-report.ts';
import { executeRun } from '../engine/run.ts';
import { createLog, silentLog, type Logger } from '../log.ts';
import { openSource } from '../remote/open-source.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { openHostLimits, type HostLimits } from '../state/host-limits.ts';
import { openTaskDatabase, openTaskDatabaseCopy, type TaskDatabase } from '../state/task-database.ts';
import { sourceFacts, type CommandContext } from './command-context.ts';
import type { RunCommand } from './options.ts';
import { plainProgress, terminalProgress, type ProgressView } from './progress-lines.ts';
import { EXIT_CODES, reportLines } from './report-lines.ts';

/** Makes one run of a task, shows it while it goes and what came of it. Gives the exit code. */
export async function runRun(command: RunCommand, settings: TaskSettings, context: CommandContext): Promise<number> {
  const stateDir = resolve(command.stateDir);
  const { name } = settings;
  const database = command.isDryRun ? openTaskDatabaseCopy(stateDir, name) : openTaskDatabase(stateDir, name);
  try {
    const hostLimits = command.isDryRun ? undefined : openHostLimits(stateDir);
    try {
      const report = await watchedRun(command, settings, context, { database, hostLimits });
      const { text, stdout } = context;
      if (command.isJson) stdout.write(`${JSON.stringify(report)}\n`);
      else {
        const lines = reportLines(report, settings.target.folder, sourceFacts(settings.source), text);
        stdout.write(`${lines.join('\n')}\n`);
      }
      return EXIT_CODES[report.outcome];
    } finally {
      hostLimits?.close();
    }
  } finally {
    database.close();
  }
}

/** The run with its log, its progress on the terminal and Ctrl-C. */
async function watchedRun(
  command: RunCommand,
  settings: TaskSettings,
  context: CommandContext,
  state: { database: TaskDatabase; hostLimits: HostLimits | undefined },
): Promise<RunReport> {
  const { text, clock, signal } = context;
  const log = openLog(command, settings);
  const view = progressView(command, context);
  const onAbort = (): void => {
    view.say(text.t('progress.stopping'));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await executeRun({
      ...state,
      settings: { ...settings, connections: command.connections ?? settings.connections },
      source: openSource(settings.source, {
        clock,
        log: (event, fields) => {
          log.info(event, fields);
        },
      }),
      isDryRun: command.isDryRun,
      isForced: command.isForced,
      clock,
      log,
      signal,
      onProgress: (snapshot) => {
        view.update(snapshot);
      },
    });
  } finally {
    view.end();
    signal.removeEventListener('abort', onAbort);
    log.close();
  }
}

/** A dry run leaves nothing behind, so that it has a log only where one was asked for. */
function openLog(command: RunCommand, settings: TaskSettings): Logger & { close(): void } {
  const file = command.logFile ?? (command.isDryRun ? undefined : join(command.stateDir, 'site-backup.log'));
  if (file === undefined) return { ...silentLog, close: () => undefined };
  return createLog({ to: { file: resolve(file) }, redact: [settings.source.password.reveal()] });
}

/** `--json` keeps standard output for the report; then only a terminal is told how far the run is. */
function progressView(command: RunCommand, { text, clock, stdout, stderr }: CommandContext): ProgressView {
  const stream = command.isJson ? stderr : stdout;
  if (stream.isTTY === true) return terminalProgress(stream, text, clock);
  if (!command.isJson) return plainProgress(stream, text, clock);
  return { update: () => undefined, say: () => undefined, end: () => undefined };
}
