import assert from 'node:assert/strict';
import type { RunOutcome } from '../../src/engine/run-report.ts';
import type { Rules } from './history.ts';
import { canEnterAll, looksLike, stateAt } from './site.ts';
import type { SiteState } from './site.ts';

/** What one run was, as it can be known without looking into the program. */
export interface RunFacts {
  readonly outcome: RunOutcome;
  readonly rules: Rules;
  /** The site at each moment that the run's knowledge may be of: since its work began, resumed work included. */
  readonly moments: readonly SiteState[];
  /** A listing may have left out what is there. */
  readonly isLiedTo: boolean;
  /** The server failed somewhere. */
  readonly isServerFaulty: boolean;
  /** The run was cut off, or the disk failed: something may be between two places until the next run. */
  readonly isCutOff: boolean;
  /** It went on with the work of a run that was cut off. */
  readonly isAfterCutOff: boolean;
  /** Copies that a failing disk did not give when they were read again: the next run may set them aside. */
  readonly doubted: readonly string[];
  /** Contents whose copies were damaged on the NAS: a run that finds one sets it aside. */
  readonly damaged: ReadonlySet<string>;
}

interface Absence {
  /** Complete runs that must have seen the file missing, and that may have. */
  atLeast: number;
  atMost: number;
}

/** More than so many files that are gone at once hold a run; see `GUARDS`. */
export const VANISHED_FILES_LIMIT = 6;

/**
 * What lies under `current/` by the promise, and which ways out of it there are. After each run it is told what lies there
 * now, says what may not be, and takes it over.
 */
export class BackupModel {
  /** SHA-256 by remote path. */
  #files: ReadonlyMap<string, string> = new Map();
  readonly #absences = new Map<string, Absence>();
  /** What a run that was cut off has left in doubt: it may come back to its path. */
  #inDoubt = new Map<string, string>();
  /** What made way in a run that was cut off while it moved that: the next one may find it in the versions already. */
  #makingWay = new Set<string>();
  /** Files that somebody has decided to keep, or may have. */
  readonly #kept = new Set<string>();

  get files(): ReadonlyMap<string, string> {
    return this.#files;
  }

