/** Whole runs of one task against a scripted server, and what must be true after every one of them. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/clock.ts';
import type { ProgressSnapshot } from '../../src/engine/progress.ts';
import type { RunReport } from '../../src/engine/run-report.ts';
import type { ErrorCode, NoticeCode } from '../../src/errors.ts';
import { decodeRemoteName } from '../../src/local/local-name.ts';
import { createLog } from '../../src/log.ts';
import { openSource } from '../../src/remote/open-source.ts';
import type { SourceSettings, TaskSettings } from '../../src/settings/task-settings.ts';
import { taskSettingsJson } from '../../src/settings/task-settings-json.ts';
import { integrityFaults } from '../../src/state/database.ts';
import { taskDatabasePath } from '../../src/state/task-database.ts';
import { runTask } from '../../src/tasks/run-task.ts';
import { sourceSettings } from './ftp-session-fixture.ts';
import type { FixtureOptions } from './ftp-session-fixture.ts';
import type { ScriptedServerOptions } from './scripted-ftp-options.ts';
import { startScriptedServer } from './scripted-ftp-server.ts';
import type { ScriptedServer } from './scripted-ftp-server.ts';
import type { ScriptedTree } from './scripted-ftp-tree.ts';
import { bytesOf, compareTrees, placeOf, snapshotFolder } from './tree-compare.ts';
import type { FileState } from './tree-compare.ts';

const TASK_NAME = 'under test';
const SLEEP_MS_MAX = 15;
/** What may lie at the top of a task's folder; `lost+found` where it is a whole volume. */
const OF_A_TASK = ['current', 'versions', '.site-backup', 'manifest.jsonl', 'SHA256SUMS', 'lost+found'];
/** In memory where that is to be had: the many waits for a disk would take longer than all the rest. */
const FAST_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Real time, but nobody sleeps for long. */
const impatientClock: Clock = {
  ...systemClock,
  sleep: (durationMs, signal) => systemClock.sleep(Math.min(durationMs, SLEEP_MS_MAX), signal),
};

/** Guards are off but for the tests that are about them: small trees change a great deal. */
export const NO_GUARDS: TaskSettings['guards'] = {
  vanishedPercent: undefined,
  vanishedFiles: undefined,
  changedPercent: undefined,
  shrunkPercent: undefined,
  emptiedFiles: undefined,
  suffixPercent: undefined,
  emptiedFolders: false,
  serverChanged: false,
};

export interface RunOverrides {
  readonly connections?: TaskSettings['connections'];
  readonly source?: Partial<FixtureOptions>;
  readonly attempts?: number;
  readonly restat?: boolean;
  readonly verification?: Partial<TaskSettings['verification']>;
  readonly deletion?: Partial<TaskSettings['deletion']>;
  readonly versions?: Partial<TaskSettings['versions']>;
  readonly guards?: Partial<TaskSettings['guards']>;
  readonly exclude?: readonly string[];
  readonly isForced?: boolean;
  readonly isDryRun?: boolean;
  readonly taskName?: string;
  /** The clock of the NAS is wrong by so much. */
  readonly clockOffsetMs?: number;
  /** The target is out of sight: what the index claims of it cannot be looked at. */
  readonly isTargetAway?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (snapshot: ProgressSnapshot) => void;
}

/** A file of the index as the tests compare it. `path` is the server's, bytes as latin1 text. */
export interface IndexedFile {
  readonly path: string;
  readonly localPath: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly isMissing: boolean;
}

interface FixtureRoom {
  /** Where target and state lie; default: a new temporary folder. */
  readonly room?: string;
  readonly targetFolder?: string;
}

/** One task with a scripted server, a target and a state of its own. */
export class BackupFixture {
  readonly server: ScriptedServer;
  readonly room: string;
  readonly targetFolder: string;
  readonly stateDir: string;
  /** SHA-256 of contents that a test has damaged on the NAS: the index may claim them until they are read again. */
  readonly damaged = new Set<string>();
  /** Every line that the last run has logged. */
  logText = '';

  private constructor(server: ScriptedServer, { room, targetFolder }: FixtureRoom) {
    this.server = server;
    this.room = room ?? mkdtempSync(join(FAST_FOLDER, 'site-backup-run-'));
    this.targetFolder = targetFolder ?? join(this.room, 'target');
    this.stateDir = join(this.room, 'state');
    mkdirSync(this.room, { recursive: true });
  }

  static async start(options: Partial<ScriptedServerOptions> = {}, place: FixtureRoom = {}): Promise<BackupFixture> {
    return new BackupFixture(await startScriptedServer(options), place);
  }

