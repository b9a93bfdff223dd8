import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import type { DeletionWish } from '../../src/engine/delete-version.ts';
import { VersionTree } from '../../src/state/version-tree.ts';
import { readPastTree } from '../support/read-past-tree.ts';
import { sorted } from './backup-model.ts';
import type { Rules } from './history.ts';

const DAY_MS = 86_400_000;
/** A tree of the past that no run can have touched is read at every so many runs. */
const READ_EVERY = 4;
/** Larger than what most folders hold, and smaller than what some do. */
const PAGE = 10;

interface Point {
  readonly runId: number;
  readonly startedMs: number;
  readonly isPinned: boolean;
  readonly isPruned: boolean;
  readonly outcome: string;
}

/** What the run that has just ended was allowed to give up. */
export interface PruneFacts {
  readonly outcome: string;
  readonly isCutOff: boolean;
  /** The disk failed. */
  readonly isDiskMet: boolean;
  readonly rules: Rules;
  /** By what time of day it did; undefined where nobody knows. */
  readonly nowMs: number | undefined;
}

/** Every tree of the past, as it was when its run ended: none may change, and none may go that the rules keep. */
export class PastModel {
  readonly #databasePath: string;
  readonly #targetFolder: string;
  readonly #damaged: Set<string>;
  readonly #trees = new Map<number, ReadonlyMap<string, string>>();
  readonly #pruned = new Set<number>();
  /** Since when each content of a path, `path sha256`, could be gone for good: it left because the server lost it. */
  readonly #leftMs = new Map<string, number>();
  #lastCompletePoint: number | undefined;
  #checks = 0;
  /** The shortest time for which any rule since then has kept what left. */
  #deletes = false;

  /** `damaged`: contents that may lie there as something else, or not at all. */
  constructor(databasePath: string, targetFolder: string, damaged: Set<string>) {
    this.#databasePath = databasePath;
    this.#targetFolder = targetFolder;
    this.#damaged = damaged;
  }

  /** `current`: what lies there now; undefined where the run was cut off and the disk may be ahead of the index. */
  afterRun(facts: PruneFacts, current: ReadonlyMap<string, string> | undefined): void {
    const db = new Database(this.#databasePath, { readonly: true });
    try {
      const runId = db.prepare('SELECT max(id) FROM run').pluck().get() as number;
      const tree = new VersionTree(db);
      const prunedBefore = this.#pruned.size;
      this.#noteRules(facts);
      if (facts.isDiskMet) this.#noteUnread(db);
      this.#checkPoints(pointsOf(db), runId, facts);
      this.#take(db, tree, runId, current);
      const isPruned = this.#pruned.size > prunedBefore;
      const canShrink = isPruned || facts.isCutOff || facts.rules.deletion === 'delete';
      const ids = [...this.#trees.keys()].filter((id) => !this.#isPruned(db, id));
      this.#checks++;
      for (const [index, id] of ids.entries()) {
        // To read all of them each time would take longer than all the rest; none is left out for long.
        const isDue = canShrink || index >= ids.length - 2 || (index + this.#checks) % READ_EVERY === 0;
        if (isDue) this.#checkTree(id, this.#trees.get(id) ?? new Map(), this.#read(tree, id), facts);
      }
      this.#lastCompletePoint = this.#pointOfLastComplete(db);
    } finally {
      db.close();
    }
  }

  /** A run's tree is what lay under `current/` when it ended. */
  #take(
    db: Database.Database,
    tree: VersionTree,
    runId: number,
    current: ReadonlyMap<string, string> | undefined,
  ): void {
    const now = this.#read(tree, runId);
    if (current !== undefined) {
      assert.deepEqual(sorted(now), sorted(current), `the tree as of run ${runId} is not what lies in current/`);
    }
    const earlier = this.#trees.get(Math.max(...this.#trees.keys()));
    const hasChanged = db.prepare('SELECT has_changed FROM run WHERE id = ?').pluck().get(runId) === 1;
    if (earlier !== undefined && !hasChanged && current !== undefined) {
      assert.deepEqual(sorted(now), sorted(earlier), `run ${runId} has changed the tree and is no version`);
    }
    this.#trees.set(runId, now);
  }

  #checkTree(
    id: number,
    before: ReadonlyMap<string, string>,
    now: ReadonlyMap<string, string>,
    { nowMs, rules }: PruneFacts,
  ): void {
    for (const [path, sha256] of before) {
      if (now.get(path) === sha256) continue;
      assert.equal(now.get(path), 'expired', `run ${id}: ${path} cannot be read as it was`);
      const leftMs = this.#leftMs.get(path);
      const isDue = this.#deletes && leftMs !== undefined && (nowMs ?? Infinity) - leftMs >= rules.days * DAY_MS;
      assert.ok(isDue || sha256 === 'expired', `run ${id}: ${path} was deleted before its days were over`);
    }
    const more = [...now.keys()].filter((path) => !before.has(path));
    assert.deepEqual(more, [], `run ${id}: there is more in the tree than there was`);
    this.#trees.set(id, now);
  }

  /** Older content that a failing disk did not give when it was read again is called altered from then on. */
  #noteUnread(db: Database.Database): void {
    const altered = db.prepare(`SELECT lower(hex(sha256)) FROM version WHERE state = 'altered'`).pluck().all();
    for (const sha256 of altered as string[]) this.#damaged.add(sha256);
  }

