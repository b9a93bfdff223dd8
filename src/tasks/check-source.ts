import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Clock } from '../clock.ts';
import { BackupError, type ErrorCode, type ErrorFacts } from '../errors.ts';
import {
  REMOTE_ROOT,
  type FolderListing,
  type RemoteCapabilities,
  type RemoteSession,
  type RemoteSource,
} from '../remote/remote.ts';
import type { SourceSettings } from '../settings/task-settings.ts';

/** The steps of a connection test, in their order. */
export const CHECK_STEPS = ['lookup', 'tcp', 'tls', 'login', 'listing', 'features', 'clock'] as const;
export type CheckStepName = (typeof CHECK_STEPS)[number];

/** How one step went. `warning`: it went, and there is something to know; `skipped`: not reached, or nothing to do. */
export type CheckResult =
  | { readonly state: 'ok' | 'warning' | 'skipped'; readonly finding: CheckFinding }
  | {
      readonly state: 'failed';
      readonly code: ErrorCode;
      readonly facts: ErrorFacts;
      readonly detail: string | undefined;
    };

export type CheckStep = CheckResult & {
  readonly step: CheckStepName;
  /** Undefined where the step cannot be told apart from the next one. */
  readonly durationMs: number | undefined;
};

/** What a step found out, as plain values. */
export type CheckFinding =
  | { readonly kind: 'not-reached' }
  | { readonly kind: 'lookup'; readonly host: string; readonly addresses: readonly string[] }
  | { readonly kind: 'lookup-ip'; readonly host: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'tls-verified' | 'tls-pinned' | 'tls-none' }
  | { readonly kind: 'login'; readonly user: string }
  | { readonly kind: 'listing'; readonly folder: string; readonly files: number; readonly folders: number }
  | { readonly kind: 'features'; readonly capabilities: RemoteCapabilities }
  | { readonly kind: 'clock-unknown' }
  | { readonly kind: 'clock-ahead'; readonly aheadMs: number };

/**
 * Tests a connection, step by step: after the first failure the steps left are `skipped`. Writes nothing on the server.
 * A step fails with the error code that a run would meet. Throws only where `signal` aborts or where there is a bug.
 */
export async function* checkSource(
  settings: SourceSettings,
  options: { source: RemoteSource; clock: Clock; signal: AbortSignal },
): AsyncGenerator<CheckStep> {
  const { clock, signal, source } = options;
  let session: RemoteSession | undefined;
  let reached = 0;
  try {
    for await (const step of steps()) {
      reached++;
      yield step;
    }
    for (const step of CHECK_STEPS.slice(reached)) {
      yield { step, durationMs: undefined, state: 'skipped', finding: { kind: 'not-reached' } };
    }
  } finally {
    session?.close();
  }

  async function timed<T>(
    work: () => Promise<T>,
  ): Promise<{ durationMs: number } & ({ value: T } | { error: BackupError })> {
    const startMs = clock.steadyMs();
    const durationMs = (): number => Math.round(clock.steadyMs() - startMs);
    try {
      const value = await work();
      return { value, durationMs: durationMs() };
    } catch (error) {
      if (signal.aborted) throw new BackupError('cancelled', { cause: error });
      if (!(error instanceof BackupError)) throw error;
      return { error, durationMs: durationMs() };
    }
  }

  async function* steps(): AsyncGenerator<CheckStep> {
    const found = await timed(() => lookUp(settings, signal));
    if ('error' in found) {
      yield failed('lookup', found.error, found.durationMs);
      return;
    }
    yield { step: 'lookup', durationMs: found.durationMs, state: 'ok', finding: found.value };

    const reachable = await timed(() => knock(settings, signal));
    if ('error' in reachable) {
      yield failed('tcp', reachable.error, reachable.durationMs);
      return;
    }
    const { host, port, user } = settings;
    yield { step: 'tcp', durationMs: reachable.durationMs, state: 'ok', finding: { kind: 'tcp', host, port } };

    const opened = await timed(() => source.open(signal));
    if ('error' in opened) {
      yield* unopened(opened.error, opened.durationMs);
      return;
    }
    session = opened.value;
    yield tlsStep(settings);
    yield { step: 'login', durationMs: opened.durationMs, state: 'ok', finding: { kind: 'login', user } };
    yield* inside(opened.value);
  }

  /** Opening is one call; its error tells how far it came. */
  function* unopened(error: BackupError, durationMs: number): Generator<CheckStep> {
    if (TLS_CODES.has(error.code)) {
      yield failed('tls', error, durationMs);
      return;
    }
    const isSignedIn = error.code === 'remote-folder-missing';
    // A server that turned away before it saw a password says nothing about TLS.
    const isPastTls = isSignedIn || error.code === 'login-rejected' || settings.protocol === 'ftp';
    const unknown = { step: 'tls', durationMs: undefined, state: 'skipped', finding: { kind: 'not-reached' } } as const;
    yield isPastTls ? tlsStep(settings) : unknown;
    if (isSignedIn) yield { step: 'login', durationMs, state: 'ok', finding: { kind: 'login', user: settings.user } };
    yield isSignedIn ? failed('listing', error, 0) : failed('login', error, durationMs);
  }

  async function* inside(open: RemoteSession): AsyncGenerator<CheckStep> {
    const seen = { files: 0, folders: 0, newestMs: -Infinity };
    const listed = await timed(() =>
      open.list(REMOTE_ROOT, (entries) => {
        for (const entry of entries) {
          if (entry.type === 'file') seen.files++;
          if (entry.type === 'folder') seen.folders++;
          seen.newestMs = Math.max(seen.newestMs, entry.modified?.ms ?? -Infinity);
        }
      }),
    );
    if ('error' in listed) {
      yield failed('listing', listed.error, listed.durationMs);
      return;
    }
    yield { step: 'listing', durationMs: listed.durationMs, ...listingResult(listed.value, settings.folder, seen) };

    const { capabilities } = open;
    const isDoubtful = capabilities.showsHidden === 'no' || capabilities.timePrecision === 'none';
    const features = { kind: 'features', capabilities } as const;
    yield { step: 'features', durationMs: undefined, state: isDoubtful ? 'warning' : 'ok', finding: features };

    const aheadMs = seen.newestMs - clock.nowMs();
    yield {
      step: 'clock',
      durationMs: undefined,
      ...(aheadMs > CLOCK_TOLERANCE_MS
        ? { state: 'warning', finding: { kind: 'clock-ahead', aheadMs } }
        : { state: 'skipped', finding: { kind: 'clock-unknown' } }),
    };
  }
}

