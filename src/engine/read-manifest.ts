import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BackupError } from '../errors.ts';
import { assertRunName } from '../local/versions.ts';
import { folderOf, nameOf } from '../paths.ts';
import { asRemoteName } from '../remote/remote.ts';
import type { AdoptionIndex, ManifestValues } from '../state/adoption-index.ts';

/** Longer lines than any that is written: a path of 4,096 bytes escaped, three times, and the rest. */
const LINE_CHARS_MAX = 256 * 1024;
const VERSION = 1;
const SERVER_BYTES = new Set(['path', 'parent', 'movedTo', 'leadsTo', 'unique', 'stamp']);

type Row = Record<string, unknown>;

/** What the manifest of a task's folder tells of itself. */
export interface ManifestHeader {
  readonly task: string;
  readonly source: string;
  readonly runId: number;
  readonly startedMs: number;
}

/** A manifest that cannot be used; `detail` says why, for people. Nothing of it has been taken in. */
export class ManifestFault extends Error {
  override readonly name = 'ManifestFault';
}

/**
 * Takes the manifest in the file `path` into an empty index, whole or not at all. Nothing that it says can lead out of the
 * task's folder. Throws ManifestFault where it was cut short, altered, or is of a version that is not known.
 */
export async function readManifest(path: string, index: AdoptionIndex, signal: AbortSignal): Promise<ManifestHeader> {
  let header: ManifestHeader | undefined;
  await index.whole(async () => {
    const hash = createHash('sha256');
    let lines = 0;
    let isWhole = false;
    for await (const line of linesOf(path)) {
      if (signal.aborted) throw new BackupError('cancelled');
      if (isWhole) throw new ManifestFault('something follows its last line');
      const row = parseLine(line);
      if (header === undefined) {
        header = headerOf(row);
      } else if (row['kind'] === 'end') {
        isWhole = row['lines'] === lines && row['sha256'] === hash.digest('hex');
        if (!isWhole) throw new ManifestFault('its checksum is another');
        // Where it is among the runs that have changed something, it is known already.
        index.addRun({ id: header.runId, startedMs: header.startedMs, outcome: 'complete' }, false);
        continue;
      } else {
        takeIn(row, index);
      }
      lines++;
      hash.update(line).update('\n');
    }
    if (!isWhole) throw new ManifestFault('it was cut short');
  });
  if (header === undefined) throw new ManifestFault('it is empty');
  return header;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARS_MAX) throw new ManifestFault('a line is too long');
    yield* lines;
  }
  if (rest !== '') throw new ManifestFault('it was cut short');
}

function parseLine(line: string): Row {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Row;
  } catch {
    // Falls through.
  }
  throw new ManifestFault('a line is no JSON object');
}

function headerOf(row: Row): ManifestHeader {
  const run = row['run'] as Row | undefined;
  const isKnown = row['kind'] === 'site-backup' && row['version'] === VERSION;
  if (!isKnown || !Number.isSafeInteger(run?.['id']) || !Number.isSafeInteger(run?.['startedMs'])) {
    throw new ManifestFault('it is no manifest of a version that is known');
  }
  const { id, startedMs } = run as { id: number; startedMs: number };
  return { task: String(row['task']), source: String(row['source']), runId: id, startedMs };
}

function takeIn(row: Row, index: AdoptionIndex): void {
  const values = valuesOf(row);
  switch (row['kind']) {
    case 'run':
      index.addRun(values, true);
      return;
    case 'folder': {
      const path = remotePath(values['path']);
      localPath(values['local'], path === '/');
      if (!index.addFolder(values, path === '/' ? undefined : folderOf(path))) throw wrong(row);
      return;
    }
    case 'file': {
      const path = remotePath(values['path']);
      const place = localPath(values['local'], false);
      const local = { localFolder: folderOf(place), localName: nameOf(place) };
      const at = { folder: folderOf(path), name: nameOf(path), ...local };
      if (!Buffer.isBuffer(values['sha256']) || !index.addFile(values, at)) throw wrong(row);
      return;
    }
    case 'link': {
      const path = remotePath(values['path']);
      index.addLink(folderOf(path), nameOf(path), text(values['leadsTo'] ?? ''));
      return;
    }
    case 'version': {
      const path = remotePath(values['path']);
      if (values['folder'] !== undefined) {
        assertFolderName(text(values['folder']));
        localPath(values['local'], false);
      }
      if (values['movedTo'] !== undefined) remotePath(values['movedTo']);
      index.addVersion(values, folderOf(path));
      return;
    }
    case 'past-folder':
      remotePath(values['path']);
      index.addPastFolder(values);
      return;
    default:
      throw wrong(row);
  }
}

function valuesOf(row: Row): ManifestValues {
  const values: Record<string, string | number | Buffer> = {};
  for (const [key, value] of Object.entries(row)) {
    if (key === 'sha256') values[key] = digest(value);
    else if (typeof value === 'string') values[key] = SERVER_BYTES.has(key) ? decodeBytes(value) : value;
    else if (typeof value === 'number' && Number.isFinite(value)) values[key] = value;
    else throw wrong(row);
  }
  return values;
}

function digest(value: unknown): Buffer {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw new ManifestFault('a checksum is none');
  return Buffer.from(value, 'hex');
}

/** The server's bytes as latin1 text, of what `encodeBytes` in manifest.ts has made of them. */
function decodeBytes(encoded: string): string {
  return encoded.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

function remotePath(value: unknown): string {
  const path = text(value);
  const isUsable = path === '/' || (path.startsWith('/') && path.slice(1).split('/').every(isRemoteName));
  if (!isUsable) throw new ManifestFault('a path is none');
  return path;
}

function isRemoteName(name: string): boolean {
  return asRemoteName(name) !== undefined;
}

function localPath(value: unknown, isRoot: boolean): string {
  const path = text(value);
  if (isRoot ? path === '' : path.split('/').every((part) => !['', '.', '..'].includes(part) && !part.includes('\0'))) {
    return path;
  }
  throw new ManifestFault('a place leads elsewhere');
}

function assertFolderName(folder: string): void {
  try {
    assertRunName(folder);
  } catch {
    throw new ManifestFault('a place leads elsewhere');
  }
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new ManifestFault('a path is missing');
  return value;
}

function wrong(row: Row): ManifestFault {
  return new ManifestFault(`a line of the kind ${String(row['kind']).slice(0, 40)} does not fit`);
}
