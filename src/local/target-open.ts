import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { BackupError } from '../errors.ts';
import { GATHER_FOLDER } from './adoptable-folder.ts';
import { errnoName } from './local-errors.ts';
import type { NameLimits } from './local-name.ts';
import { TargetDisk, blocked } from './target-disk.ts';
import { TargetFolders } from './target-folders.ts';
import { FOLDER_MODE } from './target-fs.ts';
import type { TargetFs } from './target-fs.ts';
import { readMarker, writeMarker } from './target-marker.ts';
import { probeTarget } from './target-probe.ts';

/** Enough for the names that the target itself makes. */
const OWN_NAME_BYTES_MAX = 143;

export interface TargetOptions {
  /** Absolute path of the task's folder. */
  readonly folder: string;
  /** Random id of the task's database: a folder belongs to one of them. */
  readonly marker: string;
  /** True where this database has had a run in this folder: then it must be there, and nothing is made in its place. */
  readonly isKnown: boolean;
}

/** What was found and made. All paths absolute, no link on the way below `disk.root`. */
export interface OpenedTarget {
  readonly disk: TargetDisk;
  readonly current: string;
  readonly versions: string;
  readonly parts: string;
  readonly limits: NameLimits;
  /** True where `current/` was not there and has been made. */
  readonly isCurrentNew: boolean;
  /** True where `versions/` was not there and has been made. */
  readonly areVersionsNew: boolean;
}

/** Finds or makes the folder and its layout, and sees that it can be worked in: see Target.open. */
export async function openTarget(fs: TargetFs, options: TargetOptions): Promise<OpenedTarget> {
  if (!isAbsolute(options.folder)) throw new Error(`A target must be an absolute path: ${options.folder}`);
  const disk = new TargetDisk(fs, await findRoot(fs, options));
  const found = await readMarker(disk);
  if (found === undefined && options.isKnown) throw missing(disk.root, 'its marker file is not there');
  if (found !== undefined && found !== options.marker) throw taken(disk.root, 'it belongs to another task');

  const currentEntries = await entriesOf(disk, join(disk.root, 'current'));
  if (found === undefined && (currentEntries ?? 0) > 0) throw taken(disk.root, 'current/ holds files already');

  // An adoption was cut short while it moved files: they would be taken for none, and brought again.
  const gathered = await entriesOf(disk, join(disk.root, GATHER_FOLDER));
  if (gathered !== undefined) throw taken(disk.root, 'its adoption has not been ended');

  const versionEntries = await entriesOf(disk, join(disk.root, 'versions'));

  const folders = new TargetFolders(disk, OWN_NAME_BYTES_MAX);
  const parts = await folders.make(disk.root, ['.site-backup', 'parts']);
  const limits = await probeTarget(disk, parts);
  if (found === undefined) await writeMarker(disk, options.marker);
  const current = await folders.make(disk.root, ['current']);
  const versions = await folders.make(disk.root, ['versions']);
  await assertOneVolume(disk, [parts, current, versions]);
  await disk.flush();
  const isCurrentNew = currentEntries === undefined;
  const areVersionsNew = versionEntries === undefined;
  return { disk, current, versions, parts, limits, isCurrentNew, areVersionsNew };
}

/** The folder's real path. A folder that was never used is made, with its parents, below one that exists. */
async function findRoot(fs: TargetFs, options: TargetOptions): Promise<string> {
  const folder = resolve(options.folder);
  const disk = new TargetDisk(fs, folder);
  const absent: string[] = [];
  let path = folder;
  let existing = await realFolder(disk, path);
  while (existing === undefined) {
    if (options.isKnown) throw missing(folder, 'the folder is not there');
    // What would be made right below `/` would stand where a volume should be mounted.
    if (dirname(path) === '/') throw missing(folder, `${path} is not there`);
    absent.unshift(basename(path));
    path = dirname(path);
    existing = await realFolder(disk, path);
  }
  for (const name of absent) {
    existing = join(existing, name);
    await makeFolderOrFindIt(disk, existing);
  }
  return existing;
}

async function makeFolderOrFindIt(disk: TargetDisk, path: string): Promise<void> {
  await disk.attempt(disk.root, async () => {
    try {
      await disk.fs.mkdir(path, { mode: FOLDER_MODE });
    } catch (error) {
      // Two tasks may begin at once below the same new folder.
      if (errnoName(error) !== 'EEXIST') throw error;
    }
  });
}

/** Links are followed here: this part of the path is the administrator's, not a server's. */
async function realFolder(disk: TargetDisk, path: string): Promise<string | undefined> {
  return disk.attempt(disk.root, async () => {
    try {
      const real = await disk.fs.realpath(path);
      if ((await disk.fs.lstat(real)).isDirectory()) return real;
    } catch (error) {
      if (errnoName(error) === 'ENOENT') return undefined;
      throw error;
    }
    throw missing(disk.root, `${path} is not a folder`);
  });
}

/** How many entries the folder has; undefined where it is not there. */
async function entriesOf(disk: TargetDisk, path: string): Promise<number | undefined> {
  return disk.attempt(disk.root, async () => {
    try {
      return (await disk.fs.readdir(path)).length;
    } catch (error) {
      if (errnoName(error) === 'ENOENT') return undefined;
      if (errnoName(error) === 'ENOTDIR') throw blocked(path, 'a file lies there');
      throw error;
    }
  });
}

/** A file becomes visible by a rename, which cannot cross from one volume to another. */
async function assertOneVolume(disk: TargetDisk, folders: readonly string[]): Promise<void> {
  const devices = new Set<number>();
  for (const folder of folders) devices.add((await disk.attempt(folder, () => disk.fs.lstat(folder))).dev);
  if (devices.size > 1) throw blocked(disk.root, 'its folders lie on different volumes');
}

function missing(path: string, detail: string): BackupError {
  return new BackupError('target-missing', { facts: { path }, detail });
}

function taken(path: string, detail: string): BackupError {
  return new BackupError('target-taken', { facts: { path }, detail });
}
