import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { BackupError, isBackupError } from '../errors.ts';
import {
  filesFolder,
  findAdoptable,
  gatherMirror,
  isMarkerFile,
  regularFile,
  staysInPlace,
  takeOver,
} from '../local/adoptable-folder.ts';
import type { AdoptableFolder, AdoptableLayout } from '../local/adoptable-folder.ts';
import { fileState, hashFile } from '../local/file-hash.ts';
import { walkFolder } from '../local/folder-walk.ts';
import type { WalkedEntry } from '../local/folder-walk.ts';
import { remoteNameFor } from '../local/local-name.ts';
import type { NameLimits } from '../local/local-name.ts';
import { TargetDisk } from '../local/target-disk.ts';
import { systemFs } from '../local/target-fs.ts';
import type { TargetFs } from '../local/target-fs.ts';
import type { Logger } from '../log.ts';
import { folderOf, nameOf, pathIn } from '../paths.ts';
import { databaseWithMarker, openAdoptionDatabase } from '../state/adoption-database.ts';
import type { AdoptionDatabase } from '../state/adoption-database.ts';
import { AdoptionIndex } from '../state/adoption-index.ts';
import type { ReadMemory } from '../state/read-memory.ts';
import { ManifestFault, readManifest } from './read-manifest.ts';
import type { ManifestHeader } from './read-manifest.ts';

export interface AdoptOptions {
  /** Absolute: the folder of the task. */
  readonly folder: string;
  readonly stateDir: string;
  /** Names the task's database. */
  readonly stateKey: string;
  /** Whether the database of this file name below `tasks/` is of a task that is there; by default all are. */
  readonly isLive?: ((databaseName: string) => boolean) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends it before anything in the folder was changed. */
  readonly signal: AbortSignal;
  /** A look counts for no longer than this. */
  readonly countMsMax?: number | undefined;
  readonly onProgress?: ((progress: AdoptProgress) => void) | undefined;
  readonly fs?: TargetFs | undefined;
}

export interface AdoptProgress {
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly filesTotal: number;
  readonly bytesTotal: number;
}

/** What an adoption would be about. */
export interface AdoptOutlook {
  /** The folder's real path. */
  readonly folder: string;
  readonly layout: AdoptableLayout;
  /** True where it bears the mark of another task's database. */
  readonly isMarked: boolean;
  readonly hasManifest: boolean;
  /** False where counting was given up: there is more than the numbers say. */
  readonly isCounted: boolean;
  /** Files below what is or becomes `current/`. */
  readonly files: number;
  readonly bytes: number;
  /** Links, devices, and names that no text can stand for: left where they are. */
  readonly others: number;
}

/** What an adoption has made of a folder. All are numbers of files, but for `bytes` and `versions`. */
export interface AdoptReport {
  readonly folder: string;
  readonly layout: AdoptableLayout;
  /** Of the index now. */
  readonly files: number;
  readonly bytes: number;
  /** Read, and exactly what the manifest says: they need not come again. */
  readonly proven: number;
  /** Known by the disk alone: the next run compares size and time with the server's. */
  readonly unproven: number;
  /** In the manifest with another content; the server is asked. */
  readonly changed: number;
  /** In the manifest, and not there: the next run brings them. */
  readonly missing: number;
  /** Left where they are, outside the index. */
  readonly others: number;
  /** Older content that was found as the manifest says. */
  readonly versions: number;
  readonly versionsLost: number;
  /** Whose backup it was, as its manifest says. */
  readonly from: { readonly task: string; readonly source: string } | undefined;
  /** Why the manifest could not be used. */
  readonly manifestFault: string | undefined;
}

/** Remote paths of local folders that are remembered. */
const FOLDERS_KEPT_MAX = 1000;
/** In `.site-backup/`, all but what is being gathered. */
const HIDDEN_OF_HALF_MOVED = /^\.site-backup\/(?!adopting(?:\/|$))/;

