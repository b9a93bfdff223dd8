import { lookAtBackup } from '../engine/adopt.ts';
import type { AdoptOutlook, AdoptProgress, AdoptReport } from '../engine/adopt.ts';
import type { Clock } from '../clock.ts';
import { BackupError, isBackupError } from '../errors.ts';
import type { ErrorCode, ErrorFacts } from '../errors.ts';
import { silentLog } from '../log.ts';
import type { LogFields, LogLevel, Logger } from '../log.ts';
import type { JobWork } from './jobs.ts';
import { startThread } from './start-thread.ts';

/** A page does not wait longer for the numbers. */
const COUNT_MS_MAX = 2000;

/** What the thread is given. */
export interface AdoptAssignment {
  readonly folder: string;
  readonly stateDir: string;
  readonly stateKey: string;
  /** Names of the databases of all tasks that are there. */
  readonly liveDatabases: readonly string[];
}

/** What the thread tells. */
export type AdoptMessage =
  | { readonly kind: 'progress'; readonly progress: AdoptProgress }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly event: string; readonly fields: LogFields | undefined }
  | { readonly kind: 'done'; readonly report: AdoptReport }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly facts: ErrorFacts;
      readonly detail: string | undefined;
    };

/** What an adoption would be about. */
export type FolderOutlook = AdoptOutlook;

/** What lies in the folder that could be adopted, counted for a moment; the error that says why nothing does. */
export async function lookAtFolder(assignment: AdoptAssignment, clock: Clock): Promise<FolderOutlook | BackupError> {
  const { liveDatabases, ...task } = assignment;
  try {
    return await lookAtBackup({
      ...task,
      isLive: (name) => liveDatabases.includes(name),
      countMsMax: COUNT_MS_MAX,
      clock,
      log: silentLog,
      signal: new AbortController().signal,
    });
  } catch (error) {
    if (isBackupError(error)) return error;
    throw error;
  }
}

/** Adopts the folder in a thread of its own. It outlives the page that began it, and is stopped with the service. */
export function adoptFolder(assignment: AdoptAssignment, log: Logger): JobWork {
  return async (tell, signal) => {
    const worker = startThread('adopt-worker', assignment);
    const stop = (): void => {
      worker.postMessage('stop');
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      const report = await new Promise<AdoptReport>((resolve, reject) => {
        worker.on('message', (message: AdoptMessage) => {
          if (message.kind === 'progress') tell(message.progress.filesDone, message.progress.filesTotal);
          else if (message.kind === 'log') log[message.level](message.event, message.fields);
          else if (message.kind === 'done') resolve(message.report);
          else reject(new BackupError(message.code, { facts: message.facts, ...detailOf(message.detail) }));
        });
        worker.on('error', reject);
        worker.on('exit', () => {
          reject(new BackupError('cancelled'));
        });
      });
      const { files, bytes, proven, unproven, changed, missing } = report;
      const tone = changed + missing + report.versionsLost > 0 ? 'warn' : 'ok';
      return { tone, key: 'done', facts: { files, bytes, proven, unproven, differ: changed + missing } };
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
}

function detailOf(detail: string | undefined): { detail?: string } {
  return detail === undefined ? {} : { detail };
}
