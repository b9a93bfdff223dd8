import { decodeRemoteName } from '../local/local-name.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { Target } from '../local/target.ts';
import type { KeptAs, VersionPlace } from '../local/versions.ts';
import type { FileRecord } from '../state/file-index.ts';
import type { MovingVersion, VersionReason } from '../state/version-index.ts';
import type { RunContext } from './run-context.ts';

/** Rows read from a table at a time. */
const PAGE = 64;

/** A file of the index that is about to leave its path. */
export interface LeavingFile {
  readonly folderId: number;
  readonly name: string;
  /** Where it lies. */
  readonly origin: LocalPath;
  readonly reason: VersionReason;
}

/**
 * Keeps what `current/` loses. Each file goes the same way: its place is found; the intention is committed and its record
 * dropped (`note`); it gets its place (`keep`); and once that survives a power cut, that is committed, too (`settle`).
 * Killed anywhere in between, `recoverVersions` of the next run finds it in one of its two places.
 */
export class VersionKeeper {
  readonly #context: RunContext;
  readonly #target: Target;
  readonly #folder: string;

  /** `folder`: the name below `versions/` for what this run keeps. */
  constructor(context: RunContext, target: Target, folder: string) {
    this.#context = context;
    this.#target = target;
    this.#folder = folder;
  }

  /** Finds the place for a file. undefined where the index has no record of it: then nothing is lost with it. */
  async prepare(file: LeavingFile): Promise<Departure | undefined> {
    const record = this.#context.index.file(file.folderId, file.name);
    if (record === undefined) return undefined;
    const place = await this.#target.versions.findPlace(file.origin, this.#folder);
    return new Departure(this.#context, this.#target, file, record, place);
  }
}

/** One file on its way from `current/` to the versions. */
export class Departure {
  readonly file: LeavingFile;
  readonly #context: RunContext;
  readonly #target: Target;
  readonly #record: FileRecord;
  readonly #place: VersionPlace;
  #versionId = 0;
  #keptAs: KeptAs = 'absent';

  constructor(context: RunContext, target: Target, file: LeavingFile, record: FileRecord, place: VersionPlace) {
    this.file = file;
    this.#context = context;
    this.#target = target;
    this.#record = record;
    this.#place = place;
  }

  /** To be called in a transaction. From here on the index does not claim the file. */
  note(): void {
    const { versions, runId, clock } = this.#context;
    const { folderId, name, origin, reason } = this.file;
    const leaving = { untilRun: runId, reason, retiredMs: clock.nowMs(), origin, place: this.#place };
    const id = versions.leave(folderId, name, leaving);
    if (id === undefined) throw new Error('a file without its record');
    this.#versionId = id;
  }

  /** Puts it into its place; see TargetVersions.keep. */
  async keep(how: 'link' | 'move'): Promise<void> {
    this.#keptAs = await this.#target.versions.keep(this.file.origin, this.#place, this.#record, how);
  }

  /** To be called in a transaction, after the target's flush. */
  settle(): void {
    const { versions, tables, runId, log } = this.#context;
    // Size and time may well be those of the content that it no longer is.
    const keptAs = this.file.reason === 'damaged' && this.#keptAs === 'kept' ? 'altered' : this.#keptAs;
    const state = keptAs === 'absent' ? 'lost' : keptAs;
    versions.settle(this.#versionId, state);
    tables.noteChange(runId);
    if (state !== 'kept') log.warn('version-lost', { path: this.file.origin, state });
  }

  /** What should have taken its place could not: the file goes back to its path and its record. */
  async undo(): Promise<void> {
    const isBack = await this.#target.versions.giveBack(this.file.origin, this.#place);
    await this.#target.flush();
    if (isBack && this.#context.versions.restore(this.#versionId)) return;
    this.#context.tables.transaction(() => {
      this.settle();
    });
  }
}

/** What an earlier run began to move and did not end: the file goes back to its record, or is found in its place. */
export async function recoverVersions(context: RunContext, target: Target): Promise<void> {
  for (let afterId = 0; ;) {
    const page = context.versions.moving(afterId, PAGE);
    if (page.length === 0) return;
    for (const version of page) {
      afterId = version.id;
      await recoverOne(context, target, version);
    }
  }
}

async function recoverOne(context: RunContext, target: Target, version: MovingVersion): Promise<void> {
  const { versions, runId, log, tables } = context;
  const { id, place } = version;
  const origin = version.origin as LocalPath;
  if (await isBack(target, version, origin)) {
    if (place !== undefined) await target.versions.giveBack(origin, place);
    await target.flush();
    if (versions.restore(id)) return;
  } else if (place !== undefined) {
    await keepAltered(context, target, version, place);
  }
  const isThere = place !== undefined && (await target.versions.has(place));
  const isWhole = isThere && (await target.versions.holds(place, version));
  await target.flush();
  tables.transaction(() => {
    versions.settle(id, isWhole ? 'kept' : isThere ? 'altered' : 'lost', runId);
    tables.noteChange(runId);
  });
  if (!isWhole) log.warn('version-lost', { path: decodeRemoteName(version.path) });
}

/** What was changed or damaged under its old path was about to be kept as well: it lies nowhere else. */
async function keepAltered(
  context: RunContext,
  target: Target,
  version: MovingVersion,
  place: VersionPlace,
): Promise<void> {
  const origin = version.origin as LocalPath;
  if (await target.versions.has(place)) return;
  for (let afterId = 0; ;) {
    const steps = context.tables.steps('whole', ['download'], afterId, PAGE);
    const last = steps.at(-1);
    if (last === undefined) break;
    afterId = last.id;
    const arrived = steps.find(({ localPath }) => localPath === origin)?.got;
    // Nothing had been there to keep, and what lies there is what came instead.
    if (arrived !== undefined && (await target.holds(origin, arrived))) return;
  }
  await target.versions.keep(origin, place, version, 'move');
}

/** True where the content lies under its old path, or could be moved back there from the one it was renamed to. */
async function isBack(target: Target, version: MovingVersion, origin: LocalPath): Promise<boolean> {
  if (await target.holds(origin, version)) return true;
  const movedPlace = version.movedPlace as LocalPath | undefined;
  if (movedPlace === undefined || !(await target.holds(movedPlace, version))) return false;
  if ((await target.kindOf(origin)) !== undefined) return false;
  await target.move(movedPlace, origin);
  return true;
}
