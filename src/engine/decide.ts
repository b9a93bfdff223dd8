import type { FileRecord } from '../state/file-index.ts';
import type { EntryRow } from '../state/run-rows.ts';

/** Why a file is to be brought, or asked about. */
export type Reason = 'new' | 'changed' | 'forced' | 'unproven';

/**
 * `same`: nothing to do. `refresh`: same content, but the server tells something about it anew. `recheck`: the listing
 * is too coarse to tell, ask for the file itself.
 */
export type Decision =
  { readonly action: 'same' | 'refresh' } | { readonly action: 'download' | 'recheck'; readonly reason: Reason };

export interface DecideRules {
  /** Bring everything again. */
  readonly isForced: boolean;
  /** The server can be asked for the time of one file. */
  readonly hasStat: boolean;
}

/**
 * Times in listings without zone are off by at most this much from UTC, and clocks of hosts by minutes: a coarse stamp
 * that is older than this when the file was read cannot hide a later edit.
 */
export const COARSE_STAMP_SETTLES_MS = 26 * 3_600_000;
const DAY_MS = 86_400_000;

/**
 * What is to become of a listed file, by what is known of it. Times are compared for equality with what the same server
 * said before, in either direction: a file restored from an old archive carries an older time and is changed all the same.
 */
export function decide(entry: EntryRow, record: FileRecord | undefined, rules: DecideRules): Decision {
  if (record === undefined) return { action: 'download', reason: 'new' };
  if (rules.isForced) return { action: 'download', reason: 'forced' };
  // Its content was seen to be another behind the same listing: no listing and no stat can settle that.
  if (record.doubt === 'differs') return { action: 'download', reason: 'changed' };
  if (entry.sizeBytes !== record.sizeBytes) return { action: 'download', reason: 'changed' };
  if (entry.unique !== undefined && record.unique !== undefined && entry.unique !== record.unique) {
    return { action: 'download', reason: 'changed' };
  }
  const time = compareTimes(entry, record);
  if (time === 'different') return { action: 'download', reason: 'changed' };
  if (time === 'unclear' || time === 'coarser' || record.isUnsettled) {
    const reason = time === 'unclear' ? 'changed' : 'unproven';
    return { action: rules.hasStat ? 'recheck' : 'download', reason };
  }
  const isToldAnew =
    entry.stamp !== record.stamp ||
    entry.precision !== record.precision ||
    entry.mode !== record.mode ||
    entry.unique !== record.unique ||
    record.missingSinceRun !== undefined;
  return { action: isToldAnew ? 'refresh' : 'same' };
}

/**
 * `unclear`: they differ, but at least one is too coarse to say that the file does. `coarser`: told less exactly than
 * before, perhaps of another zone, and not seen to differ.
 */
function compareTimes(entry: EntryRow, record: FileRecord): 'same' | 'different' | 'unclear' | 'coarser' {
  if (entry.stamp === record.stamp && entry.precision === record.precision) return 'same';
  if (entry.precision === 'second' && record.precision === 'second') return 'different';
  if (entry.precision === 'second') return entry.stampMs === record.modifiedMs ? 'same' : 'unclear';
  if (record.precision === 'none' && entry.stampMs !== undefined && record.modifiedMs !== undefined) {
    // Only the time on the disk is known, of an adopted file: exact, where the server's may be a day in another zone.
    const slackMs = COARSE_STAMP_SETTLES_MS + (entry.precision === 'day' ? DAY_MS : 0);
    return Math.abs(entry.stampMs - record.modifiedMs) < slackMs ? 'coarser' : 'unclear';
  }
  if (record.precision === 'second' && entry.stampMs !== undefined && record.stampMs !== undefined) {
    return Math.abs(entry.stampMs - record.stampMs) < COARSE_STAMP_SETTLES_MS ? 'coarser' : 'unclear';
  }
  const isFlip =
    (entry.precision === 'day' && record.precision === 'minute') ||
    (entry.precision === 'minute' && record.precision === 'day');
  // After six months `Nov 21 00:43` becomes `Nov 21 2025`: the same time, told more coarsely.
  if (isFlip && entry.stampMs !== undefined && record.stampMs !== undefined) {
    return dayOf(entry.stampMs) === dayOf(record.stampMs) ? 'same' : 'unclear';
  }
  return 'unclear';
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/**
 * Whether a file read at `readMs` may have been edited afterwards within the same tick of its listed time, so that the
 * next listing would look the same. Exact times never: the transfer itself waits until their second has passed.
 */
export function isUnsettledAfterRead(
  entry: Pick<EntryRow, 'precision' | 'stampMs'>,
  modifiedMs: number | undefined,
  readMs: number,
): boolean {
  if (entry.precision === 'second') return false;
  if (entry.precision === 'none') return true;
  const best = modifiedMs ?? entry.stampMs;
  return best === undefined || Math.abs(readMs - best) < COARSE_STAMP_SETTLES_MS;
}
