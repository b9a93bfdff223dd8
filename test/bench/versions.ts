/**
 * How long it takes to look at the past of a large task: a million files, a million older contents in a thousand versions,
 * a folder of 100,000 files, a file that each run replaced. Rows only, written straight into a task's database: what is
 * measured is the queries that the pages and the runs make. Fails where one takes longer than its bound below.
 *
 *   npm run bench:versions                       a million of each
 *   npm run bench:versions -- --files 100000     a quick try
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type Database from 'better-sqlite3';
import { simulatePrune } from '../../src/engine/prune.ts';
import { readPastFolder, FIRST_PAGE } from '../../src/engine/past-folder.ts';
import type { PastCursor, PastFolder } from '../../src/engine/past-folder.ts';
import { openPastReading } from '../../src/state/past-reading.ts';
import { RestorePoints } from '../../src/state/restore-points.ts';
import { openTaskDatabase, taskDatabasePath } from '../../src/state/task-database.ts';
import { VersionSweep } from '../../src/state/version-sweep.ts';
import { VersionTree } from '../../src/state/version-tree.ts';

const RUNS = 1000;
const FOLDER_FILES = 100;
const BIG_FOLDER_SHARE = 10;
const PAGE = 200;
/** What a page may take: see the budgets of the pages. */
const QUERY_MS_MAX = 100;
/** A prune and its forecast have a thread of their own. */
const SWEEP_MS_MAX = 20_000;
const MB = 1024 * 1024;

const { values } = parseArgs({ options: { files: { type: 'string', default: '1000000' } } });
const files = Number(values.files);
const bigFiles = Math.ceil(files / BIG_FOLDER_SHARE);
const failures: string[] = [];
const stateDir = mkdtempSync(join(tmpdir(), 'site-backup-bench-'));
try {
  fill();
  const past = openPastReading(stateDir, 'bench');
  if (past === undefined) throw new Error('no database');
  const { size } = statSync(taskDatabasePath(stateDir, 'bench'));
  say(`${files} files, ${files + RUNS - 1} older contents, ${RUNS} versions; database ${(size / MB).toFixed(0)} MB`);
  try {
    measureAll(past.db);
  } finally {
    past.close();
  }
} finally {
  rmSync(stateDir, { recursive: true, force: true });
}
for (const failure of failures) say(`FAILED: ${failure}`);
if (failures.length > 0) process.exitCode = 1;

function measureAll(db: Database.Database): void {
  const tree = new VersionTree(db);
  const points = new RestorePoints(db);
  measure('list of versions, one page', () => points.list(Number.MAX_SAFE_INTEGER, 51));
  for (const run of [1, RUNS / 2, RUNS]) {
    measure(`top folder as of run ${run}, one page`, () => readPastFolder(db, run, '/', FIRST_PAGE, PAGE));
    measurePages(db, run);
    measure(`one file as of run ${run}`, () => tree.file(run, '/big/f0000500'));
  }
  measure(`history of a file with ${RUNS} contents, one page`, () => tree.history('/hot.php', 51));
  measure('history of a file with two contents', () => tree.history('/big/f0000500', 51));
  measure('what one version alone needs', () =>
    new VersionSweep(db).totalsOfPoint(RUNS / 2, RUNS / 2 - 1, RUNS / 2 + 1),
  );
  measure('all older content added up', () => new VersionSweep(db).storedTotals(), SWEEP_MS_MAX);
  const rules = { keep: 'steps', count: 1, days: 1, hourly: 0, daily: 30, weekly: 12, monthly: 12, yearly: 0 } as const;
  const versions = { ...rules, quotaBytes: undefined };
  const deletion = { rule: 'delete', days: 30 } as const;
  const simulate = (quotaBytes: number | undefined) => () =>
    simulatePrune(db, { versions: { ...versions, quotaBytes }, deletion }, nowMs(), 'Europe/Paris');
  measure('what would be pruned', simulate(undefined), SWEEP_MS_MAX);
  measure('what would be pruned, with a quota', simulate(files * 100), SWEEP_MS_MAX);
  measure('whole tree as of one run', () => walk(db, RUNS / 2), Infinity);
}

/** Every page of the big folder, so that the slowest is found. */
function measurePages(db: Database.Database, run: number): void {
  let slowest = { tookMs: 0, cpuMs: 0 };
  let pages = 0;
  let sumMs = 0;
  for (let cursor: PastCursor | undefined = FIRST_PAGE; cursor !== undefined; pages++) {
    const from: PastCursor = cursor;
    const { result, ...took } = timed((): PastFolder | undefined => readPastFolder(db, run, '/big', from, PAGE));
    cursor = result?.next;
    sumMs += took.cpuMs;
    if (took.cpuMs > slowest.cpuMs) slowest = took;
  }
  const what = `folder of ${bigFiles} as of run ${run}: ${pages} pages, mean ${(sumMs / pages).toFixed(2)} ms CPU; the slowest`;
  note(what, slowest, QUERY_MS_MAX);
}

