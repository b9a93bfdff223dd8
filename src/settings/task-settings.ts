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

/**
 * What becomes of a file here when it has gone from the server. `keep`: it stays in `current/`. `archive`: it moves to
 * the versions. `delete`: it moves there, too, and is deleted `days` later.
 */
export type DeletionRule = 'keep' | 'archive' | 'delete';

/**
 * Which older versions stay. `all` of them; the `last` so many; those `within` the last days; `steps`: so many of each
 * kind of period; `smart`: each hour's of the last day, each day's of the last month, each week's before, `count` in all
 * (Synology's Smart Recycle).
 */
export type KeepRule = 'all' | 'last' | 'within' | 'steps' | 'smart';

/** How long older versions are kept. Fields that `keep` does not speak of have no effect. */
export interface VersionSettings {
  readonly keep: KeepRule;
  /** For `last` and `smart`: versions in all. */
  readonly count: number;
  /** For `within`. */
  readonly days: number;
  /** For `steps`: the newest version of each of so many periods; 0 for none. */
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  /** All of `versions/` together; beyond it the oldest go that are not pinned. */
  readonly quotaBytes: number | undefined;
}

/**
 * Limits beyond which a run changes nothing that is there and asks. Shares are percent of the files (of the bytes, for
 * `shrunkPercent`) that the backup holds; undefined: this guard is off.
 */
export interface GuardSettings {
  readonly vanishedPercent: number | undefined;
  readonly vanishedFiles: number | undefined;
  readonly changedPercent: number | undefined;
  readonly shrunkPercent: number | undefined;
  /** Files that had content and are empty now. */
  readonly emptiedFiles: number | undefined;
  /** The share of new and changed files that carry one and the same ending that is new here. */
  readonly suffixPercent: number | undefined;
  /** Hold where the source folder, or a folder right below it, has lost all its files. */
  readonly emptiedFolders: boolean;
  /** Hold where the server is another one than at the last run. */
  readonly serverChanged: boolean;
}

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
    /** Content that each run reads again from the server to compare it; 0: none. */
    readonly sampleBytes: number;
    /** And how long it may take at most. */
    readonly sampleSeconds: number;
    /** Every file here is read again within so many days; 0: never. */
    readonly rehashDays: number;
  };
  readonly deletion: {
    readonly rule: DeletionRule;
    /** For `delete`. */
    readonly days: number;
  };
  readonly versions: VersionSettings;
  readonly guards: GuardSettings;
}

/** More would be taken for an attack by most hosts. */
export const CONNECTIONS_MAX = 20;

/** Slower, one connection would look like a dead one to most servers. */
export const BYTES_PER_SECOND_MIN = 1024;
export const SPEED_HOURS_MAX = 24;
