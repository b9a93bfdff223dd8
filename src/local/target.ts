import { join } from 'node:path';
import { BackupError, isBackupError } from '../errors.ts';
import { hashFile, hashFileAs } from './file-hash.ts';
import { errnoName, meansGone } from './local-errors.ts';
import type { NameLimits } from './local-name.ts';
import { namesOf } from './local-path.ts';
import type { LocalPath } from './local-path.ts';
import { ManifestWriter } from './manifest.ts';
import type { ManifestName } from './manifest.ts';
import { Part } from './part.ts';
import type { FinishedPart, PartHost } from './part.ts';
import { blocked } from './target-disk.ts';
import type { TargetDisk } from './target-disk.ts';
import { TargetFolders, lstatIfAny } from './target-folders.ts';
import { systemFs } from './target-fs.ts';
import type { TargetFs } from './target-fs.ts';
import { proofOfFile } from './proof-of-file.ts';
import type { CopyState } from './proof-of-file.ts';
import { readRunWord, writeRunWord } from './target-marker.ts';
import { openTarget } from './target-open.ts';
import type { OpenedTarget, TargetOptions } from './target-open.ts';
import { TargetVersions, assertRunName } from './versions.ts';

/** Linux: the longest path in bytes, without its closing NUL. */
const PATH_BYTES_MAX = 4095;

/** A file that can be kept must also find place below `versions/<run>/` later. */
const VERSION_PATH_BYTES = 'versions/'.length + 64 + 1;

/** What lies on the disk under one name. */
export interface LocalFile {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/**
 * The folder of one task on this machine: `current/`, `versions/<run>/` and `.site-backup/` with the marker and the
 * parts. It never leaves that folder and follows no link below it. Every method throws BackupErrors for what the disk
 * does: `disk-full`, `target-read-only`, `target-missing` and `name-unusable` where they apply, else `target-unwritable`.
 */
export class Target {
  readonly limits: NameLimits;
  /** True where `current/` was not there at `open`: whatever an index says of files in it is void. */
  readonly isCurrentNew: boolean;
  /** True where `versions/` was not there at `open`. */
  readonly areVersionsNew: boolean;
  readonly versions: TargetVersions;
  readonly #disk: TargetDisk;
  readonly #opened: OpenedTarget;
  readonly #folders: TargetFolders;
  /** Parts that lie on the disk, so that asking for one that does not costs nothing. */
  readonly #leftParts: Set<string>;
  readonly #partHost: PartHost;

  private constructor(opened: OpenedTarget, leftParts: Set<string>) {
    this.limits = opened.limits;
    this.isCurrentNew = opened.isCurrentNew;
    this.areVersionsNew = opened.areVersionsNew;
    this.#opened = opened;
    this.#disk = opened.disk;
    this.#folders = new TargetFolders(opened.disk, opened.limits.nameBytesMax);
    this.#leftParts = leftParts;
    this.versions = new TargetVersions({
      disk: opened.disk,
      current: opened.current,
      versions: opened.versions,
      folders: this.#folders,
      nameBytesMax: opened.limits.nameBytesMax,
      partsOf: (path) => this.#partsOf(path),
    });
    this.#partHost = {
      disk: opened.disk,
      place: (partPath, path) => this.#place(partPath, path),
      noteLeft: (id, isLeft) => {
        if (isLeft) leftParts.add(id);
        else leftParts.delete(id);
      },
    };
  }

  /**
   * Opens the folder; makes it where this task has never used it. Throws `target-missing` where it should be there and
   * is not (an unmounted volume), `target-taken` where it is another task's or `current/` holds files of unknown
   * origin, `target-read-only` or `disk-full` where a probe file cannot be written, renamed or removed.
   */
  static async open(options: TargetOptions & { readonly fs?: TargetFs }): Promise<Target> {
    const opened = await openTarget(options.fs ?? systemFs, options);
    const names = await opened.disk.attempt(opened.parts, () => opened.disk.fs.readdir(opened.parts));
    return new Target(opened, new Set(names));
  }

  /** Bytes that may still be written, as the file system tells it. */
  async freeBytes(): Promise<number> {
    const { root, fs } = this.#disk;
    const { bavail, bsize } = await this.#disk.attempt(root, () => fs.statfs(root));
    return bavail * bsize;
  }

