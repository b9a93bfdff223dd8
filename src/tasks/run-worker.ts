/** The thread of one run: makes it, and tells the service how it goes. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { BackupError, isBackupError } from '../errors.ts';
import { failedReport } from '../engine/report.ts';
import type { ConnectionPermits } from '../engine/session-pool.ts';
import type { LogFields, LogLevel, Logger } from '../log.ts';
import { openSource } from '../remote/open-source.ts';
import { parseTaskSettings } from '../settings/parse-task.ts';
import { NO_SECRETS } from '../settings/password-source.ts';
import type { FromWorker, RunAssignment, ToWorker } from './run-messages.ts';
import { runTask } from './run-task.ts';

const port = parentPort;
if (port === null) throw new Error('run-worker is started by the task runner');
const tell = (message: FromWorker): void => {
  port.postMessage(message);
};

const stop = new AbortController();
const waitingPermits = new Map<number, (isGranted: boolean) => void>();
let lastPermit = 0;

port.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') {
    stop.abort(new BackupError('cancelled'));
    return;
  }
  waitingPermits.get(message.id)?.(message.isGranted);
  waitingPermits.delete(message.id);
});

/** Asks the service, which counts the connections of all runs. */
function permitsOf(hostKey: string): ConnectionPermits {
  return {
    async acquire(canWait) {
      const id = ++lastPermit;
      const isGranted = await new Promise<boolean>((resolve) => {
        waitingPermits.set(id, resolve);
        tell({ kind: 'permit-wanted', id, hostKey, canWait });
      });
      if (!isGranted) return undefined;
      return () => {
        tell({ kind: 'permit-released', id });
      };
    },
  };
}

function workerLog(more: LogFields = {}): Logger {
  const write = (level: LogLevel) => (event: string, fields?: LogFields) => {
    tell({ kind: 'log', level, event, fields: { ...more, ...fields } });
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => workerLog({ ...more, ...fields }),
  };
}

async function main(): Promise<void> {
  const assignment = workerData as RunAssignment;
  const log = workerLog();
  const parsed = parseTaskSettings(assignment.task, NO_SECRETS);
  if (!('settings' in parsed)) throw new Error('the runner hands over only settings that can be used');
  const { settings } = parsed;
  const source = openSource(settings.source, {
    clock: systemClock,
    log: (event, fields) => {
      log.info(event, fields);
    },
  });
  try {
    const report = await runTask({
      settings,
      source,
      stateDir: assignment.stateDir,
      stateKey: assignment.stateKey,
      isDryRun: assignment.isDryRun,
      isForced: false,
      timeZone: assignment.timeZone,
      eventDays: assignment.eventDays,
      clock: systemClock,
      log,
      signal: stop.signal,
      permits: permitsOf(source.hostKey),
      onStarted: (localRunId) => {
        tell({ kind: 'started', localRunId });
      },
      onProgress: (snapshot) => {
        tell({ kind: 'progress', snapshot });
      },
    });
    tell({ kind: 'ended', report });
  } catch (error) {
    if (!isBackupError(error)) throw error;
    tell({ kind: 'ended', report: failedReport(error, assignment.isDryRun) });
  }
}

await main();
port.close();