  /** Somebody answers a held run: what is missing now stays. */
  keepMissing(state: SiteState): void {
    for (const path of this.#files.keys()) if (!state.files.has(path)) this.#kept.add(path);
  }

  /** The index was made anew from the manifest. How often a file was missed may be forgotten, and no more. */
  afterAdoption(now: ReadonlyMap<string, string>): void {
    assert.deepEqual(sorted(now), sorted(this.#files), 'an adoption has changed what current/ holds');
    for (const absence of this.#absences.values()) absence.atLeast = 0;
  }

  /** The index or the folder was put back from an older copy, and a run has looked: nothing is known but what lies there. */
  afterPutBack(now: ReadonlyMap<string, string>): void {
    this.#files = new Map(now);
    this.#inDoubt.clear();
    for (const path of now.keys()) {
      this.#absences.set(path, { atLeast: 0, atMost: 1 });
      this.#kept.add(path);
    }
  }

  /** A run that may change nothing. */
  checkUntouched(now: ReadonlyMap<string, string>): void {
    assert.deepEqual(sorted(now), sorted(this.#files), 'a run that changes nothing has changed current/');
  }

  /** `now`: what lies under `current/` after the run. Throws what is against the promise. */
  afterRun(facts: RunFacts, now: ReadonlyMap<string, string>): void {
    const isQuiet = facts.moments.length === 1;
    const isSure = facts.outcome === 'complete' && isQuiet && !facts.isLiedTo;
    for (const path of new Set([...this.#files.keys(), ...now.keys()])) this.#checkPath(path, facts, now);
    this.#noteAbsences(facts, now, isSure);
    // What comes back to its path after a failure is compared anew, by the next run that makes a plan: its time begins then.
    if (facts.isCutOff || facts.isAfterCutOff) for (const absence of this.#absences.values()) absence.atLeast = 0;
    if (isSure) this.#checkEqual(facts, now);
    this.#inDoubt = new Map(facts.isCutOff ? [...this.#inDoubt, ...this.#changedTo(now)] : []);
    const isInTheWay = (path: string): boolean =>
      isMadeWay(new Set(facts.moments.map((state) => stateAt(state, path))));
    this.#makingWay = new Set(facts.isCutOff ? [...this.#makingWay, ...[...now.keys()].filter(isInTheWay)] : []);
    for (const path of facts.doubted) this.#inDoubt.set(path, now.get(path) ?? '');
    this.#files = new Map(now);
  }

  /** Files that the last look knew to be there and that are not on the server: as many as a guard counts at least. */
  surelyVanished(state: SiteState): number {
    let count = 0;
    for (const path of this.#files.keys()) {
      const isKnownMissing = this.#absences.has(path) || this.#kept.has(path) || this.#inDoubt.has(path);
      if (!isKnownMissing && stateAt(state, path) === 'absent') count++;
    }
    return count;
  }

  #checkPath(path: string, facts: RunFacts, now: ReadonlyMap<string, string>): void {
    const after = now.get(path);
    const before = this.#files.get(path);
    if (after === before) return;
    const states = new Set(facts.moments.map((state) => stateAt(state, path)));
    if (after === undefined) {
      if (!this.#isRenamed(path, facts, now)) this.#checkLoss(path, facts, states);
      return;
    }
    const isBack = this.#inDoubt.get(path) === after;
    const isOfServer = facts.moments.some((state) => looksLike(state, path, after));
    assert.ok(isOfServer || isBack, `${path} holds what the server did not have there`);
    if (before !== undefined && facts.outcome === 'held') {
      assert.ok(isBack, `${path} was replaced by a run that was held`);
    }
  }

  /** It has gone from its path on the server, and its content came to another one: there it lies now. */
  #isRenamed(path: string, { moments, outcome }: RunFacts, now: ReadonlyMap<string, string>): boolean {
    const content = this.#files.get(path);
    if (outcome === 'held' || moments.every((state) => state.files.has(path))) return false;
    return [...now].some(
      ([other, sha256]) =>
        sha256 === content &&
        this.#files.get(other) !== sha256 &&
        moments.some((state) => looksLike(state, other, sha256)),
    );
  }

  #checkLoss(path: string, { outcome, rules, damaged }: RunFacts, states: ReadonlySet<string>): void {
    if (damaged.has(this.#files.get(path) ?? '')) return;
    if (outcome !== 'held' && isMadeWay(states)) return;
    if (this.#inDoubt.has(path) || this.#makingWay.has(path)) return;
    assert.ok(outcome !== 'held' && outcome !== 'incomplete', `${path} left current/ in a run that was ${outcome}`);
    assert.notEqual(rules.deletion, 'keep', `${path} left current/ although nothing may`);
    assert.ok(states.has('absent'), `${path} left current/ although it is on the server`);
    // This run itself is the second one.
    assert.ok(
      (this.#absences.get(path)?.atMost ?? 0) >= 1,
      `${path} left current/ when it was missed for the first time`,
    );
  }

  #noteAbsences({ outcome, moments, isLiedTo }: RunFacts, now: ReadonlyMap<string, string>, isSure: boolean): void {
    for (const path of now.keys()) {
      const states = moments.map((state) => stateAt(state, path));
      const isThere = states.some((state) => state.length === 64);
      const isGone = states.some((state) => state.length !== 64);
      const isExcluded = states.includes('excluded');
      const absence = this.#absences.get(path) ?? { atLeast: 0, atMost: 0 };
      if (isThere) absence.atLeast = 0;
      if (isThere && isSure) {
        this.#absences.delete(path);
        this.#kept.delete(path);
        continue;
      }
      if (outcome === 'complete') {
        if (isGone || isLiedTo) absence.atMost++;
        if (isSure && !isThere && !isExcluded) absence.atLeast++;
      }
      if (absence.atMost > 0) this.#absences.set(path, absence);
    }
    for (const path of this.#absences.keys()) if (!now.has(path)) this.#absences.delete(path);
  }

  #checkEqual({ moments, rules, isServerFaulty }: RunFacts, now: ReadonlyMap<string, string>): void {
    const [state] = moments;
    assert.ok(state !== undefined);
    assertAsOnServer(state, now);
    for (const path of now.keys()) {
      if (state.files.has(path) || stateAt(state, path) === 'excluded') continue;
      const { atLeast } = this.#absences.get(path) ?? { atLeast: 0 };
      const mustBeGone = rules.deletion !== 'keep' && atLeast >= 2 && !isServerFaulty;
      assert.ok(!mustBeGone || this.#kept.has(path), `${path} is still in current/ after two complete runs without it`);
      assert.equal(stateAt(state, path), 'absent', `${path} should have made way`);
    }
  }

  #changedTo(now: ReadonlyMap<string, string>): [string, string][] {
    return [...this.#files].filter(([path, sha256]) => now.get(path) !== sha256);
  }
}

function isMadeWay(states: ReadonlySet<string>): boolean {
  return states.has('folder') || states.has('below a file');
}

/** `now`: what lies under `current/` after a complete run. */
export function assertAsOnServer(state: SiteState, now: ReadonlyMap<string, string>): void {
  assert.ok(canEnterAll(state), 'complete although a folder could not be seen');
  for (const [path, sha256] of state.files) {
    // What has two names is copied under one of them, or under both: then both are as on the server.
    const here = now.get(path);
    const isElsewhere = state.names.get(path)?.some((name) => looksLike(state, name, now.get(name) ?? '')) === true;
    if (here === undefined ? isElsewhere : looksLike(state, path, here)) continue;
    assert.equal(here, sha256, `${path} is not as on the server after a complete run`);
  }
}

export function sorted(map: ReadonlyMap<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
