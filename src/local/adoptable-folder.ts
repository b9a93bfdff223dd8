import { lstat, mkdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BackupError } from '../errors.ts';
import { errnoName, localError } from './local-errors.ts';
import { isSystemName } from './local-name.ts';
import { TargetDisk, blocked, markerPath } from './target-disk.ts';
import { FOLDER_MODE, systemFs } from './target-fs.ts';
import type { TargetFs } from './target-fs.ts';
import { readMarker, writeMarker } from './target-marker.ts';

/**
 * How a backup lies in a folder. `backup`: below `current/`, as a task leaves it. `mirror`: directly in the folder, as other
 * tools leave it. `half-moved`: an adoption of a mirror was cut short while it moved the files.
 */
export type AdoptableLayout = 'backup' | 'mirror' | 'half-moved';

/** Where an adoption gathers what lies directly in the folder, before all of it becomes `current/` at once. */
export const GATHER_FOLDER = '.site-backup/adopting';

/** What a task keeps in its folder beside what is made while it runs. */
const OWN_NAMES = new Set(['current', 'versions', 'archives', '.site-backup', 'manifest.jsonl', 'SHA256SUMS']);

/** A folder that may hold a backup. */
export interface AdoptableFolder {
  /** Its real path. */
  readonly root: string;
  readonly layout: AdoptableLayout;
  /** Of the task that it belonged to; undefined where none has marked it. */
  readonly marker: string | undefined;
}

/**
 * Looks at the top of `folder` and changes nothing. Throws `nothing-to-adopt` where no file can lie in it, `target-missing`
 * where it is not there, `target-taken` where it lies in the folder of another task or its marker cannot be read.
 */
export async function findAdoptable(folder: string, fs: TargetFs = systemFs): Promise<AdoptableFolder> {
  const root = await realRoot(folder);
  await assertInNoTask(root, fs);
  const disk = new TargetDisk(fs, root);
  const marker = await readMarker(disk);
  const names = (await attempt(root, () => fs.readdir(root))).filter((name) => !staysInPlace(name));
  if (await isFolder(join(root, GATHER_FOLDER))) return { root, layout: 'half-moved', marker };
  const isLaidOut = (await isFolder(join(root, 'current'))) && names.every((name) => OWN_NAMES.has(name));
  if (marker !== undefined || isLaidOut) return { root, layout: 'backup', marker };
  if (names.length === 0) throw new BackupError('nothing-to-adopt', { facts: { path: root } });
  return { root, layout: 'mirror', marker };
}

/** The absolute folder below which the files of the backup lie now. */
export function filesFolder({ root, layout }: AdoptableFolder): string {
  return layout === 'mirror' ? root : join(root, 'current');
}

/** What is left where it is when a mirror becomes `current/`: what the system put there, and what is our own. */
export function staysInPlace(name: string): boolean {
  return name === '.site-backup' || name === 'lost+found' || isSystemName(name);
}

/**
 * Makes what lies directly in the folder its `current/`, by renaming within the volume. Killed at any instruction, calling it
 * again goes on; meanwhile no task can be run in the folder.
 */
export async function gatherMirror(root: string, fs: TargetFs = systemFs): Promise<void> {
  const disk = new TargetDisk(fs, root);
  const gathered = join(root, GATHER_FOLDER);
  for (const path of [join(root, '.site-backup'), gathered]) await makeFolder(path);
  await disk.touch(join(root, '.site-backup'));
  await disk.touch(root);
  await disk.flush();
  for (const name of await attempt(root, () => fs.readdir(root))) {
    if (staysInPlace(name)) continue;
    await attempt(join(root, name), () => fs.rename(join(root, name), join(gathered, name)));
  }
  await disk.touch(gathered);
  await disk.touch(root);
  await disk.flush();
  await attempt(gathered, () => fs.rename(gathered, join(root, 'current')));
  await disk.touch(root);
  await disk.touch(join(root, '.site-backup'));
  await disk.flush();
}

/** Marks the folder as that of the task with this marker. From here on its runs work in it, and no other's. */
export async function takeOver(root: string, marker: string, fs: TargetFs = systemFs): Promise<void> {
  await makeFolder(join(root, '.site-backup'));
  await writeMarker(new TargetDisk(fs, root), marker);
}

/** True where a regular file lies at the absolute `path`, in a folder that is no link. */
export async function regularFile(path: string): Promise<boolean> {
  return (await isFolder(dirname(path))) && (await lstatOrNothing(path))?.isFile() === true;
}

async function realRoot(folder: string): Promise<string> {
  try {
    const root = await realpath(resolve(folder));
    if ((await lstat(root)).isDirectory()) return root;
  } catch (error) {
    if (errnoName(error) !== 'ENOENT' && errnoName(error) !== 'ENOTDIR') throw localError(error, folder, true);
  }
  throw new BackupError('target-missing', { facts: { path: folder }, detail: 'the folder is not there' });
}

async function assertInNoTask(root: string, fs: TargetFs): Promise<void> {
  for (let above = dirname(root); above !== '/'; above = dirname(above)) {
    if (!(await new TargetDisk(fs, above).isThere())) continue;
    throw new BackupError('target-taken', { facts: { path: root }, detail: `${above} is the folder of a task` });
  }
}

async function makeFolder(path: string): Promise<void> {
  await attempt(path, async () => {
    try {
      await mkdir(path, { mode: FOLDER_MODE });
    } catch (error) {
      if (errnoName(error) !== 'EEXIST') throw error;
    }
  });
  if (!(await isFolder(path))) throw blocked(path, 'something else lies there');
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstatOrNothing(path))?.isDirectory() === true;
}

async function lstatOrNothing(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  return attempt(path, async () => {
    try {
      return await lstat(path);
    } catch (error) {
      if (errnoName(error) === 'ENOENT' || errnoName(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  });
}

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw localError(error, path);
  }
}

/** Whether the path, relative to what is walked, is the marker file of a task. */
export function isMarkerFile(path: string): boolean {
  return `/${path}`.endsWith(markerPath('/'));
}
