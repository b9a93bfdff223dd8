import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { AccountStore } from '../state/account-store.ts';
import type { ActivityStore } from '../state/activity-store.ts';
import type { DraftStore } from '../state/draft-store.ts';
import type { RunStore } from '../state/run-store.ts';
import type { SettingsStore } from '../state/settings-store.ts';
import type { TaskStore } from '../state/task-store.ts';
import type { SourceSettings } from '../settings/task-settings.ts';
import type { RemoteFolder } from '../tasks/browse-source.ts';
import type { CheckStep } from '../tasks/check-source.ts';
import type { Estimates } from '../tasks/estimates.ts';
import type { Jobs } from '../tasks/jobs.ts';
import type { Scheduler } from '../tasks/scheduler.ts';
import type { TaskRunner } from '../tasks/task-runner.ts';
import type { WebAccessControl } from './web-access-control.ts';

/** What the pages work with. Built once by service.ts; tests build their own. */
export interface Services {
  readonly tasks: TaskStore;
  readonly drafts: DraftStore;
  readonly runs: RunStore;
  readonly settings: SettingsStore;
  readonly activity: ActivityStore;
  readonly accounts: AccountStore;
  readonly runner: TaskRunner;
  readonly scheduler: Scheduler;
  /** Long work beside runs; to be shut down with the service. */
  readonly jobs: Jobs;
  /** Looks at sites that are about to become tasks. */
  readonly estimates: Estimates;
  /** The connection test, step by step. */
  readonly checkConnection: (source: SourceSettings, signal: AbortSignal) => AsyncIterable<CheckStep>;
  /** The subfolders of one folder on a server. Throws the BackupError that a run would meet. */
  readonly browseSource: (source: SourceSettings, folder: string, signal: AbortSignal) => Promise<RemoteFolder>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  /** Where databases and log lie. */
  readonly stateDir: string;
  /** The log file that the log page reads. */
  readonly logFile: string;
  /** How people sign in. With `dsm` the address of the pages is DSM's and cannot be changed here. */
  readonly access: 'password' | 'dsm';
  /** Of the shared folder that is proposed to a new task, if it is there; undefined or empty where none was chosen. */
  readonly shareName?: string | undefined;
  /** How the pages are reached, and the trial of a change. */
  readonly webAccess: WebAccessControl;
}