  get tree(): ScriptedTree {
    return this.server.tree;
  }

  get current(): string {
    return join(this.targetFolder, 'current');
  }

  /** Stops the server and removes every trace. */
  async end(): Promise<void> {
    await this.server.stop();
    rmSync(this.room, { recursive: true, force: true });
  }

  /** One run. What must be true after any run at all is asserted before it resolves. */
  async run(overrides: RunOverrides = {}): Promise<RunReport> {
    const settings = this.#settings(overrides);
    const lines: string[] = [];
    const to = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(chunk.toString());
        done();
      },
    });
    const log = createLog({ to, level: 'debug' });
    const clock = { ...impatientClock, nowMs: () => Date.now() + (overrides.clockOffsetMs ?? 0) };
    try {
      const report = await runTask({
        settings,
        source: openSource(settings.source, { clock }),
        stateDir: this.stateDir,
        stateKey: settings.name,
        isDryRun: overrides.isDryRun ?? false,
        isForced: overrides.isForced ?? false,
        clock,
        log,
        signal: overrides.signal ?? new AbortController().signal,
        onProgress: overrides.onProgress,
      });
      assert.notEqual(report.cause?.code, 'internal', lines.join(''));
      this.#assertReportIsConsistent(report);
      return report;
    } finally {
      log.close();
      this.logText = lines.join('');
      if (overrides.isTargetAway !== true) this.assertInvariants();
    }
  }

  /** A run that must end complete, with `current/` equal to the server's tree; then one that transfers nothing. */
  async runUntilEqual(overrides: RunOverrides = {}, comparison: Comparison = {}): Promise<RunReport> {
    const report = await this.run(overrides);
    assert.deepEqual(describeFailures(report), []);
    assert.equal(report.outcome, 'complete');
    this.assertCurrentEquals(comparison);
    this.server.clearLog();
    const quiet = await this.run(overrides);
    assert.equal(quiet.outcome, 'complete');
    assert.equal(this.server.count('RETR'), 0, 'a second run transfers nothing');
    assert.equal(quiet.counts.listed, quiet.counts.unchanged);
    return report;
  }

  /** Every file of the server lies under `current/`, byte for byte and second for second, and nothing else does. */
  assertCurrentEquals(comparison: Comparison = {}): void {
    const { leftovers = [], places = {}, timePrecisionMs = 1000 } = comparison;
    const here = snapshotFolder(this.current);
    for (const path of leftovers) {
      assert.ok(here.delete(bytesOf(path)), `kept although it has gone from the server: ${path}`);
    }
    const pathHere = (path: string): string => bytesOf((places[path] ?? decodeRemoteName(path)).slice(1));
    assert.deepEqual(compareTrees(serverState(this.tree), here, { timePrecisionMs, pathHere }), []);
  }

  /** What lies under `current/` now, to be given to `assertNothingLost` later. */
  snapshot(): Map<string, FileState> {
    return snapshotFolder(this.current);
  }

  /** Every file of `before` is still there with the same bytes, and nothing was moved away or marked. */
  assertNothingLost(before: ReadonlyMap<string, FileState>): void {
    const now = this.snapshot();
    for (const [path, state] of before) {
      assert.equal(now.get(path)?.sha256, state.sha256, `lost or overwritten: ${path}`);
    }
    assert.deepEqual(this.missing(), [], 'marked missing');
    const left = this.#withDatabase((db) =>
      db.prepare(`SELECT path FROM version WHERE reason <> 'replaced' AND state <> 'moving'`).pluck().all(),
    );
    assert.deepEqual(left, [], 'moved to versions/');
  }

  /** Remote paths of files and folders that the index has marked missing. */
  missing(): string[] {
    return this.#withDatabase((db) => {
      const folders = db
        .prepare('SELECT path FROM folder WHERE missing_since_run IS NOT NULL ORDER BY path')
        .pluck()
        .all() as string[];
      return [...folders, ...indexedFiles(db).flatMap((file) => (file.isMissing ? [file.path] : []))];
    });
  }

  /** Places below `versions/` of what is kept there. */
  versions(state = 'kept'): string[] {
    return this.#withDatabase(
      (db) =>
        db
          .prepare(`SELECT folder || '/' || local_path FROM version WHERE folder IS NOT NULL AND state = ? ORDER BY id`)
          .pluck()
          .all(state) as string[],
    );
  }

  indexed(): IndexedFile[] {
    return this.#withDatabase(indexedFiles);
  }

  /** What the index itself takes for damaged or missing. */
  doubted(): IndexedFile[] {
    return this.#withDatabase((db) => indexedFiles(db, `doubt = 'copy'`));
  }

  /** Notices of the last run, as `code path`. */
  notices(): string[] {
    return this.#withDatabase((db) => {
      const rows = db
        .prepare(
          `SELECT code, path FROM run_event WHERE level = 'notice' AND run_id = (SELECT max(id) FROM run) ORDER BY id`,
        )
        .all() as { code: NoticeCode; path: string | null }[];
      return rows.map(({ code, path }) => (path === null ? code : `${code} ${path}`));
    });
  }

  /** Whether this task has any work left that the next run would go on with. */
  hasWorkLeft(): boolean {
    return this.#withDatabase((db) => db.prepare(`SELECT 1 FROM meta WHERE key = 'work'`).get() !== undefined);
  }

  /** How often each file was asked for since the last clearLog. */
  retrievals(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { command, argument } of this.server.log) {
      if (command === 'RETR') counts.set(argument, (counts.get(argument) ?? 0) + 1);
    }
    return counts;
  }

  /**
   * True after every run, whatever happened in it: the index claims only what lies on disk with that size and content,
   * the database is sound, nothing came to lie outside, and no line of the log holds the password.
   */
  assertInvariants(): void {
    assertIndexTrue(this.databasePath, this.targetFolder, this.damaged);
    if (this.targetFolder === join(this.room, 'target')) {
      for (const name of readdirSync(this.room)) assert.ok(['target', 'state'].includes(name), `outside: ${name}`);
    }
    if (existsSync(this.targetFolder)) {
      for (const name of readdirSync(this.targetFolder)) {
        assert.ok(OF_A_TASK.includes(name), `beside current/: ${name}`);
      }
    }
    const { password } = this.#settings({}).source;
    assert.ok(!this.logText.includes(password.reveal()), 'the password is in the log');
  }

  get databasePath(): string {
    return taskDatabasePath(this.stateDir, TASK_NAME);
  }

  /** Settings as a task file holds them, for the command line: all that a run with `overrides` has, where they are given. */
  taskFileContent(overrides?: RunOverrides): string {
    if (overrides !== undefined) {
      const settings = this.#settings(overrides);
      const json = taskSettingsJson(settings);
      return JSON.stringify({ ...json, source: { ...json.source, password: settings.source.password.reveal() } });
    }
    const { source, retries } = this.#settings({});
    const { host, port, user, password, folder, protocol } = source;
    return JSON.stringify({
      name: TASK_NAME,
      source: { protocol, host, port, user, password: password.reveal(), folder },
      target: { folder: this.targetFolder },
      retries,
      // Transfers are counted: none but those that the backup itself needs.
      verification: { sampleBytes: 0, rehashDays: 0 },
    });
  }

  #assertReportIsConsistent(report: RunReport): void {
    const { outcome, failureCount, failures, cause, folders } = report;
    assert.equal(failures.length, Math.min(failureCount, 1000));
    if (outcome === 'complete') {
      assert.equal(failureCount, 0);
      assert.equal(folders.incomplete, 0, 'complete with a folder that was not seen whole');
      assert.equal(cause, undefined);
    }
    if (outcome === 'incomplete') assert.ok(failureCount > 0);
    if (outcome === 'failed' || outcome === 'cancelled') assert.notEqual(cause, undefined);
  }

  #settings(overrides: RunOverrides): TaskSettings {
    return {
      name: overrides.taskName ?? TASK_NAME,
      source: this.#source(overrides.source ?? {}),
      target: { folder: this.targetFolder },
      filters: {
        include: [],
        exclude: overrides.exclude ?? [],
        sets: [],
        minSizeBytes: undefined,
        maxSizeBytes: undefined,
        newerThanDays: undefined,
        olderThanDays: undefined,
      },
      connections: overrides.connections ?? 'auto',
      speed: { bytesPerSecond: undefined, byHour: [] },
      retries: { attempts: overrides.attempts ?? 4, firstDelaySeconds: 0.005 },
      verification: {
        restat: overrides.restat ?? true,
        sampleBytes: 0,
        sampleSeconds: 60,
        rehashDays: 0,
        ...overrides.verification,
      },
      deletion: { rule: 'keep', days: 90, ...overrides.deletion },
      versions: {
        keep: 'all',
        count: 256,
        days: 90,
        hourly: 24,
        daily: 30,
        weekly: 12,
        monthly: 12,
        yearly: 5,
        quotaBytes: undefined,
        ...overrides.versions,
      },
      guards: { ...NO_GUARDS, ...overrides.guards },
    };
  }

  #source(given: Partial<FixtureOptions>): SourceSettings {
    return sourceSettings({ port: this.server.address.port, ...given });
  }

  #withDatabase<T>(read: (db: Database.Database) => T): T {
    const db = new Database(this.databasePath, { readonly: true });
    try {
      return read(db);
    } finally {
      db.close();
    }
  }
}

