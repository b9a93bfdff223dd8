import type { Clock } from '../clock.ts';
import type { NoticeCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Filter } from '../settings/filter-rules.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import type { FileIndex } from '../state/file-index.ts';
import type { GuardTables } from '../state/guard-tables.ts';
import type { HiddenTables } from '../state/hidden-tables.ts';
import type { HoldStore } from '../state/hold-store.ts';
import type { NameRegister } from '../state/name-register.ts';
import type { RunResults } from '../state/run-results.ts';
import type { RunTables } from '../state/run-tables.ts';
import type { SubtreeIndex } from '../state/subtree-index.ts';
import type { VersionIndex } from '../state/version-index.ts';
import type { ProgressMeter } from './progress.ts';
import type { SessionPool } from './session-pool.ts';
import type { SpeedLimit } from './speed-limit.ts';

/** What the steps of one run share. Nothing in it is specific to one step. */
export interface RunContext {
  readonly settings: TaskSettings;
  readonly runId: number;
  readonly isForced: boolean;
  readonly filter: Filter;
  /** Everything beside a listing that decides what the listing means; part of each fingerprint. */
  readonly fingerprintSalt: string;
  readonly tables: RunTables;
  readonly results: RunResults;
  readonly index: FileIndex;
  readonly subtrees: SubtreeIndex;
  readonly versions: VersionIndex;
  readonly names: NameRegister;
  readonly guards: GuardTables;
  readonly holds: HoldStore;
  readonly hidden: HiddenTables;
  readonly pool: SessionPool;
  readonly progress: ProgressMeter;
  readonly speedLimit: SpeedLimit;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Something worth knowing that is no failure: into the run's log. `path` as the server's bytes. */
  readonly notice: (code: NoticeCode, path: string | undefined, detail: string | undefined) => void;
}
