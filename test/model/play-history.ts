import { existsSync, rmSync } from 'node:fs';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/clock.ts';
import { adoptBackup } from '../../src/engine/adopt.ts';
import type { RunReport } from '../../src/engine/run-report.ts';
import { silentLog } from '../../src/log.ts';
import type { GuardSettings } from '../../src/settings/task-settings.ts';
import { RestorePoints } from '../../src/state/restore-points.ts';
import { decodeRemoteName } from '../../src/local/local-name.ts';
import { decideHold, readNewestHold } from '../../src/state/task-hold.ts';
import { BackupFixture, NO_GUARDS } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { FailingDisk } from '../support/failing-disk.ts';
import { BackupModel, VANISHED_FILES_LIMIT } from './backup-model.ts';
import type { History, Rules, Run, Step } from './history.ts';
import { PastModel } from './past-model.ts';
import { addServerFault } from './server-fault.ts';
import { Site, canEnterAll, canReadAll, stateAt, withFilter } from './site.ts';
import type { SiteState } from './site.ts';

const TASK_NAME = 'under test';
const HOUR_MS = 3_600_000;
/** A LIST tells only the day of what is older than half a year: edits of one day could not be told apart. */
const CLOCK_HOURS_MAX = 60 * 24;
const COMMANDS = ['USER', 'CWD', 'EPSV', 'MLSD', 'LIST', 'MLST', 'RETR', 'SIZE', 'MDTM'];

const GUARDS: GuardSettings = { ...NO_GUARDS, vanishedFiles: VANISHED_FILES_LIMIT, emptiedFolders: true };

const PLAIN: Run = { do: 'run', how: 'plain', at: 1, connections: 3, attempts: 4, faults: [], meanwhile: [] };
const FIRST_RULES: Rules = {
  do: 'rules',
  deletion: 'archive',
  days: 30,
  keep: 'all',
  count: 3,
  quotaBytes: undefined,
  hasGuards: false,
  sampleBytes: 0,
  rehashDays: 0,
};

/** What a history has met: to see that it is worth playing. */
export type Tally = Map<string, number>;

/** A run in a process of its own, killed after its nth lasting effect. Its report where it came to its end before. */
export type RunAndKill = (
  fixture: BackupFixture,
  overrides: RunOverrides,
  nth: number,
) => Promise<RunReport | undefined>;

/** Plays a history against a real run of the program each time, and holds it against the models. Throws where they differ. */
export async function playHistory(history: History, tally: Tally, runAndKill?: RunAndKill): Promise<void> {
  const { hasHash, ...server } = history.server;
  const fixture = await BackupFixture.start({ ...server, hashes: hasHash ? ['HASH'] : [] });
  const disk = new FailingDisk();
  try {
    const player = new Player(fixture, disk, tally, runAndKill);
    for (const step of history.steps) await player.step(step);
    await player.end();
  } finally {
    disk.remove();
    await fixture.end();
  }
}

class Player {
  readonly #fixture: BackupFixture;
  readonly #disk: FailingDisk;
  readonly #tally: Tally;
  readonly #runAndKill: RunAndKill | undefined;
  readonly #site: Site;
  readonly #model = new BackupModel();
  readonly #past: PastModel;
  #rules = FIRST_RULES;
  #exclude: readonly string[] = [];
  #clockHours = 0;
  /** What the site was since the work that is left was begun; empty where none is. */
  #moments: SiteState[] = [];
  #wasLiedTo = false;
  /** The last run was cut off: what it was moving has no record until the next one. */
  #isCutOff = false;
  /** The last run was complete: its manifest is what it has left. */
  #isManifestTrue = false;
  /** Of the run whose work is left. */
  #wasCutOff = false;
  #wasFaulty = false;

  constructor(fixture: BackupFixture, disk: FailingDisk, tally: Tally, runAndKill: RunAndKill | undefined) {
    this.#fixture = fixture;
    this.#disk = disk;
    this.#tally = tally;
    this.#runAndKill = runAndKill;
    this.#site = new Site(fixture.tree, Date.now());
    this.#past = new PastModel(fixture.databasePath, fixture.targetFolder);
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'edit':
        this.#site.apply(step.change);
        if (this.#moments.length > 0) this.#moments.push(this.#site.state());
        return;
      case 'run':
        await this.#run(step);
        return;
      case 'rules':
        this.#rules = step;
        return;
      case 'adopt':
        await this.#adopt();
        return;
      case 'filter':
        this.#exclude = step.exclude;
        return;
      case 'clock':
        this.#moveClock(step.hours);
        return;
      case 'zone':
        this.#fixture.server.options.listUtcOffsetMinutes = step.minutes;
        return;
      case 'decide':
        this.#decide(step.decision);
        return;
      case 'pin':
        this.#pin(step.pick, step.isPinned);
        return;
    }
  }

