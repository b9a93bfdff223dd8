import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { BackupError } from '../errors.ts';
import { MANIFEST_NAMES, sumLine } from '../local/manifest.ts';
import type { ManifestWriter } from '../local/manifest.ts';
import type { Target } from '../local/target.ts';
import { ManifestRows } from '../state/manifest-rows.ts';
import type { ManifestRow } from '../state/manifest-rows.ts';
import { readMeta, writeMeta } from '../state/meta.ts';
import type { TaskDatabase } from '../state/task-database.ts';

/** Of the format of manifest.jsonl. */
const MANIFEST_VERSION = 1;
/** Under it, the index keeps what the manifests say. */
export const MANIFEST_META_KEY = 'manifest';
/** Rows whose values are the server's bytes. */
const BYTES_OF_SERVER = new Set(['path', 'parent', 'movedTo', 'leadsTo', 'unique', 'stamp']);

export interface ManifestOptions {
  readonly database: TaskDatabase;
  readonly target: Target;
  readonly taskName: string;
  /** Without password. */
  readonly sourceLabel: string;
  readonly runId: number;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Writes `manifest.jsonl` and `SHA256SUMS` into the task's folder: what `current/` and `versions/` hold, enough to make the
 * index anew without the server. False where the index is as it was when they were written last. Memory stays flat.
 */
export async function writeManifest(options: ManifestOptions): Promise<boolean> {
  const { database, target } = options;
  const digest = await digestOf(options);
  const isThere = (await Promise.all(MANIFEST_NAMES.map((name) => target.hasManifest(name)))).every(Boolean);
  if (isThere && readMeta(database.db, MANIFEST_META_KEY) === digest) return false;
  const jsonl = await target.manifest('manifest.jsonl');
  try {
    const sums = await target.manifest('SHA256SUMS');
    try {
      await writeBoth(options, jsonl, sums);
      await jsonl.sync();
      await sums.sync();
      await jsonl.show();
      await sums.show();
      await target.flush();
    } catch (error) {
      await sums.discard();
      throw error;
    }
  } catch (error) {
    await jsonl.discard();
    throw error;
  }
  writeMeta(database.db, MANIFEST_META_KEY, digest);
  return true;
}

async function writeBoth(options: ManifestOptions, jsonl: ManifestWriter, sums: ManifestWriter): Promise<void> {
  const { taskName, sourceLabel, runId, startedMs, nowMs, database } = options;
  const hash = createHash('sha256');
  let lines = 0;
  const add = async (value: object): Promise<void> => {
    const text = JSON.stringify(value);
    hash.update(text).update('\n');
    lines++;
    await jsonl.line(text);
  };
  const run = { id: runId, startedMs, writtenMs: nowMs };
  await add({
    kind: 'site-backup',
    version: MANIFEST_VERSION,
    marker: database.marker,
    task: taskName,
    source: sourceLabel,
    run,
  });
  for await (const page of pagesOf(options)) {
    for (const row of page) {
      await add({ kind: row.kind, ...plainValues(row) });
      const place = placeOf(row);
      if (place !== undefined) await sums.line(sumLine(place.sha256, place.path));
    }
  }
  // By its last line, a manifest that was cut short can be told.
  await jsonl.line(JSON.stringify({ kind: 'end', lines, sha256: hash.digest('hex') }));
}

async function digestOf(options: ManifestOptions): Promise<string> {
  const hash = createHash('sha256').update(`${MANIFEST_VERSION} ${options.taskName} ${options.sourceLabel}`);
  for await (const page of pagesOf(options)) {
    for (const { kind, values } of page) {
      hash.update(kind);
      for (const value of Object.values(values)) {
        // The type and the length go in, too, so that no two rows read alike.
        if (Buffer.isBuffer(value)) hash.update(value);
        else hash.update(`\0${typeof value}${typeof value === 'string' ? value.length : ''}:${String(value)}`);
      }
    }
  }
  return hash.digest('hex');
}

/** Others get their turn between two pages. */
async function* pagesOf({ database, signal }: ManifestOptions): AsyncGenerator<readonly ManifestRow[]> {
  for (const page of new ManifestRows(database.db).pages()) {
    yield page;
    await setImmediate();
    if (signal.aborted) throw new BackupError('cancelled');
  }
}

function plainValues({ values }: ManifestRow): Record<string, string | number> {
  const plain: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(values)) {
    if (value === null) continue;
    if (Buffer.isBuffer(value)) plain[key] = value.toString('hex');
    else plain[key] = typeof value === 'string' && BYTES_OF_SERVER.has(key) ? encodeBytes(value) : value;
  }
  return plain;
}

/** Where the content of a row lies below the task's folder; undefined where it holds none. */
function placeOf({ kind, values }: ManifestRow): { sha256: Buffer; path: string } | undefined {
  const { sha256, local, folder, state } = values;
  if (!Buffer.isBuffer(sha256) || typeof local !== 'string') return undefined;
  if (kind === 'file') return { sha256, path: `current/${local}` };
  const isKept = kind === 'version' && state === 'kept' && typeof folder === 'string';
  return isKept ? { sha256, path: `versions/${folder}/${local}` } : undefined;
}

/** Bytes as text that any program can read and turn back: all but printable ASCII, and `%`, as `%XX`. */
function encodeBytes(latin1: string): string {
  return latin1.replace(
    /[^\x20-\x24\x26-\x7e]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