/** Names are read back under the widest limits; what does not fit the target is left to the next run. */
const LIMITS: NameLimits = { nameBytesMax: 255, isCaseSensitive: true };

/**
 * Looks at a folder that is to be adopted and changes nothing: names are read, no content. Throws `nothing-to-adopt`,
 * `folder-in-use`, `target-missing`, `target-taken`, or `target-unwritable` where part of it could not be read.
 */
export async function lookAtBackup(options: AdoptOptions): Promise<AdoptOutlook> {
  const found = await findAdoptable(options.folder, options.fs);
  assertNotInUse(found, options);
  let files = 0;
  let bytes = 0;
  let others = 0;
  let isCounted = true;
  const endMs = options.clock.steadyMs() + (options.countMsMax ?? Infinity);
  for await (const entry of walk(found)) {
    if (options.signal.aborted) throw new BackupError('cancelled');
    if (entry.kind === 'other') others++;
    if (entry.kind !== 'file') continue;
    if (isMarkerFile(entry.path)) {
      throw new BackupError('folder-in-use', { facts: { path: found.root }, detail: entry.path });
    }
    files++;
    bytes += entry.sizeBytes;
    isCounted = options.clock.steadyMs() < endMs;
    if (!isCounted) break;
  }
  const { root, layout, marker } = found;
  const hasManifest = (await manifestOf(found)) !== undefined;
  // Of a backup whose site has lost all files there are still the versions.
  if (files === 0 && !hasManifest) throw new BackupError('nothing-to-adopt', { facts: { path: root } });
  return { folder: root, layout, isMarked: marker !== undefined, hasManifest, isCounted, files, bytes, others };
}

/**
 * Makes the backup in a folder that of the task: reads every file, makes the index anew from the manifest and the disk, and
 * only then puts a mirror's files below `current/` and marks the folder. Nothing is brought from a server, and no content is
 * changed. Killed at any instruction, it can be begun again; until it is done no run works in the folder.
 */
export async function adoptBackup(options: AdoptOptions): Promise<AdoptReport> {
  const { log, clock, fs = systemFs } = options;
  const outlook = await lookAtBackup(options);
  const database = openAdoptionDatabase(options.stateDir, options.stateKey, options.folder);
  try {
    const found = await endGathering(await findAdoptable(options.folder, fs), fs);
    const index = new AdoptionIndex(database.db, clock.nowMs());
    const manifest = await takeManifest(found, index, options);
    index.begin();
    const comparison = new Comparison(found, index, database.memory, options, outlook);
    const counts = await comparison.run();
    const adopted = { fromMarker: found.marker, layout: outlook.layout, ...manifest };
    index.finish(adopted);
    const { files, bytes, versions } = index.totals();
    await settle(found, database, fs);
    const { header, fault } = manifest;
    const from = header === undefined ? undefined : { task: header.task, source: header.source };
    const { folder, layout } = outlook;
    const report = { folder, layout, files, bytes, versions, ...counts, from, manifestFault: fault };
    log.info('folder-adopted', { ...report, from: undefined, fromMarker: found.marker });
    return report;
  } finally {
    database.close();
  }
}

async function endGathering(found: AdoptableFolder, fs: TargetFs): Promise<AdoptableFolder> {
  if (found.layout !== 'half-moved') return found;
  await gatherMirror(found.root, fs);
  return { ...found, layout: 'backup' };
}

/** The order is what makes it safe to be killed: a run finds either a folder that is not its own, or all of it done. */
async function settle(found: AdoptableFolder, database: AdoptionDatabase, fs: TargetFs): Promise<void> {
  database.commit();
  if (found.layout === 'mirror') await gatherMirror(found.root, fs);
  await takeOver(found.root, database.marker, fs);
  database.settle();
}

interface TakenManifest {
  readonly header: ManifestHeader | undefined;
  readonly fault: string | undefined;
}

