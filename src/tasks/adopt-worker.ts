/** The thread that adopts one folder. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { adoptBackup } from '../engine/adopt.ts';
import type { AdoptProgress } from '../engine/adopt.ts';
import { isBackupError } from '../errors.ts';
import type { LogFields, LogLevel, Logger } from '../log.ts';
import type { AdoptAssignment, AdoptMessage } from './adopt-task.ts';

/** Watchers are told at most this often. */
const TELL_EVERY_MS = 500;

const port = parentPort;
if (port === null) throw new Error('adopt-worker is started by adopt-task.ts');
const tell = (message: AdoptMessage): void => {
  port.postMessage(message);
};
const { liveDatabases, ...task } = workerData as AdoptAssignment;
const stop = new AbortController();
port.on('message', () => {
  stop.abort();
});

const write = (level: LogLevel) => (event: string, fields?: LogFields) => {
  tell({ kind: 'log', level, event, fields });
};
const log: Logger = {
  debug: write('debug'),
  info: write('info'),
  warn: write('warn'),
  error: write('error'),
  child: () => log,
};
let toldMs = -Infinity;
const onProgress = (progress: AdoptProgress): void => {
  const nowMs = systemClock.steadyMs();
  if (nowMs - toldMs < TELL_EVERY_MS) return;
  toldMs = nowMs;
  tell({ kind: 'progress', progress });
};

try {
  const isLive = (name: string): boolean => liveDatabases.includes(name);
  const report = await adoptBackup({ ...task, isLive, clock: systemClock, log, signal: stop.signal, onProgress });
  tell({ kind: 'done', report });
} catch (error) {
  if (!isBackupError(error)) throw error;
  tell({ kind: 'failed', code: error.code, facts: error.facts, detail: error.detail });
} finally {
  port.close();
}
