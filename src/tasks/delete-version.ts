import { lookAtDeletion as look } from '../engine/delete-version.ts';
import type { Deleted, DeletionObstacle, DeletionTask, DeletionWish, Loss } from '../engine/delete-version.ts';
import { pastPath } from '../engine/past-folder.ts';
import { BackupError } from '../errors.ts';
import type { ErrorCode, ErrorFacts } from '../errors.ts';
import type { LogFields, Logger } from '../log.ts';
import type { JobWork } from './jobs.ts';
import type { PastOf } from './past-trees.ts';
import { startThread } from './start-thread.ts';

/** What somebody would like to delete, and what would be lost with it. */
export interface DeletionOutlook {
  readonly wish: DeletionWish;
  /** The file's path for people; empty for a whole version. */
  readonly path: string;
  readonly loss: Loss | DeletionObstacle;
}

/** What would be lost with one content of a file. Path as latin1 text. Reads only. */
export function lookAtDeletion(of: PastOf, wish: DeletionWish): DeletionOutlook {
  return { wish, path: wish.kind === 'content' ? pastPath(wish.path) : '', loss: look(of, wish) };
}

/** What the thread tells. */
export type DeletionMessage =
  | { readonly kind: 'log'; readonly event: string; readonly fields: LogFields | undefined }
  | { readonly kind: 'done'; readonly answer: Deleted | DeletionObstacle }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly facts: ErrorFacts;
      readonly detail: string | undefined;
    };

/** Deletes in a thread: over a million rows a page would have to wait too long. */
export function deletionJob(task: DeletionTask, log: Logger): JobWork {
  return async (_report, signal) => {
    const worker = startThread('delete-worker', task);
    const stop = (): void => {
      // At any moment of it nothing is claimed that has gone, and the next deletion or prune goes on.
      void worker.terminate();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      const answer = await new Promise<Deleted | DeletionObstacle>((resolve, reject) => {
        worker.on('message', (message: DeletionMessage) => {
          if (message.kind === 'log') log.info(message.event, message.fields);
          else if (message.kind === 'done') resolve(message.answer);
          else reject(new BackupError(message.code, { facts: message.facts, ...detailOf(message.detail) }));
        });
        worker.on('error', reject);
        worker.on('exit', () => {
          reject(new BackupError('cancelled'));
        });
      });
      if (typeof answer === 'string') return { tone: 'warn', key: answer, facts: {} };
      return { tone: 'ok', key: 'done', facts: { files: answer.files, bytes: answer.bytes } };
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
}

function detailOf(detail: string | undefined): { detail?: string } {
  return detail === undefined ? {} : { detail };
}