function walk(db: Database.Database, run: number): number {
  let count = 0;
  const folders = ['/'];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (let cursor: PastCursor | undefined = FIRST_PAGE; cursor !== undefined;) {
      const page = readPastFolder(db, run, folder, cursor, PAGE);
      folders.push(...(page?.folders ?? []).map(({ path }) => path));
      count += page?.files.length ?? 0;
      cursor = page?.next;
    }
  }
  if (count !== files + 1) throw new Error(`${count} files in the tree as of run ${run}`);
  return count;
}

function measure(what: string, work: () => unknown, limitMs = QUERY_MS_MAX): void {
  // Once to have the statement and the pages of the file at hand, as a service has that was asked before.
  if (limitMs === QUERY_MS_MAX) work();
  note(what, timed(work), limitMs);
}

interface Took {
  readonly tookMs: number;
  readonly cpuMs: number;
}

function timed<T>(work: () => T): Took & { readonly result: T } {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { tookMs: performance.now() - startedMs, cpuMs: (user + system) / 1000, result };
}

/** What is bounded is CPU time: that is the same on a machine with other work to do. */
function note(what: string, { tookMs, cpuMs }: Took, limitMs: number): void {
  const memory = `${(process.memoryUsage.rss() / MB).toFixed(0)} MB`;
  say(`${what}: ${cpuMs.toFixed(2)} ms CPU (${tookMs.toFixed(2)} ms); memory ${memory}`);
  if (cpuMs > limitMs) failures.push(`${what}: ${cpuMs.toFixed(0)} ms CPU, more than ${limitMs}`);
}

/** Each file was replaced once, in one of the runs; one file in each of them. */
function fill(): void {
  const { db, close } = openTaskDatabase(stateDir, 'bench');
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < @last)`;
  const path = `CASE WHEN i < ${bigFiles} THEN '/big/f' || printf('%07d', i)
    ELSE '/d' || printf('%05d', (i - ${bigFiles}) / ${FOLDER_FILES}) || '/f' || printf('%07d', i) END`;
  // Neighbours in a folder change in different runs.
  const until = `2 + (i * 7919) % ${RUNS - 1}`;
  const facts = { last: files - 1, ms: nowMs() };
  db.transaction(() => {
    db.prepare(
      `${numbers} INSERT INTO run (id, started_ms, ended_ms, outcome, has_changed)
         SELECT i + 1, @ms - (@last - i) * 86400000, @ms - (@last - i) * 86400000 + 60000, 'complete', 1 FROM n`,
    ).run({ last: RUNS - 1, ms: facts.ms });
    db.exec(
      `INSERT INTO folder (id, parent_id, path, local_path, since_run) VALUES (1, NULL, '/', '', 1), (2, 1, '/big', 'big', 1)`,
    );
    db.prepare(
      `${numbers} INSERT INTO folder (id, parent_id, path, local_path, since_run)
         SELECT i + 3, 1, '/d' || printf('%05d', i), 'd' || printf('%05d', i), 1 FROM n`,
    ).run({ last: Math.ceil((files - bigFiles) / FOLDER_FILES) - 1 });
    db.prepare(
      `${numbers} INSERT INTO file (folder_id, name, size_bytes, precision, modified_ms, sha256, run_id)
         SELECT CASE WHEN i < ${bigFiles} THEN 2 ELSE 3 + (i - ${bigFiles}) / ${FOLDER_FILES} END, 'f' || printf('%07d', i), 1000 + i % 5000,
           'second', @ms, zeroblob(32), ${until} FROM n`,
    ).run(facts);
    // One in a hundred was brought, and then renamed to this path; one in fifty has gone from the site.
    const columns = `path, parent, since_run, until_run, content_run, reason, size_bytes, precision, modified_ms, sha256, origin,
      folder, local_path, moved_to, retired_ms, state`;
    db.prepare(
      `${numbers} INSERT INTO version (${columns})
         SELECT ${path}, rtrim(${path}, 'f0123456789/'), 1, ${until}, 1,
           CASE WHEN i % 100 = 7 THEN 'renamed' WHEN i % 50 = 3 THEN 'vanished' ELSE 'replaced' END, 1000 + i % 5000, 'second',
           @ms, zeroblob(32), 'x', CASE WHEN i % 100 = 7 THEN NULL ELSE 'run' END, CASE WHEN i % 100 = 7 THEN NULL ELSE 'x' END,
           CASE WHEN i % 100 = 7 THEN '/moved/f' || i END, @ms - (${RUNS} - (${until})) * 86400000, 'kept' FROM n`,
    ).run(facts);
    db.exec(`UPDATE version SET parent = substr(path, 1, length(path) - 9)`);
    db.prepare(
      `${numbers} INSERT INTO version (${columns})
         SELECT '/hot.php', '/', i + 1, i + 2, i + 1, 'replaced', 1000, 'second', @ms, zeroblob(32), 'x', 'run', 'x', NULL, @ms, 'kept'
         FROM n`,
    ).run({ last: RUNS - 2, ms: facts.ms });
    db.prepare(
      `INSERT INTO file (folder_id, name, size_bytes, precision, sha256, run_id) VALUES (1, 'hot.php', 1000, 'second', zeroblob(32), ?)`,
    ).run(RUNS);
  })();
  close();
}

function nowMs(): number {
  return Date.UTC(2026, 0, 1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
