/** The trees that earlier runs left, as the versions give them back. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { VersionTree } from '../../../src/state/version-tree.ts';
import type { PastFile } from '../../../src/state/version-tree.ts';
import type { BackupFixture } from '../../support/backup-fixture.ts';
import { bytesOf, placeOf } from '../../support/tree-compare.ts';

const ROWS_MAX = 10_000;

/** What lies under `current/` at the end of each run, by the server's paths. */
export class PastTrees {
  readonly #fixture: BackupFixture;
  readonly #trees = new Map<number, ReadonlyMap<string, string>>();

  constructor(fixture: BackupFixture) {
    this.#fixture = fixture;
  }

  /** To be called after each run, whatever its outcome. */
  remember(): void {
    const run = this.#withDatabase((db) => db.prepare('SELECT max(id) FROM run').pluck().get() as number);
    this.#trees.set(run, new Map(this.#fixture.indexed().map(({ path, sha256 }) => [path, sha256])));
  }

  /** Each of these trees can be listed, and every file of it reads back byte for byte. */
  assertReadable(): void {
    this.#withDatabase((db) => {
      const tree = new VersionTree(db);
      for (const [run, remembered] of this.#trees) {
        const found = new Map<string, string>();
        this.#readFolder(tree, run, '/', found);
        assert.deepEqual(sorted(found), sorted(remembered), `the tree of run ${run}`);
      }
    });
  }

  #readFolder(tree: VersionTree, run: number, folder: string, found: Map<string, string>): void {
    for (const file of tree.files(run, folder, '', ROWS_MAX)) found.set(file.path, this.#hashOf(file));
    for (const child of tree.folders(run, folder, '', ROWS_MAX)) this.#readFolder(tree, run, child, found);
  }

  #hashOf({ path, places }: PastFile): string {
    for (const place of places) {
      const file = placeOf(join(this.#fixture.targetFolder, place.folder), bytesOf(place.path));
      try {
        return createHash('sha256').update(readFileSync(file)).digest('hex');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    return `nowhere: ${path}`;
  }

  #withDatabase<T>(read: (db: Database.Database) => T): T {
    const db = new Database(this.#fixture.databasePath, { readonly: true });
    try {
      return read(db);
    } finally {
      db.close();
    }
  }
}

function sorted(tree: ReadonlyMap<string, string>): [string, string][] {
  return [...tree].sort(([a], [b]) => (a < b ? -1 : 1));
}
