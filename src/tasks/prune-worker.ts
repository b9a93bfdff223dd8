/** The thread that finds out what a prune would do: over a million rows that takes longer than a page may stand still. */
import { parentPort, workerData } from 'node:worker_threads';
import { simulatePrune } from '../engine/prune.ts';
import { HoldStore } from '../state/hold-store.ts';
import { openPastReading } from '../state/past-reading.ts';
import { RestorePoints } from '../state/restore-points.ts';
import type { PruneForecast, PruneQuestion } from './forecast-prune.ts';

const port = parentPort;
if (port === null) throw new Error('prune-worker is started by forecast-prune.ts');
port.postMessage(answer(workerData as PruneQuestion));

function answer({ stateDir, stateKey, rules, nowMs, timeZone }: PruneQuestion): PruneForecast {
  const past = openPastReading(stateDir, stateKey);
  if (past === undefined) return { kind: 'empty' };
  try {
    if (new HoldStore(past.db).open() !== undefined) return { kind: 'held' };
    const { points, pruned, expired } = simulatePrune(past.db, rules, nowMs, timeZone);
    const stays = new RestorePoints(past.db).all().length - points.length;
    if (stays === 0 && points.length === 0) return { kind: 'empty' };
    return {
      kind: 'seen',
      points: points.length,
      oldestMs: points[0]?.startedMs,
      newestMs: points.at(-1)?.startedMs,
      stays,
      pruned,
      expired,
    };
  } finally {
    past.close();
  }
}
