import type { WebAccess } from './web-access.ts';

/** What an administrator sets for the whole product. */
export interface AppSettings {
  /** `browser`: what the browser asks for, English where it asks for neither. */
  readonly language: 'browser' | 'en' | 'fr';
  readonly theme: 'auto' | 'light' | 'dark';
  /** IANA name; `system`: the zone of the NAS. */
  readonly timeZone: string;
  readonly hasShortcuts: boolean;
  /** Runs at the same time; further ones wait. */
  readonly runsMax: number;
  /** Above this many connections to one host and account, in all tasks together, none is opened. */
  readonly hostConnectionsMax: number;
  /** A session without a request ends after this. */
  readonly idleMinutes: number;
  /** Lines of the log and events of runs are kept this long. */
  readonly logDays: number;
  /** Folders that the folder picker offers as tops; empty: the shared folders that are found. */
  readonly folderRoots: readonly string[];
  /** No schedule starts anything before this moment; 0: not paused. */
  readonly schedulesPausedUntilMs: number;
  /** When somebody last ended such a pause; what fell due before is not made up for. */
  readonly schedulesResumedMs: number;
  /** How the pages are reached, as far as it was set: see effectiveWebAccess. */
  readonly web: Partial<WebAccess>;
}

export const DEFAULT_APP_SETTINGS: AppSettings = {
  language: 'browser',
  theme: 'auto',
  timeZone: 'system',
  hasShortcuts: true,
  runsMax: 2,
  hostConnectionsMax: 8,
  idleMinutes: 60,
  logDays: 90,
  folderRoots: [],
  schedulesPausedUntilMs: 0,
  schedulesResumedMs: 0,
  web: {},
};
