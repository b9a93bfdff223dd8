import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one JSON object a line: `{"t":"…","level":"…","event":"…",…fields}`. No call ever throws. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log, with these fields in every line. */
  child(fields: LogFields): Logger;
}

/** A log file that reaches this size is put aside as `<file>.1`, and so on up to LOG_FILES_MAX files in all. */
const LOG_FILE_BYTES_MAX = 10 * 1024 * 1024;
export const LOG_FILES_MAX = 5;

export interface LogOptions {
  /** Where lines go: a file that only its owner may read, made at the first line with its folder, or a stream. */
  readonly to: { readonly file: string; readonly fileBytesMax?: number; readonly filesMax?: number } | Writable;
  /** The least level that is written; `info` by default. */
  readonly level?: LogLevel;
  /** Passwords. Wherever they occur, also encoded for a URL or as base64, `[secret]` stands instead. */
  readonly redact?: readonly string[];
  readonly nowMs?: () => number;
}

/** A log that lasts until `close`. */
export function createLog(options: LogOptions): Logger & { close(): void } {
  const sink = 'file' in options.to ? fileSink(options.to) : streamSink(options.to);
  const clean = cleaner(options.redact ?? []);
  const leastRank = RANKS[options.level ?? 'info'];
  const nowMs = options.nowMs ?? Date.now;

  const write = (level: LogLevel, event: string, inherited: LogFields, fields: LogFields): void => {
    if (RANKS[level] < leastRank) return;
    const own = { t: new Date(nowMs()).toISOString(), level, event };
    try {
      // Own keys are written last too: a field of the same name must not forge them.
      const line = JSON.stringify({ ...own, ...(clean({ ...inherited, ...fields }) as object), ...own });
      sink.write(`${line.length > LINE_LENGTH_MAX ? JSON.stringify({ ...own, fields: '[too long]' }) : line}\n`);
    } catch {
      sink.write(`${JSON.stringify({ ...own, fields: '[unprintable]' })}\n`);
    }
  };
  const logger = (inherited: LogFields): Logger => ({
    debug: (event, fields = {}) => {
      write('debug', event, inherited, fields);
    },
    info: (event, fields = {}) => {
      write('info', event, inherited, fields);
    },
    warn: (event, fields = {}) => {
      write('warn', event, inherited, fields);
    },
    error: (event, fields = {}) => {
      write('error', event, inherited, fields);
    },
    child: (fields) => logger({ ...inherited, ...fields }),
  });
  return {
    ...logger({}),
    close: () => {
      sink.close();
    },
  };
}

const nothing = (): void => undefined;

/** For callers who want no log. */
export const silentLog: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLog,
};

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

interface Sink {
  write(line: string): void;
  close(): void;
}

function streamSink(stream: Writable): Sink {
  return { write: (line) => void stream.write(line), close: nothing };
}

/** Lines are written at once, so that the last words before a crash are there. A disk that refuses them stops nothing. */
function fileSink(to: { file: string; fileBytesMax?: number; filesMax?: number }): Sink {
  const fileBytesMax = to.fileBytesMax ?? LOG_FILE_BYTES_MAX;
  const filesMax = Math.max(2, to.filesMax ?? LOG_FILES_MAX);
  let descriptor: number | undefined;
  let sizeBytes = 0;

  const close = (): void => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
  };
  const open = (): number => {
    makeFolder(dirname(to.file));
    const opened = openSync(to.file, 'a', 0o600);
    sizeBytes = fstatSync(opened).size;
    descriptor = opened;
    return opened;
  };
  const rotate = (): void => {
    close();
    for (let number = filesMax - 1; number >= 1; number--) {
      moveIfThere(number === 1 ? to.file : `${to.file}.${number - 1}`, `${to.file}.${number}`);
    }
  };
  return {
    close,
    write(line) {
      try {
        const bytes = Buffer.from(line);
        descriptor ??= open();
        if (sizeBytes > 0 && sizeBytes + bytes.length > fileBytesMax) {
          rotate();
          descriptor = open();
        }
        sizeBytes += writeSync(descriptor, bytes);
      } catch {
        // There is nowhere left to say it; what the user must know is in the run's report.
      }
    },
  };
}

/** Only the last folder of the path: Node's recursive mkdir never returns below /proc and its like (seen in 20.20). */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

const DEPTH_MAX = 6;
/** Values in one line, in all. */
const ITEMS_MAX = 500;
const STRING_LENGTH_MAX = 8192;
const LINE_LENGTH_MAX = 65_536;

/** Makes plain bounded data of a field and takes the secrets out of every text in it. */
function cleaner(secrets: readonly string[]): (value: unknown) => unknown {
  const short = new Set(secrets.filter((secret) => secret !== '' && secret.length < SUBSTRING_LENGTH_MIN));
  const needles = [...new Set(secrets.filter((s) => s.length >= SUBSTRING_LENGTH_MIN).flatMap(formsOf))]
    // Longest first: a form that holds another one must go as a whole.
    .sort((a, b) => b.length - a.length);

  const cleanText = (text: string): string => {
    if (short.has(text)) return '[secret]';
    let result = text;
    for (const needle of needles) result = result.replaceAll(needle, '[secret]');
    return result.length > STRING_LENGTH_MAX ? `${result.slice(0, STRING_LENGTH_MAX)}…` : result;
  };
  let itemsLeft = ITEMS_MAX;
  const clean = (value: unknown, depth = 0): unknown => {
    if (itemsLeft-- <= 0) return '[…]';
    if (typeof value === 'string') return cleanText(value);
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
    if (typeof value !== 'object' || value === null) return value;
    if (depth >= DEPTH_MAX) return '[…]';
    if (value instanceof Error) return cleanError(value, depth);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => clean(item, depth + 1));
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      return clean((value.toJSON as () => unknown).call(value), depth + 1);
    }
    const entries = Object.entries(value).slice(0, ITEMS_MAX);
    return Object.fromEntries(entries.map(([key, item]) => [cleanText(key), clean(item, depth + 1)]));
  };
  const cleanError = (error: Error, depth: number): unknown => ({
    ...(clean(Object.fromEntries(Object.entries(error)), depth + 1) as object),
    name: error.name,
    message: cleanText(error.message),
    stack: error.stack === undefined ? undefined : cleanText(error.stack),
    cause: clean(error.cause, depth + 1),
  });
  return (value) => {
    itemsLeft = ITEMS_MAX;
    return clean(value);
  };
}

/** A shorter secret would be found inside innocent words; it is only taken out where it is the whole text. */
const SUBSTRING_LENGTH_MIN = 4;

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const escaped = JSON.stringify(secret).slice(1, -1);
  const base64 = bytes.toString('base64');
  return [
    secret,
    escaped,
    // The form in which it crosses the FTP control connection.
    bytes.toString('latin1'),
    encodeURIComponent(bytes.toString('utf8')),
    base64,
    base64.replace(/=+$/, ''),
    bytes.toString('base64url'),
  ];
}
