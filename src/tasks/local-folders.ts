import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, mkdir, open, opendir, readdir, realpath, rename, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';

/** Tops that are looked at, and subfolders that are shown of one folder. */
const ROOTS_MAX = 200;
export const LOCAL_FOLDERS_MAX = 1000;
/** Entries of a folder that are looked at to find its subfolders. */
const ENTRIES_MAX = 20_000;
const PATH_BYTES_MAX = 4096;
const NAME_BYTES_MAX = 255;

/** A folder below which tasks may keep their files: on DSM a shared folder. */
export interface FolderRoot {
  /** Absolute, as people write it. */
  readonly path: string;
  readonly name: string;
  /** undefined where the volume does not tell. */
  readonly freeBytes: number | undefined;
  readonly isWritable: boolean;
}

/** Why a folder cannot be used; each is a text key `folder.<fault>`. */
export type FolderFault =
  'path-bad' | 'outside' | 'missing' | 'not-a-folder' | 'denied' | 'read-only' | 'full' | 'name-bad' | 'unusable';

export interface LocalFolder {
  readonly path: string;
  readonly root: string;
  /** By name, hidden ones and links left out; at most LOCAL_FOLDERS_MAX. */
  readonly folders: readonly string[];
  readonly isComplete: boolean;
}

/**
 * The tops that are there: `configured` ones, or without them the shared folders of a DSM (`/volume1/web-backup`). What
 * DSM keeps for itself or publishes as a web site is none.
 */
export async function folderRoots(configured: readonly string[], systemFolder = '/'): Promise<FolderRoot[]> {
  const paths = configured.length > 0 ? configured : await sharedFolders(systemFolder);
  const roots: FolderRoot[] = [];
  for (const path of paths.slice(0, ROOTS_MAX)) {
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined || !(await isFolder(real))) continue;
    roots.push({ path, name: basename(path), freeBytes: await freeBytes(path), isWritable: await isWritable(path) });
  }
  return roots;
}

