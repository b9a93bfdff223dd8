import type { BackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import { pathIn } from '../paths.ts';
import { REMOTE_PATH_BYTES_MAX, joinRemote } from '../remote/remote.ts';
import type { FolderListing, RemoteEntry, RemotePath, RemoteSession } from '../remote/remote.ts';
import type { EntryRow, RunFolder, RunFolderState, Subfolder } from '../state/run-rows.ts';
import { ListingFingerprint } from './fingerprint.ts';
import { HiddenNames } from './hidden-names.ts';
import type { HiddenFolder } from './hidden-names.ts';
import type { RunContext } from './run-context.ts';
import type { WorkQueue } from './pool-run.ts';

/** Folders below folders: deeper ones are reported, not followed. */
const FOLDER_DEPTH_MAX = 100;
/** Entries of one listing held in memory; more are laid into the table as they come. */
const ENTRIES_HELD_MAX = 2000;
/** Waiting folders read from the table at a time. */
const FOLDERS_PAGE = 200;
/** A listing that equals this many of those above it leads in a circle. */
const EQUAL_ANCESTORS_MAX = 2;

/**
 * Lists every wanted folder and keeps what it saw in the run's tables: one row for a folder whose listing is as it was
 * at its last complete look, its entries for any other. What is already listed in the tables is not listed again.
 */
export async function scan(context: RunContext): Promise<void> {
  const { tables, pool } = context;
  const hiddenNames = new HiddenNames(context);
  do {
    await pool.run(new FolderQueue(context, 'waiting'), new FolderScanner(context, hiddenNames));
    await pool.run(new FolderQueue(context, 'deferred'), new FolderScanner(context, hiddenNames));
  } while (tables.folders('waiting', 0, 1).length > 0 || tables.folders('deferred', 0, 1).length > 0);
}

class FolderQueue implements WorkQueue<RunFolder> {
  readonly #context: RunContext;
  readonly #state: RunFolderState;
  #page: RunFolder[] = [];
  #lastId = 0;

  constructor(context: RunContext, state: RunFolderState) {
    this.#context = context;
    this.#state = state;
  }

  take(): RunFolder | undefined {
    // Folders found later have higher numbers: none is passed over.
    if (this.#page.length === 0) this.#page = this.#context.tables.folders(this.#state, this.#lastId, FOLDERS_PAGE);
    const folder = this.#page.shift();
    if (folder !== undefined) this.#lastId = folder.id;
    return folder;
  }
}

class FolderScanner {
  readonly #context: RunContext;
  readonly #hiddenNames: HiddenNames;

  constructor(context: RunContext, hiddenNames: HiddenNames) {
    this.#context = context;
    this.#hiddenNames = hiddenNames;
  }

  async work(
    session: RemoteSession,
    folder: RunFolder,
    attempt: number,
    renew: () => Promise<RemoteSession>,
  ): Promise<void> {
    // The last of several tries does without: what is done for hidden names must not cost those that are shown.
    const isThorough = attempt === 1 || attempt < this.#context.settings.retries.attempts;
    const effort = isThorough ? 'thorough' : 'once';
    let asker = session;
    let { listing, collected } = await this.#list(asker, folder, effort);
    const indexed = this.#context.index.folder(folder.path);
    const isEmptied =
      listing.entryCount === 0 &&
      listing.incomplete === undefined &&
      indexed !== undefined &&
      (indexed.entryCount > 0 || this.#context.subtrees.presentFilesBelow(folder.path) > 0);
    if (isEmptied) {
      // Some servers answer a folder that they cannot read with an empty success: ask another connection.
      asker = await renew();
      ({ listing, collected } = await this.#list(asker, folder, effort));
      const isStillEmpty = listing.entryCount === 0 && listing.incomplete === undefined;
      if (isStillEmpty && folder.parentId === undefined) {
        const detail = 'the source folder held files before and is empty now';
        listing = { ...listing, incomplete: { reason: 'listing-suspiciously-empty', detail } };
      }
    }
    if (isThorough && listing.incomplete !== undefined) {
      listing = await this.#askForHidden(asker, folder, listing, collected);
    }
    this.#keep(folder, listing, collected);
  }

  giveUp(folder: RunFolder, error: BackupError): void {
    const { tables, hidden, log, progress } = this.#context;
    const fields = { path: decodeRemoteName(folder.path), code: error.code, detail: error.detail };
    tables.dropListing(folder.id);
    if (error.code === 'listing-refused' && hidden.isHiddenFolder(folder.id)) {
      // It was looked for on suspicion, and may have gone: the folder above it is the one that is told as incomplete.
      hidden.dropFolder(folder.id);
      log.info('hidden-folder-refused', fields);
    } else {
      tables.setFailed(folder.id, error.code, error.detail);
      log.warn('folder-failed', fields);
    }
    progress.foldersListed++;
    progress.foldersWaiting--;
    progress.touch();
  }

  async #list(
    session: RemoteSession,
    folder: RunFolder,
    effort: 'once' | 'thorough',
  ): Promise<{ listing: FolderListing; collected: ListingCollector }> {
    this.#context.tables.dropListing(folder.id);
    const collected = new ListingCollector(this.#context, folder);
    const onEntries = (entries: readonly RemoteEntry[]): void => {
      collected.add(entries);
    };
    const listing = await session.list(folder.path as RemotePath, onEntries, effort);
    return { listing, collected };
  }

  /** Adds what the index knows to a listing that was not seen whole. It stays that: there may be more, known to nobody. */
  async #askForHidden(
    session: RemoteSession,
    folder: RunFolder,
    listing: FolderListing,
    collected: ListingCollector,
  ): Promise<FolderListing> {
    if (listing.incomplete === undefined) return listing;
    collected.layDown();
    const { asked, found } = await this.#hiddenNames.files(session, folder, (entries) => {
      collected.add(entries);
    });
    collected.layDown();
    const folders = this.#hiddenNames.folders(folder);
    collected.addHiddenFolders(folders);
    if (asked + folders.length === 0) return listing;
    const detail = `${listing.incomplete.detail}; of ${asked} known files asked for by name ${found} are there; ${folders.length} known folders looked for`;
    return {
      ...listing,
      entryCount: listing.entryCount + found,
      gathered: (listing.gathered ?? 0) + found,
      incomplete: { ...listing.incomplete, detail },
    };
  }

  #keep(folder: RunFolder, listing: FolderListing, collected: ListingCollector): void {
    const { tables, index, subtrees, filter, isForced, progress, log } = this.#context;
    const fingerprint = collected.fingerprint.digest();
    const indexed = index.folder(folder.path);
    const isUnchanged =
      listing.incomplete === undefined &&
      !isForced &&
      !filter.usesAge &&
      indexed?.missingSinceRun === undefined &&
      indexed?.fingerprint?.equals(fingerprint) === true;
    const likeness =
      listing.incomplete === undefined ? this.#aliasOf(folder, fingerprint, listing.entryCount, collected) : undefined;
    // What was copied under this path as well, gone since or not, would grow old there, and nobody would say so.
    const isOwn = likeness !== undefined && subtrees.filesBelow(folder.path) > 0;
    const aliasOf = isOwn ? undefined : likeness;
    const isKept = !isUnchanged && aliasOf === undefined;

    tables.transaction(() => {
      if (isKept) collected.keepEntries();
      else tables.dropListing(folder.id);
      for (const { line, why } of listing.rejected) tables.addReject(folder.id, printable(line), 'unusable', why);
      tables.setListed(folder.id, {
        incomplete: listing.incomplete?.reason,
        detail: listing.incomplete?.detail,
        fingerprint,
        entryCount: listing.entryCount,
        fileCount: aliasOf === undefined ? collected.fileCount : 0,
        isUnchanged,
        aliasOf,
      });
      if (aliasOf === undefined) this.#addSubfolders(folder, collected.subfolders);
    });

    const path = decodeRemoteName(folder.path);
    if (aliasOf !== undefined) this.#context.notice('folder-alias', folder.path, decodeRemoteName(aliasOf));
    if ((listing.gathered ?? 0) > 0) this.#context.notice('hidden-found', folder.path, String(listing.gathered));
    if (listing.incomplete !== undefined) {
      log.warn('folder-incomplete', { path, code: listing.incomplete.reason, detail: listing.incomplete.detail });
    }
    progress.foldersListed++;
    progress.foldersWaiting--;
    progress.filesListed += aliasOf === undefined ? collected.fileCount : 0;
    progress.touch();
  }

  /** The path under which this same folder is copied already, if there is one. */
  #aliasOf(
    folder: RunFolder,
    fingerprint: Buffer,
    entryCount: number,
    { subfolders: [only] }: ListingCollector,
  ): string | undefined {
    const { tables } = this.#context;
    // The name of the one folder that lies in it proves nothing: `old/old/old/old` may well end somewhere.
    if (entryCount === 0 || (entryCount === 1 && only !== undefined && only.unique === undefined)) return undefined;
    if (folder.unique !== undefined && folder.state === 'deferred') {
      const first = tables.folderByUnique(folder.unique);
      if (first !== undefined && first.id !== folder.id && first.fingerprint?.equals(fingerprint) === true) {
        return first.path;
      }
    }
    let equal = 0;
    for (let above = parentOf(this.#context, folder); above !== undefined; above = parentOf(this.#context, above)) {
      if (above.fingerprint?.equals(fingerprint) === true && ++equal >= EQUAL_ANCESTORS_MAX) return above.path;
    }
    return undefined;
  }

  #addSubfolders(parent: RunFolder, names: readonly { name: RemoteEntry['name']; unique: string | undefined }[]): void {
    const { tables, progress } = this.#context;
    const subfolders: Subfolder[] = [];
    const seenHere = new Set<string>();
    for (const { name, unique } of names) {
      const path = joinRemote(parent.path as RemotePath, name);
      if (parent.depth + 1 > FOLDER_DEPTH_MAX || path.length > REMOTE_PATH_BYTES_MAX) {
        tables.addUnfollowed(parent, path, 'folder-too-deep', `${parent.depth + 1} levels, ${path.length} bytes`);
        continue;
      }
      const isTwin = unique !== undefined && seenHere.has(unique);
      const isDeferred = isTwin || this.#isKnownElsewhere(path, unique);
      // Only a path that goes first can stand for the others.
      if (unique !== undefined && !isDeferred) seenHere.add(unique);
      subfolders.push({ path, unique, state: isDeferred ? 'deferred' : 'waiting' });
    }
    tables.addSubfolders(parent, subfolders);
    progress.foldersWaiting += subfolders.length;
  }

  /**
   * True where the server has named the same folder by another path, in this run or when it was last copied: then that
   * path goes first, so that every run copies it under the same one.
   */
  #isKnownElsewhere(path: string, unique: string | undefined): boolean {
    if (unique === undefined) return false;
    const indexed = this.#context.index.folderPathByUnique(unique);
    if (indexed !== undefined) return indexed !== path;
    const seen = this.#context.tables.folderByUnique(unique);
    return seen !== undefined && seen.path !== path;
  }
}

