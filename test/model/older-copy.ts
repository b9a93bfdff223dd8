import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { snapshotFolder } from '../support/tree-compare.ts';

/** A copy of a folder that is laid aside, to be put back later. `remove` ends its use. */
export class OlderCopy {
  readonly #room = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'site-backup-older-'));
  #folder: string | undefined;

  layAside(folder: string): void {
    this.#folder = folder;
    rmSync(join(this.#room, 'copy'), { recursive: true, force: true });
    cpSync(folder, join(this.#room, 'copy'), { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  }

  /** False where nothing was laid aside. */
  putBack(): boolean {
    if (this.#folder === undefined) return false;
    rmSync(this.#folder, { recursive: true });
    cpSync(join(this.#room, 'copy'), this.#folder, { recursive: true, preserveTimestamps: true });
    return true;
  }

  /** What is there now has nothing to do with it any more. */
  forget(): void {
    this.#folder = undefined;
  }

  remove(): void {
    rmSync(this.#room, { recursive: true });
  }
}

/** SHA-256 of every file below `current/` and `versions/`. */
export function contentsIn(targetFolder: string): Set<string> {
  const folders = ['current', 'versions'].map((name) => join(targetFolder, name));
  return new Set(folders.flatMap((folder) => [...snapshotFolder(folder).values()].map(({ sha256 }) => sha256)));
}
