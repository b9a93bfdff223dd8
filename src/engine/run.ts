import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { BackupError, isBackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { NameLimits } from '../local/local-name.ts';
import { Target } from '../local/target.ts';
import type { Logger } from '../log.ts';
import type { RemoteCapabilities, RemoteSource } from '../remote/remote.ts';
import { compileFilter } from '../settings/filter-rules.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { resolveTimeZone } from '../settings/wall-clock.ts';
import { asStateError } from '../state/database.ts';
import { FileIndex } from '../state/file-index.ts';
import { GuardTables } from '../state/guard-tables.ts';
import { HiddenTables } from '../state/hidden-tables.ts';
import { HoldStore } from '../state/hold-store.ts';
import type { HostLimits } from '../state/host-limits.ts';
import { NameRegister } from '../state/name-register.ts';
import { ProofTables } from '../state/proof-tables.ts';
import type { RestorePoint } from '../state/restore-points.ts';
import { RenameTables } from '../state/rename-tables.ts';
import { RunLog } from '../state/run-log.ts';
import { RunResults } from '../state/run-results.ts';
import { RunTables } from '../state/run-tables.ts';
import { SubtreeIndex } from '../state/subtree-index.ts';
import { ShiftTables } from '../state/shift-tables.ts';
import type { TaskDatabase } from '../state/task-database.ts';
import { VersionIndex } from '../state/version-index.ts';
import { beginWork, resumableRun, serverIdentity } from './begin-work.ts';
import { settleShift } from './clock-shift.ts';
import { assertNotHeld, guardPlan } from './hold.ts';
import { bringIntoStep } from './out-of-step.ts';
import { plan } from './plan.ts';
import { prune } from './prune.ts';
import { ProgressMeter } from './progress.ts';
import type { ProgressSnapshot } from './progress.ts';
import { leaveManifest, proveContent } from './prove.ts';
import { markVanished } from './mark-vanished.ts';
import { finishReport } from './report.ts';
import type { RetireTools } from './retire.ts';
import { isComplete, retireVanished } from './retire-vanished.ts';
import type { RunContext } from './run-context.ts';
import type { RunReport } from './run-report.ts';
import { scan } from './scan.ts';
import { setDamagedAside } from './set-aside.ts';
import { SessionPool } from './session-pool.ts';
import type { ConnectionPermits } from './session-pool.ts';
import { SpeedLimit, speedLimitAt } from './speed-limit.ts';
import { transferSteps } from './transfer-steps.ts';
import { VersionKeeper, recoverVersions } from './version-keeper.ts';

const EVENT_DAYS = 90;
const DAY_MS = 86_400_000;

/** What a dry run supposes of a target that it does not open. */
const SUPPOSED_LIMITS: NameLimits = { nameBytesMax: 255, isCaseSensitive: true };

export interface RunOptions {
  readonly settings: TaskSettings;
  readonly source: RemoteSource;
  /** The task's database; a throw-away copy of it for a dry run. */
  readonly database: TaskDatabase;
  readonly hostLimits: HostLimits | undefined;
  /** Say what would be done and do nothing. */
  readonly isDryRun: boolean;
  /** Bring every file again, whatever is known of it. */
  readonly isForced: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the run as soon as nothing is left half done; the next one goes on. */
  readonly signal: AbortSignal;
  readonly onProgress: ((snapshot: ProgressSnapshot) => void) | undefined;
  /** Hears the run's number in the task's database. */
  readonly onStarted?: ((runId: number) => void) | undefined;
  /** Events of earlier runs are kept this long; EVENT_DAYS by default. */
  readonly eventDays?: number | undefined;
  /** IANA name, for limits that depend on the hour; by default that of this machine. */
  readonly timeZone?: string | undefined;
  /** Shares the host's connections with other runs. */
  readonly permits?: ConnectionPermits | undefined;
}

/**
 * One run of one task, from the first connection to the report. Never rejects for anything that can happen to a
 * server, a network or a disk: that is an outcome. What is not expected is logged with its stack, and the run fails.
 */
export async function executeRun(options: RunOptions): Promise<RunReport> {
  const { database, clock, log, isDryRun } = options;
  const runLog = new RunLog(database.db);
  const tables = new RunTables(database.db);
  const progress = new ProgressMeter(clock, options.onProgress);

  const resumes = resumableRun(database.db, tables, options, clock.nowMs());
  runLog.markInterrupted(clock.nowMs());
  runLog.forgetEventsBefore(clock.nowMs() - (options.eventDays ?? EVENT_DAYS) * DAY_MS);
  const runId = runLog.start(clock.nowMs(), resumes);
  options.onStarted?.(runId);
  log.info('run-started', { run: runId, task: options.settings.name, source: options.source.label, isDryRun });

  const started: Started = { runId, runLog, tables, progress, resumes, capabilities: undefined };
  const cause = await work(options, started);
  const held = cause?.code === 'guard-held' ? new HoldStore(database.db).open() : undefined;
  const { capabilities } = started;
  const proof = isDryRun || capabilities === undefined ? undefined : { capabilities, db: database.db };
  return finishReport({
    cause,
    held,
    isDryRun,
    runId,
    runLog,
    tables,
    results: new RunResults(database.db),
    progress,
    clock,
    log,
    proof,
  });
}

interface Started {
  readonly runId: number;
  readonly runLog: RunLog;
  readonly tables: RunTables;
  readonly progress: ProgressMeter;
  /** The run whose work is gone on with. */
  readonly resumes: number | undefined;
  /** Of the server, once it has let us in. */
  capabilities: RemoteCapabilities | undefined;
}

/** Everything between start and report; gives the error that ended it early. */
async function work(options: RunOptions, started: Started): Promise<BackupError | undefined> {
  const { settings, database, clock, log, signal, source, hostLimits } = options;
  const { runId, runLog, tables, progress } = started;
  const notice: RunContext['notice'] = (code, path, detail) => {
    const shownPath = path === undefined ? undefined : decodeRemoteName(path);
    runLog.add(runId, { atMs: clock.nowMs(), level: 'notice', code, path: shownPath, detail });
    log.info(code, { path: shownPath, detail });
  };
  const pool = new SessionPool({
    source,
    connections: settings.connections,
    knownLimit: hostLimits?.read(source.hostKey, clock.nowMs()),
    onRefused: (connections) => {
      hostLimits?.remember(source.hostKey, connections, clock.nowMs());
      notice('connections-reduced', undefined, String(connections));
    },
    onConnections: (open) => {
      progress.connections = open;
      progress.touch();
    },
    onRetry: () => {
      progress.retries++;
      progress.touch();
    },
    permits: options.permits,
    retries: settings.retries,
    clock,
    signal,
    log,
  });
  const context: RunContext = {
    settings,
    runId,
    isForced: options.isForced,
    filter: compileFilter(settings.filters),
    fingerprintSalt: createHash('sha256').update(JSON.stringify(settings.filters)).digest('hex'),
    tables,
    results: new RunResults(database.db),
    index: new FileIndex(database.db),
    subtrees: new SubtreeIndex(database.db),
    versions: new VersionIndex(database.db),
    names: new NameRegister(database.db),
    guards: new GuardTables(database.db),
    holds: new HoldStore(database.db),
    hidden: new HiddenTables(database.db),
    pool,
    progress,
    speedLimit: new SpeedLimit(clock, (nowMs) =>
      speedLimitAt(settings.speed, nowMs, options.timeZone ?? resolveTimeZone('system')),
    ),
    clock,
    log,
    signal,
    notice,
  };
  try {
    await runSteps(options, started, context);
    return undefined;
  } catch (error) {
    return explain(error, options);
  } finally {
    pool.close();
  }
}

/** The run itself, one step after the other; each reads only what the one before has written. */
async function runSteps(options: RunOptions, started: Started, context: RunContext): Promise<void> {
  const { isDryRun, settings, database, clock, signal } = options;
  const { tables, runId } = started;
  const { pool, progress, index } = context;

  progress.enter('connecting');
  const session = await pool.acquire();
  const { capabilities, identity } = session;
  started.capabilities = capabilities;
  if (!capabilities.isEncrypted) context.notice('connection-not-encrypted', undefined, undefined);
  if (capabilities.showsHidden === 'no') context.notice('hidden-names-unseen', undefined, undefined);
  // Not before the server has let us in: a mistyped password leaves no trace on disk.
  const target = isDryRun
    ? undefined
    : await Target.open({ folder: settings.target.folder, marker: database.marker, isKnown: !index.isUnused() });
  if (target !== undefined) await takeUp(context, target, started, database);
  pool.release(session);
  await beginWork(context, started.resumes, identity);

  progress.enter('scanning');
  const stage = tables.work()?.stage;
  if (stage === 'scanning') {
    await scan(context);
    enterStage(tables, 'planning');
  }

  progress.enter('planning');
  if (stage !== 'transferring') {
    const rules = { isForced: options.isForced, hasStat: capabilities.hasStat };
    await plan(context, { limits: target?.limits ?? SUPPOSED_LIMITS, rules });
    await settleShift(context, new ShiftTables(database.db));
    tables.transaction(() => {
      guardPlan(context, serverIdentity(identity, tables));
      enterStage(tables, 'transferring');
    });
  }
  const { files, bytes } = tables.downloadTotals();
  progress.filesPlanned = files;
  progress.bytesPlanned = bytes;
  if (target === undefined) {
    assertNotHeld(context);
    return;
  }

  await assertRoom(target, bytes);
  progress.enter('transferring');
  const folder = versionName(tables.work()?.startedMs ?? clock.nowMs());
  const tools = { context, target, keeper: new VersionKeeper(context, target, folder) };
  await transferSteps(tools, new RenameTables(database.db), folder);
  if (signal.aborted) throw new BackupError('cancelled');

  progress.enter('verifying');
  markVanished(context);
  tables.settleFolders(runId);
  tables.assertNoneLeft();
  assertNotHeld(context);
  await proveContent(tools, new ProofTables(database.db));
  progress.enter('finishing');
  await durably(tables, () => retireVanished(tools));
  if (isComplete(context)) await durably(tables, () => finishComplete(options, tools));
}

/** What only a run may do that has seen everything, and has found nothing wrong. */
async function finishComplete(options: RunOptions, tools: RetireTools): Promise<void> {
  const { database, settings, source, clock, signal } = options;
  const { context, target } = tools;
  const { runId, tables } = context;
  await pruneVersions(options, tools);
  const nowMs = clock.nowMs();
  await leaveManifest(context, {
    database,
    target,
    taskName: settings.name,
    sourceLabel: source.label,
    runId,
    startedMs: tables.work()?.startedMs ?? nowMs,
    nowMs,
    signal,
  });
}

async function durably(tables: RunTables, body: () => Promise<void>): Promise<void> {
  tables.setDurable(true);
  try {
    await body();
  } finally {
    tables.setDurable(false);
  }
}

async function pruneVersions({ database, settings, timeZone }: RunOptions, tools: RetireTools): Promise<void> {
  const { context, target } = tools;
  const { clock, log, notice } = context;
  try {
    const onPoint = ({ runId, startedMs }: RestorePoint): void => {
      notice('version-pruned', undefined, `${runId}, ${new Date(startedMs).toISOString()}`);
    };
    const rules = { versions: settings.versions, deletion: settings.deletion };
    await prune({ database: database.db, target, rules, nowMs: clock.nowMs(), timeZone, log, onPoint });
  } catch (error) {
    // The backup itself is whole; what is left to delete is deleted by the next run.
    if (!isBackupError(error) || error.scope !== 'file') throw error;
    log.warn('prune-failed', { code: error.code, detail: error.detail });
    notice('prune-failed', undefined, error.message);
  }
}

/** Brings the index to what is there: after a folder was lost, or a process was killed while it moved files. */
async function takeUp(context: RunContext, target: Target, started: Started, database: TaskDatabase): Promise<void> {
  const { tables, index, versions, runId, clock } = context;
  const proof = new ProofTables(database.db);
  const nowMs = clock.nowMs();
  if (target.areVersionsNew) versions.loseVersions();
  if (target.isCurrentNew) {
    tables.transaction(() => {
      versions.loseCurrent(runId, nowMs);
      index.forgetAll(runId);
      tables.clear();
    });
  }
  await durably(tables, async () => {
    await recoverVersions(context, target);
    await bringIntoStep(context, target, database, proof);
    // Only a run that looks anew finds that such a file is not here: one that goes on has its plan already.
    if (started.resumes !== undefined && tables.work() !== undefined) return;
    await setDamagedAside({ context, target, keeper: new VersionKeeper(context, target, versionName(nowMs)) }, proof);
  });
}

function enterStage(tables: RunTables, stage: 'planning' | 'transferring'): void {
  const work = tables.work();
  if (work !== undefined) tables.setWork({ ...work, stage });
}

async function assertRoom(target: Target, neededBytes: number): Promise<void> {
  const freeBytes = await target.freeBytes();
  if (neededBytes > freeBytes) {
    throw new BackupError('disk-full', { facts: { neededBytes, freeBytes } });
  }
}

/** `2026-11-21T02-00-00`, in UTC: sortable, and a name on every file system. */
function versionName(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll(':', '-');
}

/** The expected error behind `error`; anything else is a bug, which is logged and fails the run. */
function explain(error: unknown, { log, signal, database }: RunOptions): BackupError {
  if (signal.aborted) return new BackupError('cancelled', { cause: error });
  const stateError = asStateError(error, database.db.name);
  if (isBackupError(stateError)) return stateError;
  log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
  return new BackupError('internal', { cause: error, detail: error instanceof Error ? error.message : String(error) });
}