/** Takes in one listing as it comes, at most ENTRIES_HELD_MAX of it in memory. */
class ListingCollector {
  readonly fingerprint: ListingFingerprint;
  readonly subfolders: { readonly name: RemoteEntry['name']; readonly unique: string | undefined }[] = [];
  fileCount = 0;
  readonly #context: RunContext;
  readonly #folder: RunFolder;
  readonly #folderPath: string;
  readonly #nowMs: number;
  #held: EntryRow[] = [];

  constructor(context: RunContext, folder: RunFolder) {
    this.#context = context;
    this.#folder = folder;
    this.#folderPath = decodeRemoteName(folder.path);
    this.#nowMs = context.clock.nowMs();
    this.fingerprint = new ListingFingerprint(context.fingerprintSalt);
  }

  add(entries: readonly RemoteEntry[]): void {
    for (const entry of entries) {
      this.fingerprint.add(entry);
      const isWanted = this.#isWanted(entry);
      if (isWanted && entry.type === 'file') this.fileCount++;
      if (isWanted && entry.type === 'folder') this.subfolders.push({ name: entry.name, unique: entry.unique });
      this.#held.push({
        name: entry.name,
        type: isWanted ? entry.type : 'excluded',
        sizeBytes: entry.sizeBytes,
        stamp: entry.modified?.raw,
        stampMs: entry.modified?.ms,
        precision: entry.modified?.precision ?? 'none',
        unique: entry.unique,
        mode: entry.mode,
        leadsTo: entry.linkTarget,
      });
    }
    if (this.#held.length > ENTRIES_HELD_MAX) this.layDown();
  }

  /** Folders that the listing does not show and that are to be listed all the same. */
  addHiddenFolders(folders: readonly HiddenFolder[]): void {
    const { filter } = this.#context;
    const below = this.#folderPath === '/' ? '' : this.#folderPath;
    this.subfolders.push(...folders.filter(({ name }) => filter.wantsFolder(`${below}/${decodeRemoteName(name)}`)));
  }

  /** Lays what is held into the table at once. */
  layDown(): void {
    this.#context.tables.transaction(() => {
      this.keepEntries();
    });
  }

  /** Lays what is held into the table. */
  keepEntries(): void {
    this.#context.tables.addEntries(this.#folder.id, this.#held);
    this.#held = [];
  }

  #isWanted(entry: RemoteEntry): boolean {
    const name = decodeRemoteName(entry.name);
    const path = pathIn(this.#folderPath, name);
    const { filter } = this.#context;
    if (entry.type === 'folder') return filter.wantsFolder(path);
    if (entry.type === 'file') return filter.wantsFile(path, entry.sizeBytes, entry.modified?.ms, this.#nowMs);
    return true;
  }
}

function parentOf(context: RunContext, folder: RunFolder): RunFolder | undefined {
  return folder.parentId === undefined ? undefined : context.tables.folderById(folder.parentId);
}

/** A line from a server as one that can be stored and shown: control characters as `%XX`, of bounded length. */
function printable(line: string): string {
  return decodeRemoteName(line.slice(0, 300).replaceAll('/', '%2F'));
}