export interface Comparison {
  /** Files that have gone from the server and are kept here, as local paths. */
  readonly leftovers?: readonly string[];
  /** Local paths that are not simply the decoded remote path, each with its leading slash. */
  readonly places?: Readonly<Record<string, string>>;
  readonly timePrecisionMs?: number;
}

/** Failures as `code path`, in a stable order. */
export function describeFailures(report: RunReport): string[] {
  return report.failures.map(({ code, path }) => `${code} ${path}`).sort();
}

export function assertFailed(report: RunReport, code: ErrorCode): void {
  assert.equal(report.outcome, 'failed', JSON.stringify(report.failures));
  assert.equal(report.cause?.code, code, report.cause?.detail);
}

/**
 * The index claims, where it does not itself doubt it, only files that lie under `current/` or in the versions with that size and content; no version is left
 * half moved; what was renamed goes on where its row says; and the database is sound.
 */
export function assertIndexTrue(
  databasePath: string,
  targetFolder: string,
  except: ReadonlySet<string> = new Set(),
): void {
  if (!existsSync(databasePath)) return;
  const db = new Database(databasePath);
  try {
    assert.deepEqual(integrityFaults(db), []);
    for (const file of indexedFiles(db)) {
      if (except.has(file.sha256)) continue;
      const content = readFileSync(placeOf(join(targetFolder, 'current'), bytesOf(file.localPath)));
      assert.equal(content.length, file.sizeBytes, `size of ${file.localPath}`);
      assert.equal(createHash('sha256').update(content).digest('hex'), file.sha256, `content of ${file.localPath}`);
    }
    assertVersionsTrue(db, targetFolder, except);
  } finally {
    db.close();
  }
}

