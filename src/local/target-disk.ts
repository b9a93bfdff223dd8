import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { BackupError } from '../errors.ts';
import { errnoName, localError, meansGone } from './local-errors.ts';
import { FILE_MODE } from './target-fs.ts';
import type { TargetFs } from './target-fs.ts';

/** Folders that may wait for their fsync; one more, and all of them get it at once. */
const TOUCHED_FOLDERS_MAX = 512;

/** The marker file of the target in `root`. */
export function markerPath(root: string): string {
  return join(root, '.site-backup', 'marker.json');
}

/** One target's disk: turns failures into BackupErrors, and remembers which folders still need their fsync. */
export class TargetDisk {
  readonly fs: TargetFs;
  readonly root: string;
  #touched = new Set<string>();
  #flushing: Promise<void> = Promise.resolve();

  constructor(fs: TargetFs, root: string) {
    this.fs = fs;
    this.root = root;
  }

  /** Does `action`; a failure is about `path`, or `target-missing` where the whole target has gone (unmounted). */
  async attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (meansGone(error) && !(await this.isThere())) throw localError(error, this.root, true);
      throw localError(error, path, this.#isOwn(path));
    }
  }

  /** Says that a name in `folder` (absolute) was made, replaced or taken away. */
  async touch(folder: string): Promise<void> {
    this.#touched.add(folder);
    if (this.#touched.size >= TOUCHED_FOLDERS_MAX) await this.flush();
  }

  /** Says the same of the folder that holds `path`. */
  async touchParent(path: string): Promise<void> {
    await this.touch(dirname(path));
  }

  /** Resolves once everything that was touched before the call survives a power cut. */
  flush(): Promise<void> {
    // One after the other: a caller must also wait for the folders that an earlier flush has taken and not finished.
    const turn = this.#flushing.then(() => this.#syncTouched());
    this.#flushing = turn.catch(() => undefined);
    return turn;
  }

  /** True for what every file of a run needs: a failure there is the whole target's. */
  #isOwn(path: string): boolean {
    return path === this.root || dirname(path) === this.root || path.startsWith(dirname(markerPath(this.root)));
  }

  async #syncTouched(): Promise<void> {
    const folders = this.#touched;
    this.#touched = new Set();
    try {
      for (const folder of folders) {
        await this.attempt(folder, () => this.#syncFolder(folder));
        folders.delete(folder);
      }
    } catch (error) {
      for (const folder of folders) this.#touched.add(folder);
      throw error;
    }
  }

  async #syncFolder(folder: string): Promise<void> {
    let file;
    try {
      file = await this.fs.open(folder, constants.O_RDONLY | constants.O_DIRECTORY, FILE_MODE);
    } catch (error) {
      // Taken away since then: whoever did it has touched its parent.
      if (errnoName(error) === 'ENOENT' && (await this.isThere())) return;
      throw error;
    }
    try {
      await file.sync();
    } catch (error) {
      // Some network and FUSE file systems have no fsync of folders.
      if (errnoName(error) !== 'EINVAL' && errnoName(error) !== 'ENOTSUP') throw error;
    } finally {
      await file.close();
    }
  }

  /** False where the marker file cannot be seen: the volume is not there, or another one lies in its place. */
  async isThere(): Promise<boolean> {
    try {
      await this.fs.lstat(markerPath(this.root));
      return true;
    } catch (error) {
      if (meansGone(error)) return false;
      throw localError(error, markerPath(this.root), true);
    }
  }
}

/** `target-unwritable` with a sentence for `detail`: something lies at `path` that is not ours to touch. */
export function blocked(path: string, detail: string, cause?: unknown): BackupError {
  return new BackupError('target-unwritable', { cause, facts: { path }, detail });
}
