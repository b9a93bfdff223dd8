import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { LOG_FILES_MAX } from '../log.ts';
import type { LogLevel } from '../log.ts';

export interface LogLine {
  /** Different for every line; the same as long as its file is there. */
  readonly id: string;
  readonly atMs: number;
  readonly level: LogLevel;
  readonly event: string;
  readonly taskId: number | undefined;
  readonly runId: number | undefined;
  /** All other fields, as text. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export interface LogFilter {
  /** This level and those above it. */
  readonly level?: LogLevel | undefined;
  readonly taskId?: number | undefined;
  readonly runId?: number | undefined;
  /** Part of the line, in any case. */
  readonly words?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

export interface LogPage {
  /** Newest first. */
  readonly lines: readonly LogLine[];
  /** Where to go on; undefined at the beginning of the log. */
  readonly next: string | undefined;
  /** The place to go on from is in a file that has been deleted meanwhile; the newest lines are given instead. */
  readonly isGone: boolean;
}

/** Bytes looked at for one page: a search that finds little ends there and says where it can go on. */
export const LOG_SEARCHED_BYTES_MAX = 8 * 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
/** A longer line is none of ours. */
const LINE_BYTES_MAX = 256 * 1024;
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
  readonly sizeBytes: number;
}

/**
 * Reads the log `file` and the files it was put aside in backwards, at most `limit` lines that match. `before` is the
 * `next` of the page above. What is not a line of a log is passed over.
 */
export async function readLogPage(
  file: string,
  filter: LogFilter,
  before: string | undefined,
  limit: number,
): Promise<LogPage> {
  const files = await openFiles(file);
  try {
    const cursor = parseCursor(before);
    const at = cursor === undefined ? 0 : files.findIndex(({ inode }) => inode === cursor.inode);
    const lines: LogLine[] = [];
    let bytesLeft = LOG_SEARCHED_BYTES_MAX;
    for (const [index, opened] of files.slice(Math.max(0, at)).entries()) {
      const isFirst = index === 0 && cursor !== undefined && at >= 0;
      const end = isFirst ? Math.min(cursor.offset, opened.sizeBytes) : await endFor(opened, filter.untilMs);
      for await (const { start, text } of linesBackwards(opened, end)) {
        bytesLeft -= Buffer.byteLength(text) + 1;
        const line = matchingLine(text, `${opened.inode}.${start}`, filter);
        if (line === 'older') return { lines, next: undefined, isGone: at < 0 };
        if (line !== undefined) lines.push(line);
        if (lines.length >= limit || bytesLeft <= 0) {
          return { lines, next: `${opened.inode}.${start}`, isGone: at < 0 };
        }
      }
    }
    return { lines, next: undefined, isGone: at < 0 };
  } finally {
    for (const { handle } of files) await handle.close();
  }
}

/** All lines that match, oldest file first within the newest-first order of pages: for a download. */
export async function* allLogLines(file: string, filter: LogFilter): AsyncGenerator<LogLine> {
  for (let before: string | undefined; ;) {
    const page = await readLogPage(file, filter, before, 1000);
    yield* page.lines;
    if (page.next === undefined || page.isGone) return;
    before = page.next;
  }
}

