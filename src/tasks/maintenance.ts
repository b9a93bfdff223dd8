import { BackupError } from '../errors.ts';
import type { CareResult, DatabaseFile } from '../state/database-care.ts';
import type { JobResult, JobWork } from './jobs.ts';
import { startThread } from './start-thread.ts';

/** What the thread is given, and what it tells after each database. */
export interface CareAssignment {
  readonly kind: 'compact' | 'integrity';
  readonly files: readonly DatabaseFile[];
}

export interface CareMessage {
  readonly result: CareResult;
}

/** Looks after databases in a thread of its own: SQLite does not let go before it has finished a file. */
export function careFor(kind: CareAssignment['kind'], files: readonly DatabaseFile[]): JobWork {
  return async (report, signal) => {
    const results: CareResult[] = [];
    report(0, files.length);
    const worker = startThread('maintenance-worker', { kind, files } satisfies CareAssignment);
    const stop = (): void => {
      // What SQLite had begun it takes back when the file is opened again.
      void worker.terminate();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        worker.on('message', (message: CareMessage) => {
          results.push(message.result);
          report(results.length, files.length);
        });
        worker.on('error', reject);
        worker.on('exit', () => {
          if (signal.aborted) reject(new BackupError('cancelled'));
          else resolve();
        });
      });
    } finally {
      signal.removeEventListener('abort', stop);
    }
    return summaryOf(kind, files, results);
  };
}

function summaryOf(
  kind: CareAssignment['kind'],
  files: readonly DatabaseFile[],
  results: readonly CareResult[],
): JobResult {
  const damaged = files.filter((_, index) => results[index]?.kind === 'damaged');
  if (damaged.length > 0) {
    const paths = damaged.map((file) => file.path).join(', ');
    return { tone: 'err', key: 'damaged', facts: { count: damaged.length, paths } };
  }
  const busy = results.filter((result) => result.kind === 'busy').length;
  const freed = results.reduce((sum, result) => sum + (result.kind === 'done' ? result.freedBytes : 0), 0);
  const facts = { count: results.length - busy, busy, freed };
  if (busy > 0) return { tone: 'warn', key: 'some-busy', facts };
  return { tone: 'ok', key: kind === 'compact' ? 'compacted' : 'sound', facts };
}
