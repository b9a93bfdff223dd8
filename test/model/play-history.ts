import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/clock.ts';
import { adoptBackup } from '../../src/engine/adopt.ts';
import { deleteVersion } from '../../src/engine/delete-version.ts';
import type { RunReport } from '../../src/engine/run-report.ts';
import { silentLog } from '../../src/log.ts';
import { RestorePoints } from '../../src/state/restore-points.ts';
import { decideHold, readNewestHold } from '../../src/state/task-hold.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { FailingDisk } from '../support/failing-disk.ts';
import { BackupModel, VANISHED_FILES_LIMIT, assertAsOnServer } from './backup-model.ts';
import { checkProofs } from './check-proofs.ts';
import { chooseDeletion } from './choose-deletion.ts';
import { damageFile } from './damage.ts';
import type { Damage } from './damage.ts';
import type { History, Run, Step } from './history.ts';
import { OlderCopy, contentsIn } from './older-copy.ts';
import { outcomeOf } from './outcome-of.ts';
import { PastModel } from './past-model.ts';
import { FIRST_RULES, PLAIN, overridesFor } from './run-overrides.ts';
import { addServerFault } from './server-fault.ts';
import { Site, canEnterAll, canReadAll, stateAt, withFilter } from './site.ts';
import type { SiteState } from './site.ts';

const TASK_NAME = 'under test';
const HOUR_MS = 3_600_000;
/** A LIST tells only the day of what is older than half a year: edits of one day could not be told apart. */
const CLOCK_HOURS_MAX = 60 * 24;
/** What was verified is verified again after so long. */
const PROVEN_AGAIN_HOURS = 24 * 11;
/** Further ahead, a clock is believed when a second run finds it so. */
const CLOCK_JUMP_MS = 7 * 24 * HOUR_MS;
const COMMANDS = ['USER', 'CWD', 'EPSV', 'MLSD', 'LIST', 'MLST', 'RETR', 'SIZE', 'MDTM'];

