import type { RunReport } from '../../src/engine/run-report.ts';
import { decodeRemoteName } from '../../src/local/local-name.ts';
import type { SiteState } from './site.ts';

/**
 * What a run has concluded from. What the disk refuses at the very end, when all has been seen, makes a run incomplete that
 * was complete so far: a file that had to go to the versions with others that did, and the manifest.
 */
export function outcomeOf(report: RunReport | undefined, moments: readonly SiteState[]): RunReport['outcome'] {
  const there = new Set(
    moments.flatMap(({ files, folders }) => [...files.keys(), ...folders].map((path) => decodeRemoteName(path))),
  );
  const isOfTheEnd = report?.failures.every(
    ({ path, code }) => path === '/manifest.jsonl' || (code === 'target-unwritable' && !there.has(path)),
  );
  return report?.outcome === 'incomplete' && isOfTheEnd === true ? 'complete' : (report?.outcome ?? 'cancelled');
}
