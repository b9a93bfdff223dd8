import type { Stats } from 'node:fs';
import { link, lstat, mkdir, open, readdir, realpath, rename, rmdir, statfs, unlink } from 'node:fs/promises';

/** An open file, as far as the target uses one. */
export interface TargetFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>;
  truncate(sizeBytes: number): Promise<void>;
  utimes(accessed: Date, modified: Date): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The calls to the disk that the target makes: the seam at which tests make call number n fail. */
export interface TargetFs {
  open(path: string, flags: number, mode: number): Promise<TargetFile>;
  link(existing: string, path: string): Promise<void>;
  mkdir(path: string, options: { mode: number }): Promise<unknown>;
  lstat(path: string): Promise<Stats>;
  readdir(path: string): Promise<string[]>;
  realpath(path: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  statfs(path: string): Promise<{ bavail: number; bsize: number }>;
  unlink(path: string): Promise<void>;
}

export const systemFs: TargetFs = {
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rmdir,
  statfs,
  unlink,
};

/** Of the folders and files that are made. Modes told by a server are never applied here. */
export const FOLDER_MODE = 0o750;
export const FILE_MODE = 0o640;
