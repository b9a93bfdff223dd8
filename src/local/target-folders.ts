import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { errnoName } from './local-errors.ts';
import { tagName } from './local-name.ts';
import { blocked } from './target-disk.ts';
import type { TargetDisk } from './target-disk.ts';
import { FOLDER_MODE } from './target-fs.ts';

/** Folders remembered as real ones; the one unused for longest is forgotten first. */
export const FOLDERS_VERIFIED_MAX = 2048;

/** How many folders or files of one name one version can hold beside each other, `name~2` and so on. */
export const COPIES_MAX = 99;

/**
 * Makes and finds folders below a folder of the target, looking at each part of the way once, so that a symbolic link
 * that somebody put there is never followed. It does not defend against one put there at the same moment.
 */
export class TargetFolders {
  readonly #disk: TargetDisk;
  readonly #nameBytesMax: number;
  readonly #verified = new Map<string, true>();

  constructor(disk: TargetDisk, nameBytesMax: number) {
    this.#disk = disk;
    this.#nameBytesMax = nameBytesMax;
  }

  /**
   * Makes the folder `parts` below `base` (absolute, a real folder) and returns its absolute path. Where something else
   * lies in the way: throws `target-unwritable`, or with `avoids` goes on beside it, as `name~2`.
   */
  async make(base: string, parts: readonly string[], avoids = false): Promise<string> {
    const whole = join(base, ...parts);
    if (this.#recall(whole)) return whole;
    let folder = base;
    for (const part of parts) folder = await this.#makeOne(folder, part, avoids);
    return folder;
  }

  /** The absolute path of the folder, or undefined where there is none. Throws where a link lies on the way. */
  async find(base: string, parts: readonly string[]): Promise<string | undefined> {
    const whole = join(base, ...parts);
    if (this.#recall(whole)) return whole;
    let folder = base;
    for (const part of parts) {
      folder = join(folder, part);
      if (this.#recall(folder)) continue;
      const kind = await this.#kindOf(folder);
      if (kind === 'link') throw blocked(folder, 'a symbolic link lies there');
      if (kind !== 'folder') return undefined;
      this.#remember(folder);
    }
    return whole;
  }

  /** To be called when folders were moved, or turned out to be gone. */
  forget(): void {
    this.#verified.clear();
  }

  async #makeOne(folder: string, name: string, avoids: boolean): Promise<string> {
    for (let copy = 1; copy <= COPIES_MAX; copy++) {
      const path = join(folder, copyName(name, copy, this.#nameBytesMax));
      if (this.#recall(path)) return path;
      if (await this.#mkdir(path)) return path;
      const kind = await this.#kindOf(path);
      if (kind === 'folder') {
        this.#remember(path);
        return path;
      }
      if (!avoids) throw blocked(path, kind === 'link' ? 'a symbolic link lies there' : 'a file lies there');
    }
    throw blocked(join(folder, name), 'too many copies lie there');
  }

  /** False where something lies there already. */
  async #mkdir(path: string): Promise<boolean> {
    const isMade = await this.#disk.attempt(path, async () => {
      try {
        await this.#disk.fs.mkdir(path, { mode: FOLDER_MODE });
        return true;
      } catch (error) {
        if (errnoName(error) === 'EEXIST') return false;
        throw error;
      }
    });
    if (isMade) {
      this.#remember(path);
      await this.#disk.touchParent(path);
    }
    return isMade;
  }

  async #kindOf(path: string): Promise<'folder' | 'link' | 'other' | undefined> {
    const stats = await lstatIfAny(this.#disk, path);
    if (stats === undefined) return undefined;
    if (stats.isDirectory()) return 'folder';
    return stats.isSymbolicLink() ? 'link' : 'other';
  }

  #recall(path: string): boolean {
    if (!this.#verified.delete(path)) return false;
    this.#verified.set(path, true);
    return true;
  }

  #remember(path: string): void {
    this.#verified.set(path, true);
    if (this.#verified.size <= FOLDERS_VERIFIED_MAX) return;
    const oldest = this.#verified.keys().next();
    if (oldest.done !== true) this.#verified.delete(oldest.value);
  }
}

/** What lies at `path` itself, links not followed; undefined where nothing does. Throws where the target has gone. */
export function lstatIfAny(disk: TargetDisk, path: string): Promise<Stats | undefined> {
  return disk.attempt(path, async () => {
    try {
      return await disk.fs.lstat(path);
    } catch (error) {
      const isAbsent = errnoName(error) === 'ENOENT' || errnoName(error) === 'ENOTDIR';
      // Where the whole target has gone, nothing may be concluded from what is absent.
      if (isAbsent && (await disk.isThere())) return undefined;
      throw error;
    }
  });
}

/** `name` for copy 1, `name~2` and so on, before the extension, for the further ones. */
export function copyName(name: string, copy: number, nameBytesMax: number): string {
  return copy === 1 ? name : (tagName(name, String(copy), nameBytesMax) ?? name);
}