async function openFiles(file: string): Promise<OpenFile[]> {
  const opened: OpenFile[] = [];
  for (let number = 0; number < LOG_FILES_MAX; number++) {
    try {
      const handle = await open(number === 0 ? file : `${file}.${number}`, 'r');
      const { ino, size } = await handle.stat();
      opened.push({ handle, inode: ino, sizeBytes: size });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return opened;
}

function parseCursor(text: string | undefined): { inode: number; offset: number } | undefined {
  const match = /^(\d{1,16})\.(\d{1,12})$/.exec(text ?? '');
  return match === null ? undefined : { inode: Number(match[1]), offset: Number(match[2]) };
}

/** Lines that end before the byte `end`, last first. */
async function* linesBackwards(
  { handle }: OpenFile,
  end: number,
): AsyncGenerator<{ readonly start: number; readonly text: string }> {
  // Bytes of a line whose beginning has not been read yet.
  let rest = Buffer.alloc(0);
  let position = end;
  while (position > 0) {
    const length = Math.min(BLOCK_BYTES, position);
    const block = Buffer.alloc(length);
    position -= length;
    await handle.read(block, 0, length, position);
    let bytes = Buffer.concat([block, rest]);
    for (;;) {
      // The newline at the very end closes the line that is being looked for.
      const newline = bytes.length < 2 ? -1 : bytes.lastIndexOf(10, bytes.length - 2);
      if (newline === -1) break;
      yield { start: position + newline + 1, text: bytes.toString('utf8', newline + 1).trimEnd() };
      bytes = bytes.subarray(0, newline + 1);
    }
    rest = bytes.length > LINE_BYTES_MAX ? Buffer.alloc(0) : bytes;
  }
  if (rest.length > 0) yield { start: 0, text: rest.toString('utf8').trimEnd() };
}

/** The end of the file, or of its lines up to `untilMs`: found by halving, because lines lie in the order of time. */
async function endFor(file: OpenFile, untilMs: number | undefined): Promise<number> {
  if (untilMs === undefined) return file.sizeBytes;
  let low = 0;
  let high = file.sizeBytes;
  while (high - low > BLOCK_BYTES) {
    const middle = Math.floor((low + high) / 2);
    const atMs = await timeAfter(file, middle);
    if (atMs === undefined || atMs > untilMs) high = middle;
    else low = middle;
  }
  return high;
}

/** The time of the first line that begins after `offset`. */
async function timeAfter({ handle }: OpenFile, offset: number): Promise<number | undefined> {
  const block = Buffer.alloc(BLOCK_BYTES + 64);
  const { bytesRead } = await handle.read(block, 0, block.length, offset);
  const match = /\n\{"t":"([^"]{20,30})"/.exec(block.toString('latin1', 0, bytesRead));
  const atMs = Date.parse(match?.[1] ?? '');
  return Number.isNaN(atMs) ? undefined : atMs;
}

const OWN_FIELDS: ReadonlySet<string> = new Set(['t', 'level', 'event', 'task', 'run']);

function matchingLine(raw: string, id: string, filter: LogFilter): LogLine | 'older' | undefined {
  // Most lines fall here, before the dear parsing.
  if (filter.runId !== undefined && !raw.includes(`"run":${filter.runId}`)) return isOlder(raw, filter.sinceMs);
  if (filter.taskId !== undefined && !raw.includes(`"task":${filter.taskId}`)) return isOlder(raw, filter.sinceMs);
  const line = parseLine(raw, id);
  if (line === undefined) return undefined;
  if (filter.sinceMs !== undefined && line.atMs < filter.sinceMs) return 'older';
  if (filter.untilMs !== undefined && line.atMs > filter.untilMs) return undefined;
  if (filter.level !== undefined && LEVELS.indexOf(line.level) < LEVELS.indexOf(filter.level)) return undefined;
  if (filter.runId !== undefined && line.runId !== filter.runId) return undefined;
  if (filter.taskId !== undefined && line.taskId !== filter.taskId) return undefined;
  const words = filter.words?.toLowerCase() ?? '';
  return words === '' || raw.toLowerCase().includes(words) ? line : undefined;
}

/** A line that is passed over may still be the sign that all further ones are too old. */
function isOlder(raw: string, sinceMs: number | undefined): 'older' | undefined {
  if (sinceMs === undefined) return undefined;
  const atMs = Date.parse(/^\{"t":"([^"]{20,30})"/.exec(raw)?.[1] ?? '');
  return atMs < sinceMs ? 'older' : undefined;
}

function parseLine(raw: string, id: string): LogLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  const atMs = Date.parse(String(fields['t']));
  const level = LEVELS.find((known) => known === fields['level']);
  if (Number.isNaN(atMs) || level === undefined) return undefined;
  const number = (name: string): number | undefined => {
    const field = fields[name];
    return typeof field === 'number' ? field : undefined;
  };
  return {
    id,
    atMs,
    level,
    event: String(fields['event']),
    taskId: number('task'),
    runId: number('run'),
    fields: Object.entries(fields)
      .filter(([name, field]) => !OWN_FIELDS.has(name) && field !== undefined)
      .map(([name, field]) => [name, typeof field === 'string' ? field : JSON.stringify(field)] as const),
  };
}