  #noteRules({ rules }: PruneFacts): void {
    this.#deletes = rules.deletion === 'delete';
  }

  /** The tree as of the last run, what it was moving when it was cut off included. */
  lastTree(): Map<string, string> {
    const db = new Database(this.#databasePath, { readonly: true });
    try {
      const runId = db.prepare('SELECT max(id) FROM run').pluck().get() as number | null;
      return runId === null ? new Map<string, string>() : this.#read(new VersionTree(db), runId);
    } finally {
      db.close();
    }
  }

  /** The state was lost and the folder adopted: every run that can be gone back to reads as before. */
  afterAdoption(): void {
    const db = new Database(this.#databasePath, { readonly: true });
    try {
      const lastRun = db.prepare('SELECT max(id) FROM run').pluck().get() as number;
      const tree = new VersionTree(db);
      for (const [id, before] of this.#trees) {
        // The manifest has the runs that changed something: the numbers of later ones are given out again.
        if (id > lastRun) this.#trees.delete(id);
        else if (!this.#isPruned(db, id)) {
          const now = this.#read(tree, id);
          assert.deepEqual(sorted(now), sorted(before), `run ${id} is another tree since the adoption`);
        }
      }
    } finally {
      db.close();
    }
  }

  /** Somebody has wished to delete one older content, or one version. `isDone`: it was not refused. */
  afterDeletion(wish: DeletionWish, sha256: string | undefined, isDone: boolean): void {
    const db = new Database(this.#databasePath, { readonly: true });
    try {
      const points = pointsOf(db);
      if (isDone && wish.kind === 'point') {
        const point = points.find(({ runId }) => runId === wish.runId);
        const isFree = point?.isPinned === false && wish.runId !== this.#lastCompletePoint && point !== points.at(-1);
        assert.ok(isFree, `version ${wish.runId} could be deleted`);
        this.#pruned.add(wish.runId);
      }
      const tree = new VersionTree(db);
      for (const [id, before] of this.#trees) {
        if (this.#isPruned(db, id)) continue;
        const now = this.#read(tree, id);
        for (const [path, content] of before) {
          if (now.get(path) === content) continue;
          const isWished = isDone && wish.kind === 'content' && content === sha256;
          assert.ok(
            isWished && now.get(path) === 'deleted',
            `run ${id}: ${path} went with something else that was deleted`,
          );
          const point = points.find(({ runId }) => runId === this.#pointOf(db, id));
          assert.equal(point?.isPinned, false, `run ${id}: ${path} was deleted from a pinned version`);
        }
        assert.deepEqual(
          [...now.keys()].sort(),
          [...before.keys()].sort(),
          `run ${id}: files are there or not since a deletion`,
        );
        this.#trees.set(id, now);
      }
    } finally {
      db.close();
    }
  }

  /** The index or the folder was put back from an older copy, and a run has looked: what was known is of no use any more. */
  afterPutBack(current: ReadonlyMap<string, string>): void {
    const db = new Database(this.#databasePath, { readonly: true });
    try {
      this.#trees.clear();
      this.#pruned.clear();
      for (const { runId, isPruned } of pointsOf(db)) if (isPruned) this.#pruned.add(runId);
      this.#lastCompletePoint = this.#pointOfLastComplete(db);
      this.#take(db, new VersionTree(db), db.prepare('SELECT max(id) FROM run').pluck().get() as number, current);
    } finally {
      db.close();
    }
  }

  /** `path` left because the server had lost it. */
  noteVanished(path: string, nowMs: number): void {
    const first = this.#leftMs.get(path);
    this.#leftMs.set(path, first === undefined ? nowMs : Math.min(first, nowMs));
  }

  #checkPoints(points: readonly Point[], runId: number, facts: PruneFacts): void {
    const fresh = points.filter((point) => point.isPruned && !this.#pruned.has(point.runId));
    for (const { runId: id, isPinned } of fresh) {
      this.#pruned.add(id);
      assert.ok(
        facts.outcome !== 'held' && facts.outcome !== 'incomplete',
        `version ${id} went in a run: ${facts.outcome}`,
      );
      assert.ok(!isPinned, `the pinned version ${id} went`);
      assert.notEqual(id, this.#lastCompletePoint, `version ${id}, the last complete one, went`);
      assert.notEqual(id, runId, `version ${id} went in its own run`);
      const isOverQuota = facts.rules.quotaBytes !== undefined;
      assert.ok(facts.rules.keep !== 'all' || isOverQuota, `version ${id} went although all are to be kept`);
    }
    if (facts.outcome !== 'complete' || facts.isCutOff || facts.rules.quotaBytes !== undefined) return;
    const expected = this.#expectedToStay(points, fresh, facts);
    if (expected === undefined) return;
    const left = points.filter((point) => !point.isPruned).map((point) => point.runId);
    assert.deepEqual(left, expected, `versions that are left under the rule "${facts.rules.keep}"`);
  }

  /** For the rules whose meaning is one line. */
  #expectedToStay(
    points: readonly Point[],
    fresh: readonly Point[],
    { rules, nowMs }: PruneFacts,
  ): number[] | undefined {
    if (nowMs === undefined) return undefined;
    const before = points.filter((point) => !point.isPruned || fresh.includes(point));
    const keeps = (point: Point, at: number): boolean => {
      if (point.isPinned || point.runId === this.#lastCompletePoint || at === before.length - 1) return true;
      if (rules.keep === 'last') return at >= before.length - rules.count;
      return rules.keep === 'all' || point.startedMs >= nowMs - rules.count * DAY_MS;
    };
    return rules.keep === 'all' || rules.keep === 'last' || rules.keep === 'within'
      ? before.filter(keeps).map((point) => point.runId)
      : undefined;
  }

  #read(tree: VersionTree, runId: number): Map<string, string> {
    return readPastTree(tree, runId, this.#targetFolder, PAGE, this.#damaged);
  }

  #isPruned(db: Database.Database, runId: number): boolean {
    const point = this.#pointOf(db, runId);
    return point !== undefined && this.#pruned.has(point);
  }

  #pointOfLastComplete(db: Database.Database): number | undefined {
    const complete = db.prepare(`SELECT max(id) FROM run WHERE outcome = 'complete'`).pluck().get() as number | null;
    return complete === null ? undefined : this.#pointOf(db, complete);
  }

  #pointOf(db: Database.Database, runId: number): number | undefined {
    const id = db.prepare('SELECT max(id) FROM run WHERE has_changed = 1 AND id <= ?').pluck().get(runId) as
      number | null;
    return id ?? undefined;
  }
}

function pointsOf(db: Database.Database): Point[] {
  const rows = db
    .prepare('SELECT id, started_ms, is_pinned, pruned_ms, outcome FROM run WHERE has_changed = 1 ORDER BY id')
    .all() as { id: number; started_ms: number; is_pinned: number; pruned_ms: number | null; outcome: string }[];
  return rows.map((row) => ({
    runId: row.id,
    startedMs: row.started_ms,
    isPinned: row.is_pinned === 1,
    isPruned: row.pruned_ms !== null,
    outcome: row.outcome,
  }));
}
