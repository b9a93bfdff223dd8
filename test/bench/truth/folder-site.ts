import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { contentSource } from '../../support/scripted-ftp-content.ts';
import type { SampleFile } from '../../support/scripted-ftp-tree.ts';
import { TREE_TIME_MS, placeOf, snapshotFolder } from '../../support/tree-compare.ts';
import type { Site } from './scenario.ts';

const EDIT_STEP_MS = 61_000;

/** The site of a real server, in the folder that it shows. Times pass as in ScriptedTree. */
export class FolderSite implements Site {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  writeFile(...[path, content, options = {}]: Parameters<Site['writeFile']>): void {
    const place = this.#place(path);
    const before = statSync(place, { throwIfNoEntry: false });
    const source = contentSource(content);
    this.#makeParents(path);
    if (options.isReplaced === true) rmSync(place, { force: true });
    writeFileSync(place, source.read(0, source.sizeBytes));
    chmodSync(place, 0o644);
    const ms = options.mtimeMs ?? (before === undefined ? TREE_TIME_MS : before.mtimeMs + EDIT_STEP_MS);
    utimesSync(place, ms / 1000, ms / 1000);
  }

  remove(path: string): void {
    rmSync(this.#place(path), { recursive: true });
  }

  rename(from: string, to: string): void {
    this.#makeParents(to);
    renameSync(this.#place(from), this.#place(to));
  }

  setMode(path: string, mode: number): void {
    chmodSync(this.#place(path), mode);
  }

  addLink(path: string, target: string): void {
    this.#makeParents(path);
    symlinkSync(Buffer.from(target, 'latin1'), this.#place(path));
  }

  *files(): Generator<SampleFile> {
    for (const [path, { sizeBytes, mtimeMs }] of snapshotFolder(this.#root)) {
      const place = placeOf(this.#root, path);
      yield { path: `/${path}`, sizeBytes, mtimeMs, read: () => readFileSync(place) };
    }
  }

  #place(path: string): Buffer {
    return placeOf(this.#root, path.slice(1));
  }

  #makeParents(path: string): void {
    for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
      const folder = this.#place(path.slice(0, end));
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o755);
    }
  }
}

/** SHA-256 of every file of a site by relative path. */
export function siteContents(site: Pick<Site, 'files'>): Map<string, string> {
  const files = new Map<string, string>();
  for (const file of site.files()) {
    files.set(file.path.slice(1), createHash('sha256').update(file.read()).digest('hex'));
  }
  return files;
}
