/** Folders on disk as data, whatever bytes their names are made of, and the difference between two of them. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';

/** Paths here are relative, `/` between parts, and hold bytes as latin1 text: this makes one of a readable string. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The absolute place of `path` (bytes as latin1 text) below `root`, as the file system wants it. */
export function placeOf(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
}

/** What writeTree makes: files, folders, symbolic links. A plain string is a file's content. */
export type TreeSpec = Readonly<Record<string, FileSpec | ZerosSpec | FolderSpec | LinkSpec | string>>;

export interface FileSpec {
  /** Text is written as it stands in latin1: one character a byte. */
  readonly content: string | Buffer;
  /** Milliseconds since 1970; TREE_TIME_MS unless told. */
  readonly mtimeMs?: number;
  readonly mode?: number;
}
/** A file of zeros that takes no room on disk. */
export interface ZerosSpec {
  readonly zeroBytes: number;
}
export interface FolderSpec {
  readonly folder: true;
  readonly mode?: number;
}
export interface LinkSpec {
  readonly linkTo: string;
}

/** A whole minute a month ago: old enough for no special care, young enough for LIST to tell its hour and minute. */
export const TREE_TIME_MS = Math.floor((Date.now() - 30 * 86_400_000) / 60_000) * 60_000;

/**
 * Writes files, folders and links below `root`, which anyone may then read and enter (servers run as other users).
 * Keys are paths with bytes as latin1 text; parents are made.
 */
export function writeTree(root: string, spec: TreeSpec): void {
  mkdirSync(root, { recursive: true });
  chmodSync(root, 0o755);
  // Rights last: a folder may take away the right to write into it.
  const modes: [Buffer, number][] = [];
  for (const [path, given] of Object.entries(spec)) {
    const node = typeof given === 'string' ? { content: given } : given;
    const place = placeOf(root, path);
    makeFolders(root, 'folder' in node ? path : path.slice(0, Math.max(0, path.lastIndexOf('/'))));
    if ('linkTo' in node) {
      symlinkSync(node.linkTo, place);
    } else if ('folder' in node) {
      modes.push([place, node.mode ?? 0o755]);
    } else {
      const file = 'zeroBytes' in node ? { content: '', ...node } : node;
      writeFileSync(place, file.content, 'latin1');
      if ('zeroBytes' in node) truncateSync(place, node.zeroBytes);
      const time = (file.mtimeMs ?? TREE_TIME_MS) / 1000;
      utimesSync(place, time, time);
      modes.push([place, file.mode ?? 0o644]);
    }
  }
  for (const [place, mode] of modes) chmodSync(place, mode);
}

function makeFolders(root: string, folder: string): void {
  const parts = folder === '' ? [] : folder.split('/');
  for (const end of parts.keys()) {
    const place = placeOf(root, parts.slice(0, end + 1).join('/'));
    mkdirSync(place, { recursive: true });
    chmodSync(place, 0o755);
  }
}

export interface FileState {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly mtimeMs: number;
}

/** Every regular file below `folder` by its relative path (bytes as latin1 text). Links are not followed. */
export function snapshotFolder(folder: string): Map<string, FileState> {
  const files = new Map<string, FileState>();
  const visit = (path: string): void => {
    const here = path === '' ? Buffer.from(folder) : placeOf(folder, path);
    for (const name of readdirSync(here, { encoding: 'latin1' })) {
      const child = path === '' ? name : `${path}/${name}`;
      const place = placeOf(folder, child);
      const stat = lstatSync(place);
      if (stat.isDirectory()) visit(child);
      else if (stat.isFile())
        files.set(child, { sizeBytes: stat.size, sha256: sha256Of(place), mtimeMs: Math.floor(stat.mtimeMs) });
    }
  };
  visit('');
  return files;
}

function sha256Of(place: Buffer): string {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(1 << 20);
  const file = openSync(place, 'r');
  try {
    for (let count = readSync(file, chunk); count > 0; count = readSync(file, chunk)) {
      hash.update(chunk.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

export interface CompareOptions {
  /** How exactly times must agree: vsftpd's listings tell minutes, all others seconds. */
  readonly timePrecisionMs: number;
  /** From the path on the server to the path expected here; the same unless told. */
  readonly pathHere?: (path: string) => string;
}

/** The differences, one readable line each, from what the server has to what lies here; none: equal. */
export function compareTrees(
  server: ReadonlyMap<string, FileState>,
  here: ReadonlyMap<string, FileState>,
  options: CompareOptions,
): string[] {
  const floor = (ms: number): number => Math.floor(ms / options.timePrecisionMs);
  const differences: string[] = [];
  const expected = new Set<string>();
  for (const [path, wanted] of server) {
    const pathHere = options.pathHere?.(path) ?? path;
    expected.add(pathHere);
    const found = here.get(pathHere);
    const name = JSON.stringify(Buffer.from(pathHere, 'latin1').toString());
    if (found === undefined) {
      differences.push(`missing here: ${name}`);
      continue;
    }
    if (found.sizeBytes !== wanted.sizeBytes) {
      differences.push(`size of ${name}: ${wanted.sizeBytes} on the server, ${found.sizeBytes} here`);
    } else if (found.sha256 !== wanted.sha256) {
      differences.push(`content of ${name}: same size, other bytes`);
    }
    if (floor(found.mtimeMs) !== floor(wanted.mtimeMs)) {
      const [there, local] = [wanted, found].map((state) => new Date(state.mtimeMs).toISOString());
      differences.push(`time of ${name}: ${String(there)} on the server, ${String(local)} here`);
    }
  }
  for (const path of here.keys()) {
    if (!expected.has(path)) {
      differences.push(`not on the server: ${JSON.stringify(Buffer.from(path, 'latin1').toString())}`);
    }
  }
  return differences;
}
