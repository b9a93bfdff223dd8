import { BackupError, isBackupError } from '../errors.ts';
import type { Clock } from '../clock.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { CopyState } from '../local/proof-of-file.ts';
import type { Target } from '../local/target.ts';
import { pathIn } from '../paths.ts';
import type { ProofFile, ProofTables, ProofVersion } from '../state/proof-tables.ts';

/** Rows read from a table, and written back together. */
const PAGE = 100;

/** A file of the NAS that is not what was brought, or not there. Paths of the server as latin1 text. */
export interface CopyFault {
  readonly path: string;
  readonly code: 'copy-damaged' | 'copy-missing' | 'copy-unreadable';
  /** Where it lies or lay below the task's folder. */
  readonly place: string;
  readonly sizeBytes: number;
}

export interface RehashOptions {
  readonly target: Target;
  readonly proof: ProofTables;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What was read since is not read again. */
  readonly beforeMs: number;
  /** Of Clock.steadyMs: no other file begins after it. */
  readonly endMs: number;
  /** What this run has brought is left for another day; 0: nothing. */
  readonly exceptRun: number;
  readonly onFile: (path: string, sizeBytes: number) => void;
  readonly onFault: (fault: CopyFault) => void;
}

export interface RehashCounts {
  readonly files: number;
  readonly bytes: number;
  readonly faults: number;
}

/**
 * Reads what lies on the NAS again, the longest unread first, in `current/` and in the versions, and compares it with the
 * index. A damaged or missing file is doubted from here on, so that the next run that looks at the server brings it again;
 * older content that is damaged or missing is marked so. One that may not be read is a fault, and no proof of damage. What
 * was read stays noted when it is cut short.
 */
export async function rehashCopies(options: RehashOptions): Promise<RehashCounts> {
  const { proof, beforeMs, exceptRun, target } = options;
  const counts = { files: 0, bytes: 0, faults: 0 };
  for (let after: ProofFile | undefined; ;) {
    const page = proof.filesToRehash(beforeMs, after, PAGE, exceptRun);
    after = page.at(-1);
    const isLeft = await eachOf(options, counts, page, {
      read: (file) => target.proofOf(file.localPath as LocalPath, file),
      place: (file) => `current/${file.localPath}`,
      path: (file) => pathIn(file.folderPath, file.name),
      whole: (file, nowMs) => {
        proof.setRehashed(file, nowMs);
      },
      fault: (file) => {
        proof.doubt(file, 'copy');
      },
    });
    if (!isLeft) break;
  }
  for (let after: ProofVersion | undefined; ;) {
    const page = proof.versionsToRehash(beforeMs, after, PAGE, exceptRun);
    after = page.at(-1);
    const isLeft = await eachOf(options, counts, page, {
      read: (version) => target.versions.proofOf(version.place, version),
      place: ({ place }) => `versions/${place.folder}/${place.localPath}`,
      path: ({ path }) => path,
      whole: ({ id }, nowMs) => {
        proof.setVersionRehashed(id, nowMs);
      },
      fault: ({ id }, state) => {
        proof.loseVersion(id, state === 'missing' ? 'lost' : 'altered');
      },
    });
    if (!isLeft) break;
  }
  return counts;
}

interface Ways<T> {
  readonly read: (item: T) => Promise<CopyState>;
  readonly place: (item: T) => string;
  readonly path: (item: T) => string;
  readonly whole: (item: T, nowMs: number) => void;
  readonly fault: (item: T, state: CopyState) => void;
}

/** False where there is nothing left to do, or no time for it. */
async function eachOf<T extends { readonly sizeBytes: number }>(
  { clock, endMs, signal, proof, onFile, onFault }: RehashOptions,
  counts: { files: number; bytes: number; faults: number },
  page: readonly T[],
  ways: Ways<T>,
): Promise<boolean> {
  const done: { readonly item: T; readonly state: CopyState | 'unreadable' }[] = [];
  const isOver = (): boolean => signal.aborted || clock.steadyMs() >= endMs;
  try {
    for (const item of page) {
      if (isOver()) break;
      const state = await ways.read(item).catch(unreadable);
      done.push({ item, state });
      counts.files++;
      counts.bytes += item.sizeBytes;
      onFile(ways.path(item), item.sizeBytes);
    }
  } finally {
    const nowMs = clock.nowMs();
    proof.transaction(() => {
      for (const { item, state } of done) {
        if (state === 'whole') {
          ways.whole(item, nowMs);
          continue;
        }
        counts.faults++;
        if (state !== 'unreadable') ways.fault(item, state);
        onFault({ path: ways.path(item), code: `copy-${state}`, place: ways.place(item), sizeBytes: item.sizeBytes });
      }
    });
  }
  if (signal.aborted) throw new BackupError('cancelled');
  return page.length === PAGE && !isOver();
}

function unreadable(error: unknown): 'unreadable' {
  if (!isBackupError(error) || error.scope !== 'file') throw error;
  return 'unreadable';
}
