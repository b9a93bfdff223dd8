import { REMOTE_ROOT } from '../remote/remote.ts';
import type { RemoteSession } from '../remote/remote.ts';
import { settingsHash } from '../settings/parse-task.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { GuardTables } from '../state/guard-tables.ts';
import { HoldStore } from '../state/hold-store.ts';
import type { RunTables } from '../state/run-tables.ts';
import type { TaskDatabase } from '../state/task-database.ts';
import { releaseHeld } from './hold.ts';
import type { RunContext } from './run-context.ts';
import type { SessionPool } from './session-pool.ts';

/** Work that a run left unfinished is gone on with for this long; after that the server is looked at anew. */
export const WORK_RESUMED_MS = 24 * 3_600_000;

/** What decides which files a run wants. */
interface Wish {
  readonly settings: TaskSettings;
  readonly isForced: boolean;
}

/** The earlier run whose work this one can go on with; undefined where the server is to be looked at anew. */
export function resumableRun(
  db: TaskDatabase['db'],
  tables: RunTables,
  wish: Wish & { readonly isDryRun: boolean },
  nowMs: number,
): number | undefined {
  const left = tables.work();
  if (left === undefined || wish.isDryRun || left.key !== workKey(wish)) return undefined;
  // Held work without a decision is no use: by now the server may be as it was.
  if (new GuardTables(db).hasHeldSteps() && !new HoldStore(db).isAccepted(left.runId)) return undefined;
  const ageMs = nowMs - left.startedMs;
  return ageMs >= 0 && ageMs < WORK_RESUMED_MS ? left.runId : undefined;
}

/**
 * Makes the tables the work of this run: that of run `resumes` as far as it has come, or else the source folder waiting to be
 * listed. `identity` is what the server shows of itself.
 */
export async function beginWork(
  context: RunContext,
  resumes: number | undefined,
  identity: RemoteSession['identity'],
): Promise<void> {
  const { tables, runId, pool, clock, results, progress, notice } = context;
  const left = resumes === undefined ? undefined : tables.work();
  if (left === undefined) {
    const unique = await rootIdentity(pool);
    tables.begin({ runId, key: workKey(context), startedMs: clock.nowMs(), stage: 'scanning' }, REMOTE_ROOT);
    const root = tables.folderByPath(REMOTE_ROOT);
    if (root !== undefined && unique !== undefined) tables.setUnique(root.id, unique);
  } else {
    tables.transaction(() => {
      tables.setWork({ ...left, runId });
      tables.retryFailed(left.stage);
      releaseHeld(context, serverIdentity(identity, tables));
    });
    notice('run-resumed', undefined, String(resumes));
  }
  const counts = results.counts();
  progress.foldersListed = counts.foldersComplete;
  progress.filesListed = counts.listed;
  progress.foldersWaiting = tables.waitingCount();
}

/** What the server shows of itself, with the identity of the source folder where it tells one. */
export function serverIdentity(
  identity: RemoteSession['identity'],
  tables: RunTables,
): Readonly<Record<string, string>> {
  const unique = tables.folderByPath(REMOTE_ROOT)?.unique;
  return unique === undefined ? identity : { ...identity, folder: unique };
}

function workKey({ settings, isForced }: Wish): string {
  return `${settingsHash(settings)}${isForced ? '-forced' : ''}`;
}

/** The server's identity for the source folder itself: by it, a path that leads back there is known. */
async function rootIdentity(pool: SessionPool): Promise<string | undefined> {
  let unique: string | undefined;
  const waiting = [REMOTE_ROOT];
  // By the pool, so that a connection that was lost meanwhile is replaced.
  await pool.run(
    { take: () => waiting.shift() },
    {
      work: async (session, path) => {
        unique = (await session.stat(path))?.unique;
      },
      giveUp: (_path, error) => {
        throw error;
      },
    },
  );
  return unique;
}
