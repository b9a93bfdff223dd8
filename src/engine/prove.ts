import { isBackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { ProofTables } from '../state/proof-tables.ts';
import { writeManifest } from './manifest.ts';
import type { ManifestOptions } from './manifest.ts';
import { rehashCopies } from './rehash.ts';
import type { RetireTools } from './retire.ts';
import { isComplete } from './retire-vanished.ts';
import type { RunContext } from './run-context.ts';
import { tellDoubted } from './set-aside.ts';
import { verifyAgainstServer } from './verify.ts';

const DAY_MS = 86_400_000;
/** Of one run, for reading what lies on the NAS: at 100 MB/s that is 60 GB. */
const REHASH_MS_MAX = 10 * 60_000;

/** Reads a part of what is kept again: from the server, where the run is complete, and on the NAS. See verify.ts, rehash.ts. */
export async function proveContent({ context, target }: RetireTools, proof: ProofTables): Promise<void> {
  const { tables, settings, clock, signal, runId, progress, log } = context;
  tellDoubted(context, proof);
  proof.forgetReadAfter(clock.nowMs());
  if (isComplete(context)) await verifyAgainstServer(context, target, proof);
  const { rehashDays } = settings.verification;
  if (rehashDays === 0) return;
  const counts = await rehashCopies({
    target,
    proof,
    clock,
    signal,
    beforeMs: clock.nowMs() - rehashDays * DAY_MS,
    endMs: clock.steadyMs() + REHASH_MS_MAX,
    exceptRun: runId,
    onFile: (path) => {
      progress.currentPath = decodeRemoteName(path);
      progress.touch();
    },
    onFault: ({ path, code, place }) => {
      progress.filesFailed++;
      tables.addFinding(path, code, place);
      log.warn(code, { path: decodeRemoteName(path), place });
    },
  });
  if (counts.files > 0) log.info('rehashed', { ...counts });
}

/**
 * Leaves the manifests of a complete run. They were promised: where they cannot be written, the run is incomplete, which
 * says so, and not failed, since all files are here.
 */
export async function leaveManifest({ log, tables }: RunContext, options: ManifestOptions): Promise<void> {
  try {
    if (await writeManifest(options)) log.info('manifest-written', { run: options.runId });
  } catch (error) {
    if (!isBackupError(error) || (error.scope !== 'file' && error.code !== 'disk-full')) throw error;
    log.warn('manifest-failed', { code: error.code, detail: error.detail });
    tables.addFinding('/manifest.jsonl', error.code, error.detail ?? '');
  }
}
