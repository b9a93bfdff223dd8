import { randomUUID } from 'node:crypto';
import { BackupError } from '../errors.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { Target } from '../local/target.ts';
import { readMeta, writeMeta } from '../state/meta.ts';
import type { ProofFile, ProofTables, ProofVersion } from '../state/proof-tables.ts';
import type { TaskDatabase } from '../state/task-database.ts';
import { MANIFEST_META_KEY } from './manifest.ts';
import type { RunContext } from './run-context.ts';

const META_KEY = 'run-word';
/** Rows read from a table, and written back together. */
const PAGE = 500;

/**
 * Each run leaves a random word in the folder and in the index. Where the two differ, one of them was put back from an
 * older copy (a snapshot of the shared folder, a backup of the state): then every file is looked at, and what does not look
 * as it was left is doubted, so that it is set aside and comes again. A work that was left is not gone on with.
 */
export async function bringIntoStep(
  context: RunContext,
  target: Target,
  { db }: TaskDatabase,
  proof: ProofTables,
): Promise<void> {
  const known = readMeta(db, META_KEY);
  if (known !== undefined && known !== (await target.runWord())) {
    const files = await doubtFiles(context, target, proof);
    const versions = await loseVersions(context, target, proof);
    context.tables.transaction(() => {
      proof.forgetFingerprints();
      context.tables.clear();
      writeMeta(db, MANIFEST_META_KEY, '');
    });
    context.notice('index-out-of-step', undefined, `${files} files, ${versions} versions`);
  }
  // Killed between the two, the next run looks once for nothing.
  const word = randomUUID();
  await target.leaveRunWord(word);
  writeMeta(db, META_KEY, word);
}

async function doubtFiles(context: RunContext, target: Target, proof: ProofTables): Promise<number> {
  let count = 0;
  for (let after: ProofFile | undefined; ;) {
    const page = proof.files(after, PAGE);
    after = page.at(-1);
    if (after === undefined) return count;
    const doubted: ProofFile[] = [];
    for (const file of page) {
      const lies = await target.statFile(file.localPath as LocalPath);
      const isAsLeft = lies?.sizeBytes === file.sizeBytes && lies.modifiedMs === file.modifiedMs;
      if (!isAsLeft) doubted.push(file);
    }
    proof.transaction(() => {
      for (const file of doubted) proof.doubt(file, 'copy');
    });
    count += doubted.length;
    goOn(context);
  }
}

async function loseVersions(context: RunContext, target: Target, proof: ProofTables): Promise<number> {
  let count = 0;
  for (let after: ProofVersion | undefined; ;) {
    const page = proof.versions(after, PAGE);
    after = page.at(-1);
    if (after === undefined) return count;
    for (const { id, place, sizeBytes } of page) {
      const lies = await target.versions.sizeOf(place);
      if (lies === sizeBytes) continue;
      proof.loseVersion(id, lies === undefined ? 'lost' : 'altered');
      count++;
    }
    goOn(context);
  }
}

function goOn({ signal, progress }: RunContext): void {
  if (signal.aborted) throw new BackupError('cancelled');
  progress.touch();
}
