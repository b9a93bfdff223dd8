import type { TaskSettings } from '../settings/task-settings.ts';
import { startThread } from './start-thread.ts';

/** What the thread is asked. */
export interface PruneQuestion {
  readonly stateDir: string;
  readonly stateKey: string;
  readonly rules: Pick<TaskSettings, 'versions' | 'deletion'>;
  readonly nowMs: number;
  /** IANA name: the periods of the rules are those of its clock. */
  readonly timeZone: string;
}

interface Amount {
  readonly files: number;
  readonly bytes: number;
}

/** What would go now. `empty`: there is no version yet. `held`: nothing goes before a decision. */
export type PruneForecast =
  | { readonly kind: 'empty' | 'held' | 'slow' | 'unreadable' }
  | {
      readonly kind: 'seen';
      /** Versions that would go; the times of their runs are undefined where none would. */
      readonly points: number;
      readonly oldestMs: number | undefined;
      readonly newestMs: number | undefined;
      readonly stays: number;
      /** Content that only they needed. */
      readonly pruned: Amount;
      /** Content of files that have gone from the site long enough. */
      readonly expired: Amount;
    };

/** A page waits no longer for its answer. */
const WAIT_MAX_MS = 20_000;

/**
 * Says what a prune by these rules would do, without doing it, in a thread of its own. Never rejects: `slow` where it takes
 * longer than `timeoutMs`, `unreadable` where the task's database cannot be read.
 */
export async function forecastPrune(question: PruneQuestion, timeoutMs = WAIT_MAX_MS): Promise<PruneForecast> {
  const worker = startThread('prune-worker', question);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<PruneForecast>((resolve) => {
      timer = setTimeout(() => {
        resolve({ kind: 'slow' });
      }, timeoutMs);
      worker.once('message', resolve);
      worker.once('error', () => {
        resolve({ kind: 'unreadable' });
      });
      worker.once('exit', () => {
        resolve({ kind: 'unreadable' });
      });
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
