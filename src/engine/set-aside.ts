import { isBackupError } from '../errors.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { CopyState } from '../local/proof-of-file.ts';
import { pathIn } from '../paths.ts';
import type { ProofFile, ProofTables } from '../state/proof-tables.ts';
import { retireFiles } from './retire.ts';
import type { RetireTools } from './retire.ts';
import type { RunContext } from './run-context.ts';

/** Files that leave together. */
const BATCH_FILES_MAX = 64;

/**
 * Copies that were found damaged or missing give up their place: what is left of them goes to the versions, and no record
 * claims them, so that the listing of this run brings them as files that are not here. One that is whole again stays, and so
 * does one that cannot be moved, or not be read, see `tellDoubted`.
 */
export async function setDamagedAside(tools: RetireTools, proof: ProofTables): Promise<void> {
  const { context, target } = tools;
  for (let after: ProofFile | undefined; ;) {
    const page = proof.doubtedCopies(after, BATCH_FILES_MAX);
    after = page.at(-1);
    if (after === undefined) return;
    const damaged: ProofFile[] = [];
    for (const file of page) {
      const state = await stateOf(file);
      if (state === 'whole') proof.clearDoubt(file);
      else if (state !== undefined) damaged.push(file);
    }
    const leaving = damaged.map(({ folderId, name, localPath }) => {
      return { folderId, name, origin: localPath as LocalPath, reason: 'damaged' } as const;
    });
    const errors = await retireFiles(tools, leaving, (at) => {
      const file = damaged[at];
      if (file !== undefined) context.index.forgetFingerprint(file.folderPath);
    });
    for (const [at, error] of errors) {
      context.log.warn('set-aside-failed', { path: damaged[at]?.localPath, code: error.code, detail: error.detail });
    }
  }
  /** undefined where it may not be read. */
  async function stateOf(file: ProofFile): Promise<CopyState | undefined> {
    try {
      return await target.proofOf(file.localPath as LocalPath, file);
    } catch (error) {
      if (!isBackupError(error) || error.scope !== 'file') throw error;
      context.log.warn('set-aside-failed', { path: file.localPath, code: error.code, detail: error.detail });
      return undefined;
    }
  }
}

/** Doubted copies that are still in their place are failures of the run. To be called before others are found. */
export function tellDoubted({ tables }: RunContext, proof: ProofTables): void {
  for (let after: ProofFile | undefined; ;) {
    const page = proof.doubtedCopies(after, BATCH_FILES_MAX);
    after = page.at(-1);
    if (after === undefined) return;
    for (const { folderPath, name, localPath } of page) {
      const path = pathIn(folderPath, name);
      tables.addFinding(path, 'copy-damaged', `current/${localPath}`);
    }
  }
}
