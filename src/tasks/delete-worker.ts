/** The thread that deletes one version, or one content of a file. */
import { parentPort, workerData } from 'node:worker_threads';
import { deleteVersion } from '../engine/delete-version.ts';
import type { DeletionTask } from '../engine/delete-version.ts';
import { isBackupError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { DeletionMessage } from './delete-version.ts';

const port = parentPort;
if (port === null) throw new Error('delete-worker is started by delete-version.ts');
const tell = (message: DeletionMessage): void => {
  port.postMessage(message);
};
const write: Logger['info'] = (event, fields) => {
  tell({ kind: 'log', event, fields });
};
const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log };

try {
  tell({ kind: 'done', answer: await deleteVersion(workerData as DeletionTask, log) });
} catch (error) {
  if (!isBackupError(error)) throw error;
  tell({ kind: 'failed', code: error.code, facts: error.facts, detail: error.detail });
} finally {
  port.close();
}
