import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { BackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { RemotePath, RemoteSession } from '../remote/remote.ts';
import type { Shift, ShiftGroup, ShiftSample, ShiftTables } from '../state/shift-tables.ts';
import type { RunContext } from './run-context.ts';

/** Fewer files are simply brought again; and no guard holds a run for the share of so few (see guards.ts). */
export const SHIFT_FILES_MIN = 20;
/** More than this share of all changed files must have moved alike. */
const SHIFT_PERCENT = 90;
/** Zones lie up to 26 hours apart, in quarters of an hour. */
const SHIFT_MS_MAX = 26 * 3_600_000;
const SHIFT_STEP_MS = 15 * 60_000;
/** Files that are compared byte by byte: all of a small shift; of a large one, a tenth that lies is missed once in 200. */
export const SAMPLE_FILES_MAX = 50;
/** Of the sample: a file that was closed to us since it came proves nothing, as long as there are few such files. */
const UNREAD_PERCENT_MAX = 10;
const SAMPLE_BYTES_MAX = 256 * 1024 * 1024;
/** Larger files are taken only where there are no others. */
const SAMPLE_FILE_BYTES_MAX = 16 * 1024 * 1024;
const DAY_MS = 86_400_000;

/**
 * The one way in which the server's clock, zone or disk has moved, where more than SHIFT_PERCENT of `changedFiles` have
 * changed in that way and no other. A change of identity alone (`deltaMs` 0) is a move to another disk.
 */
export function findShift(groups: readonly ShiftGroup[], changedFiles: number): Shift | undefined {
  const main = groups.find(isShift);
  if (main === undefined) return undefined;
  const dayMs = Math.sign(main.deltaMs) * DAY_MS;
  const files = groups
    .filter(({ isMoved, deltaMs, precision }) => {
      return isMoved === main.isMoved && (deltaMs === main.deltaMs || (precision === 'day' && deltaMs === dayMs));
    })
    .reduce((sum, group) => sum + group.files, 0);
  if (files < SHIFT_FILES_MIN || files * 100 <= SHIFT_PERCENT * changedFiles) return undefined;
  return { deltaMs: main.deltaMs, isMoved: main.isMoved };
}

function isShift({ deltaMs, isMoved }: ShiftGroup): boolean {
  return deltaMs === 0 ? isMoved : isZoneShift(deltaMs);
}

/** Whether two zones can lie so far apart, 0 included. */
export function isZoneShift(deltaMs: number): boolean {
  return Math.abs(deltaMs) <= SHIFT_MS_MAX && deltaMs % SHIFT_STEP_MS === 0;
}

/**
 * Where the plan would bring nearly everything again only because all times, or all identities, have moved alike: reads
 * a sample from the server. If all of it is what lies here, the index takes over what the server tells now and nothing is
 * brought; if one file is another, or more than a few cannot be read, the plan stays as it is.
 */
export async function settleShift(context: RunContext, shifts: ShiftTables): Promise<void> {
  const { notice, signal } = context;
  const shift = findShift(shifts.groups(), shifts.changedFiles());
  if (shift === undefined) return;
  const sample = withinBudget(shifts.sample(shift, SAMPLE_FILES_MAX, SAMPLE_FILE_BYTES_MAX));
  const differing = await firstDifference(context, sample);
  const words = `${shift.deltaMs / 60_000} min${shift.isMoved ? ', other identities' : ''}; ${sample.length} files compared`;
  if (differing !== undefined) {
    notice('clock-shift-refuted', differing, words);
    return;
  }
  for (let from = 0; ;) {
    const last = shifts.settle(shift, from);
    if (last === undefined) break;
    from = last;
    await setImmediate();
    if (signal.aborted) throw new BackupError('cancelled');
  }
  notice('clock-shifted', undefined, words);
}

function withinBudget(sample: readonly ShiftSample[]): ShiftSample[] {
  let bytes = 0;
  return sample.filter(({ sizeBytes }, index) => {
    bytes += sizeBytes;
    return index === 0 || bytes <= SAMPLE_BYTES_MAX;
  });
}

/** The path of a file that is not on the server what it is here, or of one that could not be read where there are many. */
async function firstDifference(context: RunContext, sample: readonly ShiftSample[]): Promise<string | undefined> {
  const waiting = [...sample];
  let differing: string | undefined;
  const unread: string[] = [];
  await context.pool.run(
    { take: () => (differing === undefined ? waiting.shift() : undefined) },
    {
      work: async (session, file: ShiftSample) => {
        if (!(await isEqual(context, session, file))) differing ??= file.path;
      },
      giveUp: ({ path }) => {
        unread.push(path);
      },
    },
  );
  return differing ?? (unread.length * 100 > UNREAD_PERCENT_MAX * sample.length ? unread[0] : undefined);
}

async function isEqual(context: RunContext, session: RemoteSession, file: ShiftSample): Promise<boolean> {
  const { progress, speedLimit, signal } = context;
  progress.currentPath = decodeRemoteName(file.path);
  const hash = createHash('sha256');
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      progress.bytesReceived += chunk.length;
      progress.touch();
      const pause = speedLimit.pace(chunk.length, signal);
      if (pause === undefined) done();
      else {
        pause.then(() => {
          done();
        }, done);
      }
    },
  });
  const sizeBytes = await session.download(file.path as RemotePath, sink, 0);
  return sizeBytes === file.sizeBytes && hash.digest().equals(file.sha256);
}
