import { join, resolve } from 'node:path';
import type { RunReport } from '../engine/run-report.ts';
import { createLog, silentLog, type Logger } from '../log.ts';
import { openSource } from '../remote/open-source.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { runTask } from '../tasks/run-task.ts';
import { sourceFacts, type CommandContext } from './command-context.ts';
import type { RunCommand } from './options.ts';
import { plainProgress, terminalProgress, type ProgressView } from './progress-lines.ts';
import { EXIT_CODES, reportLines } from './report-lines.ts';

/** Makes one run of a task, shows it while it goes and what came of it. Gives the exit code. */
export async function runRun(command: RunCommand, settings: TaskSettings, context: CommandContext): Promise<number> {
  const { text, stdout } = context;
  const report = await watchedRun(command, settings, context);
  if (command.isJson) {
    stdout.write(`${JSON.stringify(report)}\n`);
  } else {
    const lines = reportLines(report, settings.target.folder, sourceFacts(settings.source), text);
    stdout.write(`${lines.join('\n')}\n`);
  }
  return EXIT_CODES[report.outcome];
}

/** The run with its log, its progress on the terminal and Ctrl-C. */
async function watchedRun(command: RunCommand, settings: TaskSettings, context: CommandContext): Promise<RunReport> {
  const { text, clock, signal } = context;
  const log = openLog(command, settings);
  const view = progressView(command, context);
  const onAbort = (): void => {
    view.say(text.t('progress.stopping'));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await runTask({
      settings: { ...settings, connections: command.connections ?? settings.connections },
      source: openSource(settings.source, {
        clock,
        log: (event, fields) => {
          log.info(event, fields);
        },
      }),
      stateDir: resolve(command.stateDir),
      stateKey: settings.name,
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