  /** Whatever has happened: once all can be read and no guard asks, a run makes the backup equal, and the next does nothing. */
  async end(): Promise<void> {
    this.#site.allowAll();
    if (this.#moments.length > 0) this.#moments.push(this.#site.state());
    this.#rules = { ...this.#rules, hasGuards: false, sampleBytes: 0 };
    this.#exclude = [];
    await this.#run(PLAIN);
    // What was taken back from the versions after a disk failed is proven by the next run that begins its work anew.
    if (this.#isResumed()) await this.#run(PLAIN);
    this.#fixture.server.clearLog();
    await this.#run(PLAIN);
    if (this.#fixture.server.options.hasMlsd) {
      assert.equal(this.#fixture.server.count('RETR'), 0, 'a second run transfers nothing');
    }
  }

  #moveClock(hours: number): void {
    this.#clockHours = Math.min(CLOCK_HOURS_MAX, this.#clockHours + hours);
    this.#fixture.server.options.nowMs = this.#nowMs();
  }

  #nowMs(): number {
    return Date.now() + this.#clockHours * HOUR_MS;
  }

  #decide(decision: 'kept' | 'accepted'): void {
    const { stateDir } = this.#fixture;
    const hold = readNewestHold(stateDir, TASK_NAME);
    if (hold?.decision !== 'open') return;
    this.#count(decision);
    assert.ok(decideHold(stateDir, TASK_NAME, hold.runId, decision, { atMs: this.#nowMs(), by: undefined }));
    if (decision === 'kept') this.#model.keepMissing(this.#now());
  }

  async #adopt(): Promise<void> {
    const { stateDir, targetFolder } = this.#fixture;
    if (!this.#isManifestTrue) return;
    this.#count('adopted');
    rmSync(stateDir, { recursive: true });
    const { missing, unproven, changed, versionsLost, manifestFault } = await adoptBackup({
      folder: targetFolder,
      stateDir,
      stateKey: TASK_NAME,
      clock: { ...systemClock, nowMs: () => this.#nowMs() },
      log: silentLog,
      signal: new AbortController().signal,
    });
    const found = { missing, unproven, changed, versionsLost, manifestFault };
    const nothing = { missing: 0, unproven: 0, changed: 0, versionsLost: 0, manifestFault: undefined };
    assert.deepEqual(found, nothing, 'a manifest that a complete run has left is not true');
    this.#fixture.assertInvariants();
    this.#model.afterAdoption(this.#current(false));
    this.#past.afterAdoption();
  }

  #pin(pick: number, isPinned: boolean): void {
    if (!this.#hasRun()) return;
    const db = new Database(this.#fixture.databasePath);
    try {
      const points = new RestorePoints(db);
      const all = points.all();
      const point = all[pick % Math.max(1, all.length)];
      if (point !== undefined) points.setPinned(point.runId, isPinned);
    } finally {
      db.close();
    }
  }

  /** The site as the task sees it. */
  #now(): SiteState {
    return withFilter(this.#site.state(), this.#exclude);
  }

  /** Whether the last run has gone on with the work of an earlier one. */
  #isResumed(): boolean {
    return this.#fixture.notices().some((notice) => notice.startsWith('run-resumed'));
  }

  #hasRun(): boolean {
    return this.#tally.has('runs') && this.#model.files.size > 0;
  }

  async #run(run: Run): Promise<void> {
    const { server } = this.#fixture;
    const hold = readNewestHold(this.#fixture.stateDir, TASK_NAME);
    const isAccepted = hold?.decision === 'accepted' && hold.usedRun === undefined;
    const earlier = this.#moments;
    const began = this.#site.state();
    const during: SiteState[] = [began];
    const meetsCommand = new AbortController();
    const runAndKill = run.how === 'kill' ? this.#runAndKill : undefined;
    if (run.how === 'cancel' || (run.how === 'kill' && runAndKill === undefined)) {
      server.addFault(
        { command: COMMANDS, nth: run.at },
        {
          run: () => {
            meetsCommand.abort();
          },
        },
      );
    }
    for (const { at, change } of run.meanwhile) {
      const edit = (): void => {
        this.#site.apply(change);
        during.push(this.#site.state());
      };
      server.addFault({ command: COMMANDS, nth: at }, { run: edit });
    }
    let isLiedTo = false;
    for (const fault of run.faults) isLiedTo = addServerFault(server, fault) || isLiedTo;

    let report: RunReport | undefined;
    let isDiskMet = false;
    try {
      if (runAndKill !== undefined) {
        report = await runAndKill(this.#fixture, this.#overrides(run), run.at * (run.connections === 1 ? 1 : 4));
        isDiskMet = report === undefined;
        this.#count(isDiskMet ? 'killed' : 'survived');
      } else {
        if (run.how.startsWith('disk')) this.#disk.failAt(run.at, run.how === 'disk-dead');
        report = await this.#fixture.run({ ...this.#overrides(run), signal: meetsCommand.signal });
        isDiskMet = run.how.startsWith('disk') && this.#disk.calls >= run.at;
      }
    } finally {
      this.#disk.failAt(undefined);
      server.faults.length = 0;
    }
    this.#count('runs');
    if (isDiskMet) this.#count(run.how);
    if (report !== undefined) this.#count(`${run.how === 'dry' ? 'dry ' : ''}${report.outcome}`);
    trace(run, report, isDiskMet);
    if (run.how !== 'dry') this.#isManifestTrue = report?.outcome === 'complete' && !isDiskMet;
    this.#judge({ run, report, earlier, during, isLiedTo, isDiskMet, isAccepted });
  }

  #judge(what: {
    readonly run: Run;
    readonly report: RunReport | undefined;
    readonly earlier: readonly SiteState[];
    readonly during: readonly SiteState[];
    readonly isLiedTo: boolean;
    readonly isDiskMet: boolean;
    readonly isAccepted: boolean;
  }): void {
    const { run, report, earlier, during, isDiskMet } = what;
    if (run.how === 'dry') {
      this.#model.checkUntouched(this.#current(this.#isCutOff));
      // The site may have changed while it looked.
      if (earlier.length > 0) this.#moments = withoutRepeats([...earlier, ...during]);
      return;
    }
    const isResumed =
      report === undefined || this.#fixture.notices().some((notice) => notice.startsWith('run-resumed'));
    const seen = isResumed && earlier.length > 0 ? withoutRepeats([...earlier, ...during]) : during;
    const moments = seen.map((state) => withFilter(state, this.#exclude));
    // A run that ended before it opened the folder has left what was between two places there.
    const isAsBefore = this.#isCutOff && (report?.outcome === 'failed' || report?.outcome === 'cancelled');
    const isCutOff = isDiskMet || report === undefined || isAsBefore;
    const now = this.#current(isCutOff);
    this.#isCutOff = isCutOff;
    const outcome = outcomeOf(report, moments);
    const isLiedTo = what.isLiedTo || (isResumed && this.#wasLiedTo);
    // What a listing was worth stays with the work that is gone on with.
    const isServerFaulty = run.faults.length > 0 || (isResumed && this.#wasFaulty);
    const isAfterCutOff = isResumed && this.#wasCutOff;
    const isSmooth = !isCutOff && !isServerFaulty && run.how !== 'cancel' && run.how !== 'kill' && moments.length === 1;
    if (isSmooth) this.#checkOutcome(moments, report, what.isAccepted || isLiedTo || isResumed);
    if (isResumed && report !== undefined) this.#count('resumed');

    const doubted = this.#hasDatabase() ? this.#fixture.doubted().map(({ path }) => path) : [];
    const before = this.#model.files;
    this.#model.afterRun(
      { outcome, rules: this.#rules, moments, isLiedTo, isServerFaulty, isCutOff, isAfterCutOff, doubted },
      now,
    );
    for (const path of before.keys()) {
      const left = !now.has(path) && moments.some((state) => stateAt(state, path) === 'absent');
      if (left) {
        this.#past.noteVanished(path, this.#nowMs());
        this.#count('left');
      }
    }
    if (this.#hasDatabase()) {
      const facts = { outcome, isCutOff, rules: this.#rules, nowMs: this.#nowMs() };
      this.#past.afterRun(facts, isCutOff ? undefined : now);
    }
    const isWorkLeft = this.#hasDatabase() && this.#fixture.hasWorkLeft();
    // A run that ended before it came to the work has left it as it was.
    this.#moments = isWorkLeft ? withoutRepeats(outcome === 'failed' ? [...earlier, ...seen] : seen) : [];
    this.#wasLiedTo = isWorkLeft && isLiedTo;
    this.#wasFaulty = isWorkLeft && isServerFaulty;
    this.#wasCutOff = isWorkLeft && (isCutOff || isAfterCutOff);
  }

  /** With nothing in its way, a run is complete, or held for a reason that the model sees, too. */
  #checkOutcome(moments: readonly SiteState[], report: RunReport | undefined, isExcused: boolean): void {
    const [state] = moments;
    if (state === undefined || report === undefined) return;
    const { outcome } = report;
    const words = `${outcome}: ${JSON.stringify([report.cause, report.failures.slice(0, 3)])}`;
    const isWhole = canEnterAll(state) && !(state.isEmpty && this.#model.files.size > 0);
    if (!this.#rules.hasGuards) {
      if (!isWhole) assert.equal(outcome, 'incomplete', words);
      else if (canReadAll(state) && !state.isEmpty) assert.equal(outcome, 'complete', words);
      return;
    }
    const vanished = this.#model.surelyVanished(state);
    const isOver = vanished > VANISHED_FILES_LIMIT && isWhole;
    if (isOver && !isExcused) assert.equal(outcome, 'held', `${vanished} files have gone, and nobody was asked`);
  }

  #overrides(run: Run): RunOverrides {
    const { deletion, days, keep, count, quotaBytes, hasGuards, sampleBytes, rehashDays } = this.#rules;
    return {
      connections: run.connections,
      deletion: { rule: deletion, days },
      versions: { quotaBytes, keep, count, days: count, daily: count, hourly: count, weekly: 1, monthly: 1, yearly: 0 },
      guards: hasGuards ? GUARDS : NO_GUARDS,
      verification: { sampleBytes, rehashDays },
      exclude: this.#exclude,
      attempts: run.attempts,
      isForced: run.how === 'forced',
      isDryRun: run.how === 'dry',
      clockOffsetMs: this.#clockHours * HOUR_MS,
    };
  }

  /** SHA-256 by remote path: what the index says, which the fixture has held against the disk. */
  #current(isCutOff: boolean): ReadonlyMap<string, string> {
    if (!this.#hasDatabase()) return new Map();
    if (isCutOff) return this.#past.lastTree();
    // Nobody damages a copy in these histories: a disk that fails while it is read again makes it doubted, no more.
    const files = [...this.#fixture.indexed(), ...this.#fixture.doubted()];
    return new Map(files.map(({ path, sha256 }) => [path, sha256]));
  }

  #hasDatabase(): boolean {
    return existsSync(this.#fixture.databasePath);
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);
  }
}

/**
 * What a run has concluded from. What the disk refuses at the very end, when all has been seen, makes a run incomplete that
 * was complete so far: a file that had to go to the versions with others that did, and the manifest.
 */
function outcomeOf(report: RunReport | undefined, moments: readonly SiteState[]): RunReport['outcome'] {
  const there = new Set(
    moments.flatMap(({ files, folders }) => [...files.keys(), ...folders].map((path) => decodeRemoteName(path))),
  );
  const isOfTheEnd = report?.failures.every(
    ({ path, code }) => path === '/manifest.jsonl' || (code === 'target-unwritable' && !there.has(path)),
  );
  return report?.outcome === 'incomplete' && isOfTheEnd === true ? 'complete' : (report?.outcome ?? 'cancelled');
}

function withoutRepeats(moments: readonly SiteState[]): SiteState[] {
  return moments.filter(({ number }, at) => number !== moments[at - 1]?.number);
}

/** With MODEL_TRACE, a line for each run: to understand a history that has been made small. */
function trace(run: Run, report: RunReport | undefined, isDiskMet: boolean): void {
  if (process.env['MODEL_TRACE'] === undefined) return;
  const { outcome, cause, failures, folders, counts } = report ?? {};
  process.stdout.write(`${JSON.stringify({ run, isDiskMet, outcome, cause, failures, folders, counts })}\n`);
}
