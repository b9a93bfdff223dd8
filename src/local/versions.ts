import type { Stats } from 'node:fs';
import { join, relative } from 'node:path';
import { hashFile } from './file-hash.ts';
import { errnoName } from './local-errors.ts';
import { namesOf } from './local-path.ts';
import type { LocalPath } from './local-path.ts';
import { proofOfFile } from './proof-of-file.ts';
import type { CopyState } from './proof-of-file.ts';
import { blocked } from './target-disk.ts';
import type { TargetDisk } from './target-disk.ts';
import { COPIES_MAX, copyName, lstatIfAny } from './target-folders.ts';
import type { TargetFolders } from './target-folders.ts';

/** A place below `versions/`: the folder of one run, and the path in it. */
export interface VersionPlace {
  readonly folder: string;
  readonly localPath: string;
}

/** What a file is known to hold. */
export interface KnownContent {
  readonly sizeBytes: number;
  readonly sha256: Buffer;
  /** The time that was set on the file; undefined where none was. */
  readonly modifiedMs: number | undefined;
}

/**
 * `kept`: the known content lies in its place. `altered`: what lay there does, but it is not the known content.
 * `absent`: no file lay there.
 */
export type KeptAs = 'kept' | 'altered' | 'absent';

/** What the file system says where it has no hard links, or has no more of them for this file. */
const LINK_REFUSED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS', 'EXDEV', 'EACCES']);

/** Throws where `folder` could not be the name of a run's folder below `versions/`. */
export function assertRunName(folder: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/.test(folder)) throw new Error(`Not the name of a run: ${folder}`);
}

export interface VersionsHost {
  readonly disk: TargetDisk;
  /** Absolute. */
  readonly current: string;
  /** Absolute. */
  readonly versions: string;
  readonly folders: TargetFolders;
  readonly nameBytesMax: number;
  /** The names of a path below `current/`; throws where one could lead elsewhere. */
  readonly partsOf: (path: LocalPath) => string[];
}

/** The older content of one target, below `versions/<folder>/`. Throws what `Target` throws. */
export class TargetVersions {
  readonly #host: VersionsHost;

  constructor(host: VersionsHost) {
    this.#host = host;
  }

  /**
   * A free place for what lies at `path`, with its folders made: the same path, or beside what lies there already
   * (`name~2.ext`). `folder`: letters, digits, `.`, `-`, `_`, at most 64.
   */
  async findPlace(path: LocalPath, folder: string): Promise<VersionPlace> {
    assertRunName(folder);
    const { disk, versions, folders, nameBytesMax } = this.#host;
    const parts = this.#host.partsOf(path);
    const name = parts.at(-1);
    if (name === undefined) throw new Error('current/ itself cannot be retired');
    const parent = await folders.make(versions, [folder, ...parts.slice(0, -1)], true);
    for (let copy = 1; copy <= COPIES_MAX; copy++) {
      const place = join(parent, copyName(name, copy, nameBytesMax));
      if ((await lstatIfAny(disk, place)) !== undefined) continue;
      // Where something else lay in its way, the folder of the run is another, too.
      const [placeFolder = folder, ...names] = relative(versions, place).split('/');
      return { folder: placeFolder, localPath: names.join('/') };
    }
    throw blocked(join(parent, name), 'too many copies lie there');
  }

