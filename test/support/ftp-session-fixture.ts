/** What the tests of the FTP adapter share: settings for a server of the test, and sessions that are closed again. */
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/clock.ts';
import { isBackupError } from '../../src/errors.ts';
import { openSource } from '../../src/remote/open-source.ts';
import type { FolderListing, RemoteEntry, RemotePath, RemoteSession, RemoteSource } from '../../src/remote/remote.ts';
import { Secret } from '../../src/settings/secret.ts';
import type { SourceSettings } from '../../src/settings/task-settings.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from './scripted-ftp-options.ts';

export interface FixtureOptions {
  readonly protocol?: SourceSettings['protocol'];
  readonly host?: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  readonly folder?: string;
  readonly fingerprint?: string | undefined;
  readonly connectSeconds?: number;
  readonly idleSeconds?: number;
}

export function sourceSettings(options: FixtureOptions): SourceSettings {
  return {
    protocol: options.protocol ?? 'ftp',
    host: options.host ?? '127.0.0.1',
    port: options.port,
    user: options.user ?? SCRIPTED_USER,
    password: new Secret(options.password ?? SCRIPTED_PASSWORD),
    folder: options.folder ?? '/',
    tls: { fingerprint: options.fingerprint },
    timeouts: { connectSeconds: options.connectSeconds ?? 3, idleSeconds: options.idleSeconds ?? 3 },
  };
}

/** Waits are over at once, so that retries with pauses need no time. */
export const hastyClock: Clock = { ...systemClock, sleep: () => Promise.resolve() };

/** A source, every line that went over its control connections, and what it logged. */
export function tracedSource(options: FixtureOptions): {
  source: RemoteSource;
  trace: string[];
  events: Readonly<Record<string, unknown>>[];
} {
  const trace: string[] = [];
  const events: Readonly<Record<string, unknown>>[] = [];
  const log = (event: string, fields: Readonly<Record<string, unknown>>): void => {
    events.push({ event, ...fields });
  };
  const connectionTrace = (direction: string, text: string): void => {
    trace.push(`${direction} ${text}`);
  };
  return { source: openSource(sourceSettings(options), { clock: hastyClock, log, connectionTrace }), trace, events };
}

/** A session on a server that may still count connections, for a moment, that were closed here (vsftpd 3.0.3 does). */
export async function openPatiently(source: RemoteSource): Promise<RemoteSession> {
  for (let tries = 1; ; tries++) {
    try {
      return await source.open(new AbortController().signal);
    } catch (error) {
      if (tries === 50 || !isBackupError(error, 'server-busy')) throw error;
      await systemClock.sleep(100);
    }
  }
}

export async function withSession<T>(source: RemoteSource, work: (session: RemoteSession) => Promise<T>): Promise<T> {
  const session = await openPatiently(source);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

export interface Listed {
  readonly listing: FolderListing;
  readonly entries: RemoteEntry[];
  readonly names: string[];
}

export async function listFolder(session: RemoteSession, path: string): Promise<Listed> {
  const entries: RemoteEntry[] = [];
  const listing = await session.list(path as RemotePath, (batch) => entries.push(...batch));
  return { listing, entries, names: entries.map((entry) => entry.name).sort() };
}

/** Takes what is downloaded; `delayMs` makes every write as slow as a bad disk. Emits `begun` at the first byte. */
export class Basket extends Writable {
  sizeBytes = 0;
  readonly #hash = createHash('sha256');
  readonly #chunks: Buffer[] = [];
  readonly #delayMs: number;

  constructor(delayMs = 0) {
    super({ highWaterMark: 65_536 });
    this.#delayMs = delayMs;
  }

  get content(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.sizeBytes === 0) this.emit('begun');
    this.sizeBytes += chunk.length;
    this.#hash.update(chunk);
    if (this.sizeBytes < 4_000_000) this.#chunks.push(chunk);
    if (this.#delayMs === 0) done();
    else setTimeout(done, this.#delayMs);
  }
}
