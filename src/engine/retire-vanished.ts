import { isBackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { LocalPath } from '../local/local-path.ts';
import { folderOf, nameOf, pathIn } from '../paths.ts';
import type { RemotePath, RemoteSession } from '../remote/remote.ts';
import type { MissingFile } from '../state/file-index.ts';
import type { RunFolder, Step } from '../state/run-rows.ts';
import { ListingFingerprint } from './fingerprint.ts';
import { retireFiles } from './retire.ts';
import type { RetireTools } from './retire.ts';
import type { RunContext } from './run-context.ts';

/** Rows read from the index at a time. */
const PAGE = 500;
/** Files that leave together. */
const BATCH_FILES_MAX = 64;
/** Folders whose absence is remembered, so that it is asked for once; more, and some are asked for again. */
const FOLDERS_ASKED_MAX = 1000;

/**
 * Moves files to the versions that are gone from the server: missing at the end of an earlier complete run and of this
 * one, in listings that were seen whole, and gone when asked for by name on another connection. Where the server still has
 * one of them, its folder is not complete after all, and nothing is retired.
 */
export async function retireVanished(tools: RetireTools): Promise<void> {
  const { context } = tools;
  const { tables, settings, runId, progress } = context;
  if (settings.deletion.rule === 'keep') return;
  const confirmedRun = tables.lastCompleteRunBefore(runId);
  if (confirmedRun === undefined || !isComplete(context)) return;
  tables.dropSteps('retire-vanished');
  await new AbsenceCheck(context, confirmedRun).plan();
  if (!isComplete(context)) {
    tables.dropSteps('retire-vanished');
    return;
  }
  for (;;) {
    const steps = tables.steps('todo', ['retire-vanished'], 0, BATCH_FILES_MAX);
    if (steps.length === 0) break;
    await retireSteps(tools, steps);
    progress.touch();
  }
  await removeEmptyFolders(tools, confirmedRun);
}

/** Whether the run, as far as it has come, is one whose outcome is complete. */
export function isComplete({ results }: RunContext): boolean {
  return results.failureCount() === 0 && results.counts().foldersIncomplete === 0;
}

async function retireSteps(tools: RetireTools, steps: readonly Step[]): Promise<void> {
  const { tables, index, log } = tools.context;
  const files = steps.map((step) => {
    const path = tables.pathOf(step);
    const folderId = index.folder(folderOf(path))?.id ?? 0;
    return { folderId, name: nameOf(path), origin: step.localPath as LocalPath, reason: 'vanished' } as const;
  });
  const errors = await retireFiles(tools, files, (at) => {
    const step = steps[at];
    if (step !== undefined) tables.setStep(step.id, 'done');
  });
  for (const [at, error] of errors) {
    const step = steps[at];
    if (step === undefined) continue;
    tables.setStepFailed(step.id, error.code, error.detail);
    log.warn('retire-failed', { path: step.localPath, code: error.code, detail: error.detail });
  }
}

/** Folders that have gone from the server, and in which nothing lies any more. */
async function removeEmptyFolders({ context, target }: RetireTools, confirmedRun: number): Promise<void> {
  const { index, subtrees, tables, runId, log } = context;
  for (let before = ''; ;) {
    const folders = index.missingFolders(confirmedRun, before, PAGE);
    const last = folders.at(-1);
    if (last === undefined) return;
    before = last.path;
    for (const folder of folders) {
      // The deepest come first, so that those above are empty by then.
      if (!index.isEmptyFolder(folder.id)) continue;
      try {
        // What somebody else has laid there keeps the folder on the disk.
        await target.versions.removeEmptyFolder(folder.localPath as LocalPath);
      } catch (error) {
        if (!isBackupError(error) || error.scope !== 'file') throw error;
        log.warn('folder-not-removed', { path: folder.localPath, code: error.code, detail: error.detail });
        continue;
      }
      tables.transaction(() => {
        subtrees.removeSubtree(folder.path, runId);
        tables.noteChange(runId);
      });
    }
    await target.flush();
  }
}

/** What has gone: a file from a folder that is there, or the topmost folder that has gone with all below it. */
interface Absence {
  readonly path: string;
  readonly kind: 'file' | 'folder';
  /** The listing, seen whole, that does not show it. */
  readonly seenIn: RunFolder;
  /** The listing shows a link under its name, which an answer by name could not be told from. */
  readonly isProven: boolean;
}

/** Finds the files that have gone, and writes a step for each. */
class AbsenceCheck {
  readonly #context: RunContext;
  readonly #confirmedRun: number;
  /** Folders that have gone when asked for. */
  readonly #goneFolders = new Set<string>();
  readonly #fresh = new WeakSet<RemoteSession>();

  constructor(context: RunContext, confirmedRun: number) {
    this.#context = context;
    this.#confirmedRun = confirmedRun;
  }

  async plan(): Promise<void> {
    const { index } = this.#context;
    for (let after: MissingFile | undefined; ;) {
      const page = index.missingFiles(this.#confirmedRun, after, PAGE);
      after = page.at(-1);
      if (after === undefined) return;
      await this.#planPage(page);
    }
  }

  async #planPage(page: readonly MissingFile[]): Promise<void> {
    const { tables } = this.#context;
    const absent = page.flatMap((file) => {
      const absence = this.#absenceOf(file);
      return absence === undefined ? [] : [{ file, absence }];
    });
    const gone = await this.#askFor(absent.map(({ absence }) => absence));
    tables.transaction(() => {
      for (const { file, absence } of absent) {
        if (!gone.has(absence.path)) continue;
        const { seenIn } = absence;
        const path = pathIn(file.folderPath, file.name);
        tables.addStep({
          runFolderId: seenIn.id,
          // Its folder may be one that this run has not seen: the path goes on from the one that it has.
          name: seenIn.path === '/' ? path.slice(1) : path.slice(seenIn.path.length + 1),
          action: 'retire-vanished',
          reason: 'vanished',
          fileCount: 1,
          sizeBytes: file.sizeBytes,
          localPath: file.localPath,
        });
      }
    });
  }

  /** undefined where this run has not looked there, or has seen something. */
  #absenceOf(file: MissingFile): Absence | undefined {
    const { tables, index } = this.#context;
    // What the filters leave out is not looked at: that it is not seen says nothing.
    if (!this.#isWanted(file)) return undefined;
    let path = pathIn(file.folderPath, file.name);
    let kind: Absence['kind'] = 'file';
    for (let folder = file.folderPath; ; folder = folderOf(folder)) {
      if (index.folder(folder)?.missingSinceRun === undefined) {
        const seenIn = tables.folderByPath(folder);
        const isSeenWhole = seenIn?.state === 'listed' && seenIn.incomplete === undefined;
        if (!isSeenWhole || seenIn.aliasOf !== undefined) return undefined;
        const entry = tables.entry(seenIn.id, nameOf(path));
        if (entry?.type === kind || entry?.type === 'excluded') return undefined;
        return { path, kind, seenIn, isProven: index.hasLink(folder, nameOf(path)) };
      }
      if (folder === '/') return undefined;
      path = folder;
      kind = 'folder';
    }
  }

  #isWanted(file: MissingFile): boolean {
    const { filter, clock } = this.#context;
    const path = decodeRemoteName(pathIn(file.folderPath, file.name));
    for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
      if (!filter.wantsFolder(path.slice(0, end))) return false;
    }
    return filter.wantsFile(path, file.sizeBytes, file.modifiedMs, clock.nowMs());
  }

  /** Paths that the server does not have when asked for them by name, on a connection that has not made the listings. */
  async #askFor(absences: readonly Absence[]): Promise<Set<string>> {
    const { pool, tables, index, log } = this.#context;
    const gone = new Set<string>();
    const asked = new Map<string, Absence>();
    for (const absence of absences) {
      if (absence.isProven || this.#goneFolders.has(absence.path)) gone.add(absence.path);
      else asked.set(absence.path, absence);
    }
    const waiting = [...asked.values()];
    await pool.run(
      { take: () => waiting.shift() },
      {
        work: async (session, absence, _attempt, renew) => {
          let other = session;
          if (!this.#fresh.has(session)) {
            other = await renew();
            this.#fresh.add(other);
          }
          const { path, kind, seenIn } = absence;
          if (!(await isThere(other, absence)) || (await this.#isShownOtherwise(other, absence))) {
            gone.add(path);
            if (kind === 'folder') this.#rememberGone(path);
            return;
          }
          // Its folder's listing has kept it back: no listing of this folder can be believed.
          tables.setFailed(seenIn.id, 'listing-truncated', `not shown, but there: ${decodeRemoteName(nameOf(path))}`);
          index.forgetFingerprint(seenIn.path);
          log.warn('vanished-is-there', { path: decodeRemoteName(path) });
        },
        giveUp: ({ path }, error) => {
          log.warn('vanished-unproven', { path: decodeRemoteName(path), code: error.code, detail: error.detail });
        },
      },
    );
    return gone;
  }

  /** A server that takes `A` for `a` finds what was renamed so by its old name, too: as what it shows under the new one. */
  async #isShownOtherwise(session: RemoteSession, { path, kind, seenIn }: Absence): Promise<boolean> {
    const { index, fingerprintSalt } = this.#context;
    const name = index.nameInOtherCase(seenIn.path, nameOf(path), kind);
    if (name === undefined) return false;
    const told: (string | undefined)[] = [];
    for (const each of [path, pathIn(seenIn.path, name)] as RemotePath[]) {
      if (kind === 'file') {
        const stat = await session.stat(each);
        const raw = stat?.modified?.raw;
        told.push(raw === undefined ? undefined : `${stat?.sizeBytes} ${raw} ${stat?.unique}`);
      } else {
        const fingerprint = new ListingFingerprint(fingerprintSalt);
        const { incomplete } = await session.list(each, (entries) => {
          for (const entry of entries) fingerprint.add(entry);
        });
        told.push(incomplete === undefined ? fingerprint.digest().toString('hex') : undefined);
      }
    }
    return told[0] !== undefined && told[0] === told[1];
  }

  #rememberGone(path: string): void {
    if (this.#goneFolders.size >= FOLDERS_ASKED_MAX) this.#goneFolders.clear();
    this.#goneFolders.add(path);
  }
}

async function isThere(session: RemoteSession, { path, kind, seenIn }: Absence): Promise<boolean> {
  if (kind === 'folder' || session.capabilities.hasStat) return !(await session.isGone(path as RemotePath, kind));
  const found = new Set<string>();
  const listing = await session.list(seenIn.path as RemotePath, (entries) => {
    for (const { name } of entries) if (name === nameOf(path)) found.add(name);
  });
  return found.size > 0 || listing.incomplete !== undefined;
}