const PROOF_CODES: ReadonlySet<string> = new Set(['copy-damaged', 'copy-missing', 'content-differs']);

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
  const copy = new OlderCopy();
  try {
    const player = new Player(fixture, { disk, copy }, tally, runAndKill);
    for (const step of history.steps) await player.step(step);
    await player.end();
  } finally {
    disk.remove();
    copy.remove();
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
  readonly #copy: OlderCopy;
  readonly #past: PastModel;
  /** All contents that were ever damaged on the NAS: what is older may be lost with them. */
  readonly #spoiled = new Set<string>();
  #rules = FIRST_RULES;
  #exclude: readonly string[] = [];
  #clockHours = 0;
  #clockHoursMax = 0;
  /** When the last run ended that has; undefined where an adoption has forgotten it. */
  #lastEndMs: number | undefined = Date.now();
  /** What the site was since the work that is left was begun; empty where none is. */
  #moments: SiteState[] = [];
  #wasLiedTo = false;
  /** The last run was cut off: what it was moving has no record until the next one. */
  #isCutOff = false;
  /** The last run was complete: its manifest is what it has left. */
  #isManifestTrue = false;
  /** `current/` may hold what no record tells of. */
  #hasStrangers = false;
  #keepsMissing = false;
  /** The index had a file when the last run began. */
  #knewFiles = false;
  /** Of the run whose work is left. */
  #wasCutOff = false;
  #wasFaulty = false;

  constructor(
    fixture: BackupFixture,
    { disk, copy }: { readonly disk: FailingDisk; readonly copy: OlderCopy },
    tally: Tally,
    runAndKill: RunAndKill | undefined,
  ) {
    this.#fixture = fixture;
    this.#disk = disk;
    this.#copy = copy;
    this.#tally = tally;
    this.#runAndKill = runAndKill;
    const { options } = fixture.server;
    this.#site = new Site(fixture.tree, Date.now(), options.hasMlsd && options.uniqueFacts);
    this.#past = new PastModel(fixture.databasePath, fixture.targetFolder, this.#spoiled);
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
      case 'delete':
        await this.#delete(step.what, step.pick);
        return;
      case 'lay-aside':
        if (this.#hasRun()) this.#copy.layAside(this.#place(step.what));
        return;
      case 'put-back':
        await this.#putBack();
        return;
      case 'damage':
        this.#damage(step);
        return;
      case 'filter':
        // What a run was putting in its place when it was cut off is not looked for where it is left out from now on.
        this.#hasStrangers ||= this.#isCutOff || this.#moments.length > 0;
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
    await this.#proveAll();
    this.#fixture.server.clearLog();
    await this.#run(PLAIN);
    if (this.#fixture.server.options.hasMlsd) {
      assert.equal(this.#fixture.server.count('RETR'), 0, 'a second run transfers nothing');
    }
  }

  /** Everything is read again, on both sides: then what was damaged or silently changed is found, and comes anew. */
  async #proveAll(): Promise<void> {
    this.#clockHours = this.#clockHoursMax + PROVEN_AGAIN_HOURS;
    this.#fixture.server.options.nowMs = this.#nowMs();
    this.#rules = { ...this.#rules, sampleBytes: 1_000_000, rehashDays: 1 };
    await this.#run(PLAIN);
    this.#rules = { ...this.#rules, sampleBytes: 0, rehashDays: 0 };
    this.#site.forgetUnseen();
    this.#fixture.damaged.clear();
    await this.#run(PLAIN);
  }

  #damage(damage: Damage): void {
    if (!this.#hasRun()) return;
    const sha256 = damageFile(this.#fixture.targetFolder, damage);
    if (sha256 === undefined) return;
    this.#count('damaged');
    this.#fixture.damaged.add(sha256);
    this.#spoiled.add(sha256);
  }

  #moveClock(hours: number): void {
    this.#clockHours = Math.min(CLOCK_HOURS_MAX, this.#clockHours + hours);
    this.#clockHoursMax = Math.max(this.#clockHours, this.#clockHoursMax);
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
    this.#keepsMissing = decision === 'kept';
  }

  async #adopt(): Promise<void> {
    const { stateDir, targetFolder } = this.#fixture;
    // What has become of the files since is not in the manifest, nor what it never knew.
    if (!this.#isManifestTrue || this.#fixture.damaged.size > 0 || this.#hasStrangers) return;
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
    this.#copy.forget();
    this.#lastEndMs = undefined;
  }

  async #delete(what: 'content' | 'point', pick: number): Promise<void> {
    if (!this.#hasRun()) return;
    const { stateDir, targetFolder, databasePath } = this.#fixture;
    const { wish, sha256 } = chooseDeletion(databasePath, what, pick) ?? {};
    if (wish === undefined) return;
    const isHeld = readNewestHold(stateDir, TASK_NAME)?.decision === 'open';
    const task = { stateDir, stateKey: TASK_NAME, folder: targetFolder, wish, nowMs: this.#nowMs(), by: undefined };
    const result = await deleteVersion(task, silentLog);
    const isDone = typeof result !== 'string';
    this.#count(isDone ? `${what} deleted` : `${what} not deleted`);
    assert.ok(!isHeld || !isDone, 'something was deleted while a hold is open');
    this.#fixture.assertInvariants();
    this.#past.afterDeletion(wish, sha256, isDone);
    this.#isManifestTrue = false;
  }

  #place(what: 'state' | 'folder'): string {
    return what === 'state' ? join(this.#fixture.stateDir, 'tasks') : this.#fixture.targetFolder;
  }

  /** Index and folder are of different days: a run sees that, keeps all that lies there, and brings what is not here. */
  async #putBack(): Promise<void> {
    const { targetFolder, damaged } = this.#fixture;
    if (!this.#copy.putBack()) return;
    this.#count('put back');
    // A record and a copy that differ in nothing but their content: it has to be read for that.
    for (const sha256 of this.#site.changedUnseen) {
      damaged.add(sha256);
      this.#spoiled.add(sha256);
    }
    const before = contentsIn(targetFolder);
    const rules = { ...FIRST_RULES, deletion: 'keep' } as const;
    const report = await this.#fixture.run(this.#overrides(PLAIN, rules));
    const state = this.#now();
    // Where nothing has come between, it goes on with work that was left, and knows what that had seen.
    const isResumed = this.#isResumed();
    const isSmooth = !isResumed && canEnterAll(state) && canReadAll(state) && !state.isEmpty;
    if (isSmooth) assert.equal(report.outcome, 'complete', JSON.stringify([report.cause, report.failures.slice(0, 3)]));
    const now = this.#current(false);
    if (report.outcome === 'complete' && !isResumed) assertAsOnServer(state, now);
    const after = contentsIn(targetFolder);
    assert.deepEqual(
      [...before].filter((sha256) => !after.has(sha256)),
      [],
      'lost with what was put back',
    );
    this.#model.afterPutBack(now);
    this.#past.afterPutBack(now);
    this.#isManifestTrue = report.outcome === 'complete';
    this.#hasStrangers = true;
    this.#isCutOff = false;
    this.#lastEndMs = undefined;
    this.#moments = this.#fixture.hasWorkLeft() ? [this.#site.state()] : [];
    this.#wasLiedTo = false;
    this.#wasFaulty = false;
    this.#wasCutOff = false;
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
    this.#knewFiles = this.#current(false).size > 0;
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

    const fromMs = this.#nowMs();
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
    if (this.#hasDatabase()) {
      const { databasePath, targetFolder } = this.#fixture;
      checkProofs(databasePath, targetFolder, { fromMs, toMs: this.#nowMs(), moments: during });
    }
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
    // The decision is carried out by the next run that makes a plan: it keeps what has gone by then.
    if (this.#keepsMissing) for (const state of moments) this.#model.keepMissing(state);
    this.#keepsMissing &&= readNewestHold(this.#fixture.stateDir, TASK_NAME)?.usedRun === undefined;
    const isSmooth = !isCutOff && !isServerFaulty && run.how !== 'cancel' && run.how !== 'kill' && moments.length === 1;
    if (isSmooth) this.#checkOutcome(moments, report, what.isAccepted || isLiedTo || isResumed);
    if (isResumed && report !== undefined) this.#count('resumed');

    const doubted = this.#hasDatabase() ? this.#fixture.doubted().map(({ path }) => path) : [];
    const { damaged } = this.#fixture;
    const before = this.#model.files;
    this.#model.afterRun(
      { outcome, rules: this.#rules, moments, isLiedTo, isServerFaulty, isCutOff, isAfterCutOff, doubted, damaged },
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
      const facts = { outcome, isCutOff, isDiskMet, rules: this.#rules, nowMs: this.#believedMs() };
      this.#past.afterRun(facts, isCutOff ? undefined : now);
    }
    // One that failed may have failed by a wrong clock.
    if (['complete', 'incomplete', 'held'].includes(report?.outcome ?? '')) this.#lastEndMs = this.#nowMs();
    const isWorkLeft = this.#hasDatabase() && this.#fixture.hasWorkLeft();
    // A run that ended before it came to the work has left it as it was.
    this.#moments = isWorkLeft ? withoutRepeats(outcome === 'failed' ? [...earlier, ...seen] : seen) : [];
    this.#wasLiedTo = isWorkLeft && isLiedTo;
    this.#wasFaulty = isWorkLeft && isServerFaulty;
    this.#wasCutOff = isWorkLeft && (isCutOff || isAfterCutOff);
  }

  #believedMs(): number | undefined {
    if (this.#lastEndMs === undefined) return undefined;
    return this.#nowMs() - this.#lastEndMs > CLOCK_JUMP_MS ? this.#lastEndMs : this.#nowMs();
  }

  /** With nothing in its way, a run is complete, or held for a reason that the model sees, too. */
  #checkOutcome(moments: readonly SiteState[], report: RunReport | undefined, isExcused: boolean): void {
    const [state] = moments;
    if (state === undefined || report === undefined) return;
    const { outcome, failures } = report;
    // What was read again is not as it was: it is for that.
    const isOfProof = failures.length > 0 && failures.every(({ code }) => PROOF_CODES.has(code));
    const isSpoiled = this.#fixture.damaged.size + state.unseen.size > 0;
    if (outcome === 'incomplete' && isOfProof && isSpoiled) return;
    const words = `${outcome}: ${JSON.stringify([report.cause, failures.slice(0, 3)])}`;
    // Where all copies are known to be lost here, an empty site takes nothing away.
    const isEmptied = state.isEmpty && this.#model.files.size > 0 && this.#knewFiles;
    const isWhole = canEnterAll(state) && !isEmptied;
    if (!this.#rules.hasGuards) {
      if (!isWhole) assert.equal(outcome, 'incomplete', words);
      else if (canReadAll(state) && !state.isEmpty) assert.equal(outcome, 'complete', words);
      return;
    }
    const vanished = this.#model.surelyVanished(state);
    const isOver = vanished > VANISHED_FILES_LIMIT && isWhole;
    if (isOver && !isExcused) assert.equal(outcome, 'held', `${vanished} files have gone, and nobody was asked`);
  }

  #overrides(run: Run, rules = this.#rules): RunOverrides {
    return overridesFor(run, rules, { exclude: this.#exclude, clockOffsetMs: this.#clockHours * HOUR_MS });
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

function withoutRepeats(moments: readonly SiteState[]): SiteState[] {
  return moments.filter(({ number }, at) => number !== moments[at - 1]?.number);
}

/** With MODEL_TRACE, a line for each run: to understand a history that has been made small. */
function trace(run: Run, report: RunReport | undefined, isDiskMet: boolean): void {
  if (process.env['MODEL_TRACE'] === undefined) return;
  const { outcome, cause, failures, folders, counts } = report ?? {};
  process.stdout.write(`${JSON.stringify({ run, isDiskMet, outcome, cause, failures, folders, counts })}\n`);
}