  /** Absolute path of a place that `findPlace` has given just now: its folders are real ones. */
  pathOf(place: VersionPlace): string {
    return join(this.#host.versions, ...this.#partsOf(place));
  }

  /**
   * Gives the file at `path` its place. `link`: it stays visible under `path`, too, until something is renamed over it, so
   * that the name is never without content; where the file system refuses links, and with `move`, it leaves `path`.
   * Survives a power cut after the target's next `flush`.
   */
  async keep(path: LocalPath, place: VersionPlace, content: KnownContent, how: 'link' | 'move'): Promise<KeptAs> {
    const { disk, folders, versions } = this.#host;
    const from = await this.#inCurrent(path);
    const stats = from === undefined ? undefined : await lstatIfAny(disk, from);
    if (from === undefined || stats?.isFile() !== true) return 'absent';
    const isKnown = await this.#isKnown(from, stats, content);
    // Made with the place; a power cut since may have taken them.
    await folders.make(versions, this.#partsOf(place).slice(0, -1));
    const to = this.pathOf(place);
    const isLinked = how === 'link' && (await this.#link(from, to));
    if (!isLinked) {
      await disk.attempt(from, () => disk.fs.rename(from, to));
      await disk.touchParent(from);
    }
    await disk.touchParent(to);
    return isKnown ? 'kept' : 'altered';
  }

  /** Undoes `keep`. False where `path` is taken by something else: then the file stays in its place. */
  async giveBack(path: LocalPath, place: VersionPlace): Promise<boolean> {
    const { disk } = this.#host;
    const here = await this.#inCurrent(path);
    const there = await this.#find(place);
    const lies = here === undefined ? undefined : await lstatIfAny(disk, here);
    const kept = there === undefined ? undefined : await lstatIfAny(disk, there);
    if (there === undefined || kept === undefined) return lies !== undefined;
    if (here === undefined) return false;
    if (lies !== undefined) {
      if (lies.ino !== kept.ino || lies.dev !== kept.dev) return false;
      await this.#unlink(there);
      return true;
    }
    await disk.attempt(here, () => disk.fs.rename(there, here));
    await disk.touchParent(here);
    await disk.touchParent(there);
    return true;
  }

  /** True where a file of exactly this content lies there. Reads it whole. */
  async holds(place: VersionPlace, content: Pick<KnownContent, 'sizeBytes' | 'sha256'>): Promise<boolean> {
    const path = await this.#find(place);
    const stats = path === undefined ? undefined : await lstatIfAny(this.#host.disk, path);
    if (path === undefined || stats?.isFile() !== true || stats.size !== content.sizeBytes) return false;
    return (await hashFile(this.#host.disk, path))?.equals(content.sha256) === true;
  }

  /** As Target.proofOf, for a place. */
  async proofOf(place: VersionPlace, content: Pick<KnownContent, 'sizeBytes' | 'sha256'>): Promise<CopyState> {
    const path = await this.#find(place);
    return path === undefined ? 'missing' : proofOfFile(this.#host.disk, path, content);
  }

  async has(place: VersionPlace): Promise<boolean> {
    return (await this.sizeOf(place)) !== undefined;
  }

  /** The size of what lies there; undefined where nothing does. */
  async sizeOf(place: VersionPlace): Promise<number | undefined> {
    const path = await this.#find(place);
    return path === undefined ? undefined : (await lstatIfAny(this.#host.disk, path))?.size;
  }

  /** Deletes the file, and the folders above it that are empty then, as far as `versions/` itself. */
  async remove(place: VersionPlace): Promise<void> {
    const { versions } = this.#host;
    const path = await this.#find(place);
    if (path !== undefined) await this.#unlink(path);
    const parts = this.#partsOf(place);
    for (let depth = parts.length - 1; depth > 0; depth--) {
      if (!(await this.#removeFolder(join(versions, ...parts.slice(0, depth))))) return;
    }
  }

  /** Removes a folder below `current/` where it is empty. False where something lies in it. */
  async removeEmptyFolder(path: LocalPath): Promise<boolean> {
    if (this.#host.partsOf(path).length === 0) return false;
    const folder = await this.#inCurrent(path);
    return folder === undefined || (await this.#removeFolder(folder));
  }

  async #removeFolder(folder: string): Promise<boolean> {
    const { disk, folders } = this.#host;
    const isGone = await disk.attempt(folder, async () => {
      try {
        await disk.fs.rmdir(folder);
      } catch (error) {
        const name = errnoName(error) ?? '';
        if (name === 'ENOENT') return disk.isThere();
        if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY'].includes(name)) return false;
        throw error;
      }
      return true;
    });
    if (!isGone) return false;
    folders.forget();
    await disk.touchParent(folder);
    return true;
  }

  /** A file whose size and time are as they were set is taken for what it was; any other is read. */
  async #isKnown(path: string, stats: Stats, content: KnownContent): Promise<boolean> {
    if (stats.size !== content.sizeBytes) return false;
    if (content.modifiedMs !== undefined && Math.round(stats.mtimeMs) === content.modifiedMs) return true;
    return (await hashFile(this.#host.disk, path))?.equals(content.sha256) === true;
  }

  async #link(from: string, to: string): Promise<boolean> {
    const { disk } = this.#host;
    return disk.attempt(to, async () => {
      try {
        await disk.fs.link(from, to);
        return true;
      } catch (error) {
        if (LINK_REFUSED.has(errnoName(error) ?? '')) return false;
        throw error;
      }
    });
  }

  async #unlink(path: string): Promise<void> {
    const { disk } = this.#host;
    await disk.attempt(path, async () => {
      try {
        await disk.fs.unlink(path);
      } catch (error) {
        if (errnoName(error) !== 'ENOENT' || !(await disk.isThere())) throw error;
      }
    });
    await disk.touchParent(path);
  }

  #partsOf(place: VersionPlace): string[] {
    return [...namesOf(place.folder), ...namesOf(place.localPath)];
  }

  /** The absolute path, where its folder is there. */
  async #find(place: VersionPlace): Promise<string | undefined> {
    const { versions, folders } = this.#host;
    const parts = this.#partsOf(place);
    const folder = await folders.find(versions, parts.slice(0, -1));
    return folder === undefined ? undefined : join(folder, parts.at(-1) ?? '');
  }

  async #inCurrent(path: LocalPath): Promise<string | undefined> {
    const { current, folders } = this.#host;
    const parts = this.#host.partsOf(path);
    const folder = await folders.find(current, parts.slice(0, -1));
    return folder === undefined ? undefined : join(folder, parts.at(-1) ?? '');
  }
}