function assertVersionsTrue(db: Database.Database, targetFolder: string, except: ReadonlySet<string>): void {
  const rows = db
    .prepare(
      `SELECT path, since_run, until_run, content_run, folder, local_path, moved_to, size_bytes, lower(hex(sha256)) AS sha256
       FROM version WHERE state = 'kept' ORDER BY id`,
    )
    .all() as Record<string, string | number | null>[];
  for (const row of rows) {
    const name = `version of ${row['path']} until run ${row['until_run']}`;
    assert.ok(Number(row['since_run']) < Number(row['until_run']), `${name}: of no run`);
    assert.ok(Number(row['content_run']) <= Number(row['since_run']), `${name}: older than its content`);
    if (row['folder'] === null) {
      assert.ok(row['moved_to'] !== null, `${name}: nowhere`);
      continue;
    }
    if (except.has(String(row['sha256']))) continue;
    const place = placeOf(join(targetFolder, 'versions', String(row['folder'])), bytesOf(String(row['local_path'])));
    assert.ok(existsSync(place), `${name}: nothing lies in its place`);
    const content = readFileSync(place);
    assert.equal(content.length, row['size_bytes'], name);
    assert.equal(createHash('sha256').update(content).digest('hex'), row['sha256'], name);
  }
}

function indexedFiles(db: Database.Database, which = `doubt IS NOT 'copy'`): IndexedFile[] {
  const rows = db
    .prepare(
      `SELECT CASE folder.path WHEN '/' THEN '' ELSE folder.path END || '/' || file.name AS path,
         CASE folder.local_path WHEN '' THEN '' ELSE folder.local_path || '/' END
           || coalesce(file.local_name, file.name) AS localPath,
         file.size_bytes AS sizeBytes, lower(hex(file.sha256)) AS sha256, file.missing_since_run IS NOT NULL AS isMissing
       FROM file JOIN folder ON folder.id = file.folder_id WHERE ${which} ORDER BY path`,
    )
    .all() as (Omit<IndexedFile, 'isMissing'> & { isMissing: number })[];
  return rows.map((row) => ({ ...row, isMissing: row.isMissing === 1 }));
}

function serverState(tree: ScriptedTree): Map<string, FileState> {
  const files = new Map<string, FileState>();
  for (const file of tree.files()) {
    const sha256 = createHash('sha256').update(file.read()).digest('hex');
    files.set(file.path, { sizeBytes: file.sizeBytes, sha256, mtimeMs: file.mtimeMs });
  }
  return files;
}