  /** Makes the folder and its parents below `current/`. `target-unwritable` where a file or link is in the way. */
  async makeFolder(path: LocalPath): Promise<void> {
    await this.#folders.make(this.#opened.current, this.#partsOf(path));
  }

  /** What lies there; undefined where it is nothing or not a regular file. */
  async statFile(path: LocalPath): Promise<LocalFile | undefined> {
    const place = await this.#find(path);
    const stats = place === undefined ? undefined : await lstatIfAny(this.#disk, place);
    if (stats?.isFile() !== true) return undefined;
    return { sizeBytes: stats.size, modifiedMs: Math.round(stats.mtimeMs) };
  }

  /** What kind of thing lies there, links not followed; undefined where it is nothing. */
  async kindOf(path: LocalPath): Promise<'file' | 'folder' | 'other' | undefined> {
    const place = await this.#find(path);
    const stats = place === undefined ? undefined : await lstatIfAny(this.#disk, place);
    if (stats === undefined) return undefined;
    if (stats.isDirectory()) return 'folder';
    return stats.isFile() ? 'file' : 'other';
  }

  /** True where a file of exactly this content lies there. Reads it whole. */
  async holds(path: LocalPath, content: FinishedPart): Promise<boolean> {
    const stats = await this.statFile(path);
    if (stats?.sizeBytes !== content.sizeBytes) return false;
    const place = await this.#find(path);
    const sha256 = place === undefined ? undefined : await hashFile(this.#disk, place);
    return sha256?.equals(content.sha256) === true;
  }

  /** Reads the file whole and tells whether it is that content. What the disk cannot read is damaged. */
  async proofOf(path: LocalPath, content: Pick<FinishedPart, 'sizeBytes' | 'sha256'>): Promise<CopyState> {
    const place = await this.#find(path);
    return place === undefined ? 'missing' : proofOfFile(this.#disk, place, content);
  }

  /** The file's hashes in the order of `algorithms` (names of OpenSSL); undefined where none lies there. Reads it once. */
  async digests(path: LocalPath, algorithms: readonly string[]): Promise<Buffer[] | undefined> {
    const place = await this.#find(path);
    return place === undefined ? undefined : hashFileAs(this.#disk, place, algorithms);
  }

  /** The word that the last run has left in the folder; undefined where none has. */
  runWord(): Promise<string | undefined> {
    return readRunWord(this.#disk);
  }

  /** Leaves a word for the next run; it survives a power cut when this resolves. */
  leaveRunWord(word: string): Promise<void> {
    return writeRunWord(this.#disk, word);
  }

  /** Begins a file beside `current/` that is seen only once it is whole. */
  manifest(name: ManifestName): Promise<ManifestWriter> {
    return ManifestWriter.open(this.#disk, name);
  }

  /** True where a manifest of this name lies there. */
  async hasManifest(name: ManifestName): Promise<boolean> {
    return (await lstatIfAny(this.#disk, join(this.#disk.root, name)))?.isFile() === true;
  }

  /** A part by the caller's id (letters, digits, `-`, `_`, at most 64): new, or what an earlier transfer left. */
  async openPart(id: string): Promise<Part> {
    return new Part(this.#partHost, id, this.#partPath(id), await this.#leftPart(id));
  }

  /** The size of a part on the disk; 0 where there is none. */
  async partBytes(id: string): Promise<number> {
    return (await this.#leftPart(id))?.sizeBytes ?? 0;
  }

  async #leftPart(id: string): Promise<LocalFile | undefined> {
    const path = this.#partPath(id);
    const stats = this.#leftParts.has(id) ? await lstatIfAny(this.#disk, path) : undefined;
    if (stats?.isFile() !== true) return undefined;
    return { sizeBytes: stats.size, modifiedMs: Math.round(stats.mtimeMs) };
  }

  /** Removes what earlier transfers left but for these. Not while parts are open. */
  async removePartsExcept(ids: ReadonlySet<string>): Promise<void> {
    for (const name of this.#leftParts) {
      if (ids.has(name)) continue;
      const path = join(this.#opened.parts, name);
      await this.#disk.attempt(path, async () => {
        try {
          await this.#disk.fs.unlink(path);
        } catch (error) {
          // A folder is none of ours, and does no harm.
          if (!['ENOENT', 'EISDIR', 'EPERM'].includes(errnoName(error) ?? '')) throw error;
        }
      });
      this.#leftParts.delete(name);
    }
  }

  /**
   * Moves a file or a whole folder from `current/` to the same path below `versions/<run>/`, beside what lies there
   * already (`name~2.ext`). False where there was nothing. `run`: letters, digits, `.`, `-`, `_`, at most 64.
   */
  async retire(path: LocalPath, run: string): Promise<boolean> {
    assertRunName(run);
    const from = await this.#find(path);
    const stats = from === undefined ? undefined : await lstatIfAny(this.#disk, from);
    if (from === undefined || stats === undefined) return false;
    const to = this.versions.pathOf(await this.versions.findPlace(path, run));
    if (stats.isDirectory()) {
      await this.flush();
      this.#folders.forget();
    }
    await this.#disk.attempt(from, () => this.#disk.fs.rename(from, to));
    await this.#disk.touchParent(to);
    await this.#disk.touchParent(from);
    return true;
  }

  /** Moves a file that lies there and is not of this content away, as `retire` does. What is no file stays. */
  async setAside(path: LocalPath, content: FinishedPart, run: string): Promise<void> {
    if ((await this.statFile(path)) !== undefined && !(await this.holds(path, content))) await this.retire(path, run);
  }

  /**
   * Moves a file within `current/`, in place of a file that lies at `to`; the folders of `to` are made. Throws
   * `target-unwritable` where a folder lies there.
   */
  async move(from: LocalPath, to: LocalPath): Promise<void> {
    const place = await this.#find(from);
    if (place === undefined) throw blocked(join(this.#opened.current, from), 'no file lies there');
    await this.#place(place, to);
    await this.#disk.touchParent(place);
  }

  /** Resolves once every file moved and folder made before the call survives a power cut. */
  flush(): Promise<void> {
    // Each batch looks at its folders anew: meanwhile somebody may have laid a link in the place of one.
    this.#folders.forget();
    return this.#disk.flush();
  }

  async #place(partPath: string, path: LocalPath): Promise<void> {
    const parts = this.#partsOf(path);
    if (parts.length === 0) throw new Error('current/ itself cannot be replaced');
    const to = join(this.#opened.current, path);
    const move = async (): Promise<void> => {
      await this.#folders.make(this.#opened.current, parts.slice(0, -1));
      await this.#rename(partPath, to);
    };
    try {
      await move();
    } catch (error) {
      // Somebody may have removed a folder that was known to be there: look again, once.
      if (!isBackupError(error, 'target-unwritable') || !meansGone(error.cause)) throw error;
      this.#folders.forget();
      await move();
    }
    await this.#disk.touchParent(to);
  }

  async #rename(from: string, to: string): Promise<void> {
    await this.#disk.attempt(to, async () => {
      try {
        await this.#disk.fs.rename(from, to);
      } catch (error) {
        if (errnoName(error) === 'EISDIR') throw blocked(to, 'a folder lies there', error);
        throw error;
      }
    });
  }

  /** The absolute path, where its folder is there. */
  async #find(path: LocalPath): Promise<string | undefined> {
    const parts = this.#partsOf(path);
    const folder = await this.#folders.find(this.#opened.current, parts.slice(0, -1));
    return folder === undefined ? undefined : join(folder, parts.at(-1) ?? '');
  }

  #partPath(id: string): string {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new Error(`Not the id of a part: ${id}`);
    return join(this.#opened.parts, id);
  }

  /** The names of a path below `current/`. Throws `name-unusable` where what lies there could not be kept later. */
  #partsOf(path: LocalPath): string[] {
    const parts = namesOf(path);
    const bytes = Buffer.byteLength(this.#disk.root) + 1 + VERSION_PATH_BYTES + Buffer.byteLength(path);
    if (bytes > PATH_BYTES_MAX) {
      throw new BackupError('name-unusable', { facts: { path }, detail: `a path of ${bytes} bytes` });
    }
    return parts;
  }
}
