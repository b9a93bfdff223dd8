import { decodeRemoteName } from '../local/local-name.ts';
import { nameOf } from '../paths.ts';
import type { PastReading } from '../state/past-reading.ts';
import { VersionTree } from '../state/version-tree.ts';
import type { PastFile } from '../state/version-tree.ts';

/** Where a page of a folder begins: after this subfolder's path, or, past all of them, after this file's name. */
export interface PastCursor {
  readonly kind: 'folder' | 'file';
  readonly after: string;
}

export const FIRST_PAGE: PastCursor = { kind: 'folder', after: '' };

/** Some of what lay in one folder at the end of a run. Paths are the server's bytes as latin1 text, names are for people. */
export interface PastFolder {
  readonly folders: readonly { readonly path: string; readonly name: string }[];
  readonly files: readonly { readonly file: PastFile; readonly name: string }[];
  /** undefined on the last page. */
  readonly next: PastCursor | undefined;
}

/** Subfolders first, then files, at most `limit` in all. undefined where there was no such folder. */
export function readPastFolder(
  db: PastReading['db'],
  run: number,
  path: string,
  { kind, after }: PastCursor,
  limit: number,
): PastFolder | undefined {
  const tree = new VersionTree(db);
  if (!tree.hasFolder(run, path)) return undefined;
  const paths = kind === 'folder' ? tree.folders(run, path, after, limit + 1) : [];
  const folders = paths.slice(0, limit).map((folder) => ({ path: folder, name: pastName(folder) }));
  if (paths.length > limit) {
    return { folders, files: [], next: { kind: 'folder', after: paths[limit - 1] ?? '' } };
  }
  const left = limit - folders.length;
  const found = tree.files(run, path, kind === 'file' ? after : '', left + 1);
  const files = found.slice(0, left).map((file) => ({ file, name: pastName(file.path) }));
  if (found.length <= left) return { folders, files, next: undefined };
  const last = files.at(-1)?.file.path ?? '';
  return { folders, files, next: { kind: 'file', after: nameOf(last) } };
}

/** A path for people. */
export function pastPath(path: string): string {
  return decodeRemoteName(path);
}

/** The last part of a path, for people. */
export function pastName(path: string): string {
  return decodeRemoteName(nameOf(path));
}
