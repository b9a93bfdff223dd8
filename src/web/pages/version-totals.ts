import { statSync } from 'node:fs';
import { openPastReading } from '../../state/past-reading.ts';
import { RestorePoints } from '../../state/restore-points.ts';
import { taskDatabasePath } from '../../state/task-database.ts';
import { VersionSweep } from '../../state/version-sweep.ts';
import type { Services } from '../services.ts';

/** What a task has of older content. */
export interface VersionTotals {
  readonly versions: number;
  readonly files: number;
  readonly bytes: number;
}

/** By service and task: to add up a million rows at every look would stop all pages for a moment. */
const known = new WeakMap<Services, Map<string, { readonly stamp: string; readonly totals: VersionTotals }>>();

/** The numbers as they are, and those of a moment ago while a run is under way. */
export function versionTotals(services: Services, stateKey: string, isRunning: boolean): VersionTotals {
  const ofService = known.get(services) ?? new Map<string, { stamp: string; totals: VersionTotals }>();
  known.set(services, ofService);
  const remembered = ofService.get(stateKey);
  const path = taskDatabasePath(services.stateDir, stateKey);
  const stamp = `${stampOf(path)} ${stampOf(`${path}-wal`)}`;
  if (remembered !== undefined && (isRunning || remembered.stamp === stamp)) return remembered.totals;
  const totals = readTotals(services.stateDir, stateKey);
  ofService.set(stateKey, { stamp, totals });
  return totals;
}

function stampOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.mtimeMs} ${stats.size}`;
}

function readTotals(stateDir: string, stateKey: string): VersionTotals {
  const past = openPastReading(stateDir, stateKey);
  if (past === undefined) return { versions: 0, files: 0, bytes: 0 };
  try {
    return { versions: new RestorePoints(past.db).count(), ...new VersionSweep(past.db).storedTotals() };
  } finally {
    past.close();
  }
}