/** A file may well be this much newer than our own clock says. */
const CLOCK_TOLERANCE_MS = 120_000;

const TLS_CODES: ReadonlySet<ErrorCode> = new Set(['tls-refused', 'certificate-untrusted', 'certificate-changed']);

function failed(step: CheckStepName, error: BackupError, durationMs: number): CheckStep {
  return { step, durationMs, state: 'failed', code: error.code, facts: error.facts, detail: error.detail };
}

function tlsStep(settings: SourceSettings): CheckStep {
  const base = { step: 'tls', durationMs: undefined } as const;
  if (settings.protocol === 'ftp') return { ...base, state: 'warning', finding: { kind: 'tls-none' } };
  const isPinned = settings.tls.fingerprint !== undefined;
  return { ...base, state: 'ok', finding: { kind: isPinned ? 'tls-pinned' : 'tls-verified' } };
}

function listingResult(listing: FolderListing, folder: string, seen: { files: number; folders: number }): CheckResult {
  const { files, folders } = seen;
  if (listing.incomplete === undefined) return { state: 'ok', finding: { kind: 'listing', folder, files, folders } };
  return {
    state: 'failed',
    code: listing.incomplete.reason,
    facts: { path: folder },
    detail: listing.incomplete.detail,
  };
}

async function lookUp(settings: SourceSettings, signal: AbortSignal): Promise<CheckFinding> {
  const { host } = settings;
  if (isIP(host) !== 0) return { kind: 'lookup-ip', host };
  try {
    const found = await withDeadline(lookup(host, { all: true }), settings, signal);
    return { kind: 'lookup', host, addresses: found.map((item) => item.address) };
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw new BackupError('host-unknown', { cause: error, facts: { host }, detail: codeOf(error) });
  }
}

/** Opens a TCP connection and closes it at once. */
async function knock(settings: SourceSettings, signal: AbortSignal): Promise<void> {
  const { host, port } = settings;
  const socket = connect({ host, port });
  try {
    const opened = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) => {
        const code = CODES[codeOf(error)] ?? 'connection-lost';
        reject(new BackupError(code, { cause: error, facts: { host, port }, detail: codeOf(error) }));
      });
    });
    await withDeadline(opened, settings, signal);
  } finally {
    // An error that comes after the deadline has nobody left to hear it.
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: 'connection-refused',
  EHOSTUNREACH: 'timed-out',
  ENETUNREACH: 'timed-out',
  ETIMEDOUT: 'timed-out',
  ENOTFOUND: 'host-unknown',
  EAI_AGAIN: 'host-unknown',
};

async function withDeadline<T>(work: Promise<T>, settings: SourceSettings, signal: AbortSignal): Promise<T> {
  const { host, port } = settings;
  const seconds = settings.timeouts.connectSeconds;
  let stop: (() => void) | undefined;
  const cut = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => {
      reject(new BackupError('timed-out', { facts: { host, port, seconds }, detail: `${seconds} s` }));
    }, seconds * 1000);
    const onAbort = (): void => {
      reject(new BackupError('cancelled'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    return await Promise.race([work, cut]);
  } finally {
    stop?.();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