/** The subfolders of `path`, which must be one of `roots` or lie below it. */
export async function listLocalFolder(
  path: string,
  roots: readonly FolderRoot[],
): Promise<LocalFolder | { fault: FolderFault }> {
  const place = await placeOf(path, roots);
  if ('fault' in place) return place;
  if (place.missing.length > 0) return { fault: 'missing' };
  try {
    const folders: string[] = [];
    let seen = 0;
    for await (const entry of await opendir(place.real)) {
      seen++;
      if (seen > ENTRIES_MAX || folders.length >= LOCAL_FOLDERS_MAX) break;
      if (entry.isDirectory() && !isHidden(entry.name)) folders.push(entry.name);
    }
    const isComplete = seen <= ENTRIES_MAX && folders.length < LOCAL_FOLDERS_MAX;
    folders.sort((a, b) => a.localeCompare(b));
    return { path: place.path, root: place.root, folders, isComplete };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

/**
 * Sees whether a task could work in `path`, which may not be there yet: writes, renames and deletes a file in it, or in
 * the nearest folder above it that is there. undefined: it can.
 */
export async function probeLocalFolder(path: string, roots: readonly FolderRoot[]): Promise<FolderFault | undefined> {
  const place = await placeOf(path, roots);
  if ('fault' in place) return place.fault;
  const first = join(place.real, `.site-backup-probe-${randomBytes(6).toString('hex')}`);
  const second = `${first}.renamed`;
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(first, flags, 0o600);
    try {
      await file.write('Site Backup tries whether it may write here.\n');
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(first, second);
    await unlink(second);
    return undefined;
  } catch (error) {
    for (const left of [first, second]) await unlink(left).catch(() => undefined);
    return faultOf(error);
  }
}

/** Makes the folder `name` in `parent`. One that is there already is as good. */
export async function makeLocalFolder(
  parent: string,
  name: string,
  roots: readonly FolderRoot[],
): Promise<FolderFault | undefined> {
  const isBad = name === '' || /[/\p{Cc}]/u.test(name) || Buffer.byteLength(name) > NAME_BYTES_MAX;
  if (isBad || isHidden(name) || name.trim() !== name) return 'name-bad';
  const place = await placeOf(parent, roots);
  if ('fault' in place) return place.fault;
  if (place.missing.length > 0) return 'missing';
  try {
    await mkdir(join(place.real, name));
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return faultOf(error);
    return (await isFolder(join(place.real, name))) ? undefined : 'not-a-folder';
  }
}

/** Free bytes of the volume that `path`, or the nearest folder above it, lies on. */
export async function freeBytesFor(path: string): Promise<number | undefined> {
  for (let folder = posix.normalize(path); ; folder = dirname(folder)) {
    if (await isFolder(folder)) return freeBytes(folder);
    if (folder === '/' || folder === '.') return undefined;
  }
}

interface Place {
  /** As it was asked for, tidy. */
  readonly path: string;
  readonly root: string;
  /** Where it really is: the folder itself, or the nearest one above it that is there. */
  readonly real: string;
  /** The names between `real` and the folder. */
  readonly missing: readonly string[];
}

/** Finds a path below one of `roots`: no `..`, no hidden name, and no link that leads out of the root. */
async function placeOf(path: string, roots: readonly FolderRoot[]): Promise<Place | { fault: FolderFault }> {
  if (!path.startsWith('/') || /\p{Cc}/u.test(path) || Buffer.byteLength(path) > PATH_BYTES_MAX) {
    return { fault: 'path-bad' };
  }
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..')) return { fault: 'path-bad' };
  const tidy = `/${parts.join('/')}`;
  // The longest one: a root may lie in another one.
  const root = roots
    .map((item) => item.path.replace(/\/+$/, ''))
    .filter((item) => tidy === item || tidy.startsWith(`${item}/`))
    .sort((a, b) => b.length - a.length)[0];
  if (root === undefined) return { fault: 'outside' };
  const below = tidy
    .slice(root.length)
    .split('/')
    .filter((part) => part !== '');
  if (below.some((part) => isHidden(part) || Buffer.byteLength(part) > NAME_BYTES_MAX)) return { fault: 'name-bad' };
  try {
    const realRoot = await realpath(root);
    for (let count = below.length; count >= 0; count--) {
      const real = await realpath(join(realRoot, ...below.slice(0, count))).catch(ignoreAbsence);
      if (real === undefined) continue;
      if (real !== realRoot && !real.startsWith(`${realRoot}/`)) return { fault: 'outside' };
      if (!(await isFolder(real))) return { fault: 'not-a-folder' };
      return { path: tidy, root, real, missing: below.slice(count) };
    }
    return { fault: 'missing' };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

function ignoreAbsence(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return undefined;
}

async function sharedFolders(systemFolder: string): Promise<string[]> {
  const volumes = (await namesIn(systemFolder)).filter((name) => /^volume(USB)?\d+$/.test(name));
  const paths: string[] = [];
  for (const volume of volumes) {
    for (const name of await namesIn(join(systemFolder, volume))) {
      if (!isHidden(name) && !PUBLISHED.includes(name)) paths.push(join(systemFolder, volume, name));
    }
  }
  return paths.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/** Web Station serves these: parse-task.ts refuses them as well. */
const PUBLISHED: readonly string[] = ['web', 'web_packages'];

/** `@eaDir`, `#recycle` and `.git` are not for people. */
function isHidden(name: string): boolean {
  return /^[.@#]/.test(name);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function isFolder(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function freeBytes(path: string): Promise<number | undefined> {
  return statfs(path).then(
    (stats) => stats.bavail * stats.bsize,
    () => undefined,
  );
}

function faultOf(error: unknown): FolderFault {
  const code: string = (error as NodeJS.ErrnoException).code ?? '';
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 'denied';
    case 'EROFS':
      return 'read-only';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'full';
    case 'ENOENT':
      return 'missing';
    case 'ENOTDIR':
      return 'not-a-folder';
    case 'ENAMETOOLONG':
      return 'name-bad';
    default:
      return 'unusable';
  }
}
