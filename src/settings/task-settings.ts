import type { TimeOfDay } from './schedule.ts';
import type { Secret } from './secret.ts';

/** How the server is spoken to. `ftps` is TLS by AUTH TLS on the FTP port, `ftps-implicit` TLS from the first byte. */
export type SourceProtocol = 'ftp' | 'ftps' | 'ftps-implicit';

/** Where the site is and how to get in. */
export interface SourceSettings {
  readonly protocol: SourceProtocol;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  /** Absolute folder on the server, `/` for where the login leads to the top of what it may see. */
  readonly folder: string;
  readonly tls: {
    /** SHA-256 of the server's certificate as 64 lower-case hex digits: trust exactly this one, whoever signed it. */
    readonly fingerprint: string | undefined;
  };
  readonly timeouts: {
    /** For name lookup, TCP, TLS and each answer of the log-in. */
    readonly connectSeconds: number;
    /** Without a single byte during an answer or a transfer. */
    readonly idleSeconds: number;
  };
}

/** What is left out. A file is copied when no rule leaves it out. Patterns as in a .gitignore, paths from the source folder. */
export interface FilterSettings {
  /** When not empty, only files that match one of these. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Names of ready-made exclusion sets. */
  readonly sets: readonly string[];
  readonly minSizeBytes: number | undefined;
  readonly maxSizeBytes: number | undefined;
  /** Only files modified within these last days. */
  readonly newerThanDays: number | undefined;
  /** Only files modified longer ago than this. */
  readonly olderThanDays: number | undefined;
}

/** How fast files may come, in bytes per second over all connections of a run. Without a limit: as fast as it goes. */
export interface SpeedSettings {
  readonly bytesPerSecond: number | undefined;
  /** Other limits by time of day on the NAS; the first one whose hours hold counts instead of `bytesPerSecond`. */
  readonly byHour: readonly SpeedHours[];
}

/** From `from` up to, and without, `to`; `to` before `from` passes midnight. The same time twice is the whole day. */
export interface SpeedHours {
  readonly from: TimeOfDay;
  readonly to: TimeOfDay;
  readonly bytesPerSecond: number;
}

/** What becomes of a file here when it has gone from the server. Only `keep` so far. */
export type DeletionRule = 'keep';

/** One task: a server that is copied into a folder. */
export interface TaskSettings {
  readonly name: string;
  readonly source: SourceSettings;
  readonly target: {
    /** Absolute folder on this machine; `current/` and the task's own folder are made in it. */
    readonly folder: string;
  };
  readonly filters: FilterSettings;
  /** Connections at a time: found out by trying, or as many as this (1 to CONNECTIONS_MAX). */
  readonly connections: 'auto' | number;
  readonly speed: SpeedSettings;
  readonly retries: {
    /** How often one file or folder is tried in all. */
    readonly attempts: number;
    /** Pause before the second try; doubles at each further one. */
    readonly firstDelaySeconds: number;
  };
  readonly verification: {
    /** Ask the server for size and time again after each download, where it can tell. */
    readonly restat: boolean;
  };
  readonly deletion: { readonly rule: DeletionRule };
}

/** More would be taken for an attack by most hosts. */
export const CONNECTIONS_MAX = 20;

/** Slower, one connection would look like a dead one to most servers. */
export const BYTES_PER_SECOND_MIN = 1024;
export const SPEED_HOURS_MAX = 24;