async function takeManifest(
  found: AdoptableFolder,
  index: AdoptionIndex,
  { log, signal }: AdoptOptions,
): Promise<TakenManifest> {
  const path = await manifestOf(found);
  if (path === undefined) return { header: undefined, fault: undefined };
  try {
    return { header: await readManifest(path, index, signal), fault: undefined };
  } catch (error) {
    if (!(error instanceof ManifestFault)) throw error;
    log.warn('manifest-unusable', { path, detail: error.message });
    return { header: undefined, fault: error.message };
  }
}

/** In a mirror, a file of this name is the site's. */
async function manifestOf({ root, layout }: AdoptableFolder): Promise<string | undefined> {
  const path = join(root, 'manifest.jsonl');
  return layout !== 'mirror' && (await regularFile(path)) ? path : undefined;
}

function assertNotInUse({ root, marker }: AdoptableFolder, { stateDir, stateKey, isLive }: AdoptOptions): void {
  const user = marker === undefined ? undefined : databaseWithMarker(stateDir, marker, stateKey);
  if (user === undefined || isLive?.(user) === false) return;
  throw new BackupError('folder-in-use', { facts: { path: root }, detail: user });
}

function walk(found: AdoptableFolder): AsyncGenerator<WalkedEntry, undefined> {
  const isMirror = found.layout === 'mirror';
  if (found.layout === 'half-moved') return walkFolder(found.root, (path) => HIDDEN_OF_HALF_MOVED.test(path));
  return walkFolder(filesFolder(found), (path) => isMirror && staysInPlace(path));
}

type Counts = Pick<AdoptReport, 'proven' | 'unproven' | 'changed' | 'missing' | 'others' | 'versionsLost'>;

/** Reads the disk and makes the index fit it. */
class Comparison {
  readonly #found: AdoptableFolder;
  readonly #index: AdoptionIndex;
  readonly #memory: ReadMemory | undefined;
  readonly #options: AdoptOptions;
  readonly #outlook: AdoptOutlook;
  readonly #disk: TargetDisk;
  readonly #folderIds = new Map<string, { id: number; path: string } | undefined>();
  readonly #counts = { proven: 0, unproven: 0, changed: 0, missing: 0, others: 0, versionsLost: 0 };
  #filesDone = 0;
  #bytesDone = 0;

  constructor(
    found: AdoptableFolder,
    index: AdoptionIndex,
    memory: ReadMemory | undefined,
    options: AdoptOptions,
    outlook: AdoptOutlook,
  ) {
    this.#found = found;
    this.#index = index;
    this.#memory = memory;
    this.#options = options;
    this.#outlook = outlook;
    // Failures are those of one file, also right below the folder of a mirror.
    this.#disk = new TargetDisk(options.fs ?? systemFs, dirname(filesFolder(found)));
  }

  async run(): Promise<Counts> {
    const base = filesFolder(this.#found);
    for await (const entry of walk(this.#found)) {
      this.#throwIfStopped();
      if (entry.kind === 'file') await this.#compare(base, entry);
      else if (entry.kind === 'other') this.#counts.others++;
    }
    await this.#loseUnfound();
    await this.#compareVersions();
    return this.#counts;
  }

  async #compare(base: string, entry: WalkedEntry): Promise<void> {
    const localFolder = folderOf(entry.path);
    const localName = nameOf(entry.path);
    const sha256 = await this.#hash(join(base, entry.path));
    this.#filesDone++;
    this.#bytesDone += entry.sizeBytes;
    this.#tell();
    const claimed = this.#index.claimed(localFolder, localName);
    if (sha256 === undefined) {
      // Unreadable: as good as missing; what the index claims of it is lost with the others.
      if (claimed === undefined) this.#counts.others++;
      return;
    }
    if (claimed?.sizeBytes === entry.sizeBytes && claimed.sha256.equals(sha256)) {
      this.#index.confirm(claimed);
      this.#counts.proven++;
      return;
    }
    const found = { localName, sizeBytes: entry.sizeBytes, sha256 };
    if (claimed !== undefined) {
      this.#index.lose(claimed);
      // Damaged, or newer than the manifest: its time must not let it pass for what the server has.
      this.#index.addFound(claimed.folderId, claimed.name, { ...found, modifiedMs: undefined });
      this.#counts.changed++;
      return;
    }
    const folder = this.#folderAt(localFolder);
    const name = remoteNameFor(localName, LIMITS);
    const isTaken =
      folder !== undefined &&
      name !== undefined &&
      this.#index.addFound(folder.id, name, { ...found, modifiedMs: entry.modifiedMs });
    if (isTaken) this.#counts.unproven++;
    else this.#counts.others++;
  }

  /** undefined where the index knows another folder by the name that this one would have. */
  #folderAt(localPath: string): { id: number; path: string } | undefined {
    const known = this.#folderIds.get(localPath);
    if (known !== undefined) return known;
    const folder = this.#index.folderAt(localPath) ?? this.#makeFolder(localPath);
    // Files of one folder mostly come one after the other: a few folders are enough.
    if (this.#folderIds.size >= FOLDERS_KEPT_MAX) this.#folderIds.clear();
    if (folder !== undefined) this.#folderIds.set(localPath, folder);
    return folder;
  }

  #makeFolder(localPath: string): { id: number; path: string } | undefined {
    if (localPath === '') {
      const id = this.#index.makeFolder('/', '', undefined);
      return id === undefined ? undefined : { id, path: '/' };
    }
    const parent = this.#folderAt(folderOf(localPath));
    const name = remoteNameFor(nameOf(localPath), LIMITS);
    if (parent === undefined || name === undefined) return undefined;
    const path = pathIn(parent.path, name);
    const id = this.#index.makeFolder(path, localPath, parent.id);
    return id === undefined ? undefined : { id, path };
  }

  async #loseUnfound(): Promise<void> {
    for (let page = this.#index.unfound(); page.length > 0; page = this.#index.unfound()) {
      for (const file of page) {
        this.#index.lose(file);
        this.#counts.missing++;
      }
      await setImmediate();
      this.#throwIfStopped();
    }
  }

  async #compareVersions(): Promise<void> {
    for (let afterId = 0; ;) {
      const page = this.#index.claimedVersions(afterId);
      if (page.length === 0) return;
      for (const { id, place, sha256 } of page) {
        afterId = id;
        this.#throwIfStopped();
        const path = join(this.#found.root, 'versions', place.folder, place.localPath);
        const lies = (await regularFile(path)) ? await this.#hash(path) : undefined;
        if (lies?.equals(sha256) === true) continue;
        this.#index.loseVersion(id, lies === undefined ? 'lost' : 'altered');
        this.#counts.versionsLost++;
      }
    }
  }

  /** undefined where it cannot be read. */
  async #hash(path: string): Promise<Buffer | undefined> {
    try {
      const is = await fileState(path);
      const known = is === undefined ? undefined : this.#memory?.recall(is.id, is.state);
      if (known !== undefined) return known;
      const sha256 = await hashFile(this.#disk, path);
      if (is !== undefined && sha256 !== undefined) this.#memory?.note(is.id, is.state, sha256);
      return sha256;
    } catch (error) {
      if (!isBackupError(error) || error.scope !== 'file') throw error;
      this.#options.log.warn('file-unreadable', { path, detail: error.detail });
      return undefined;
    }
  }

  #tell(): void {
    const { files, bytes } = this.#outlook;
    this.#options.onProgress?.({
      filesDone: this.#filesDone,
      bytesDone: this.#bytesDone,
      filesTotal: Math.max(files, this.#filesDone),
      bytesTotal: Math.max(bytes, this.#bytesDone),
    });
  }

  #throwIfStopped(): void {
    if (this.#options.signal.aborted) throw new BackupError('cancelled');
  }
}
