import type Database from 'better-sqlite3';
import type { GuardFinding } from '../settings/guard-finding.ts';
import { Statements } from './statements.ts';

/** What a guard has found, with the first few paths as people read them. */
export interface HeldFinding extends GuardFinding {
  readonly examples: readonly string[];
}

/** Files of one folder before and now. */
export interface FolderLoss {
  readonly path: string;
  readonly before: number;
  readonly now: number;
}

/** Why a run was held, in numbers of files. */
export interface HoldFindings {
  readonly findings: readonly HeldFinding[];
  /** That the backup holds and that were on the server at the last look. */
  readonly files: number;
  readonly vanished: number;
  /** Files here that other content would have replaced. */
  readonly replaced: number;
  /** The folders that have lost most. */
  readonly folders: readonly FolderLoss[];
}

/** `passed`: what was found has gone by itself, or other limits allow it. */
export type HoldDecision = 'open' | 'kept' | 'accepted' | 'passed';

/** A held run, and what was decided. */
export interface Hold extends HoldFindings {
  readonly id: number;
  /** The newest run that was held for this. */
  readonly runId: number;
  /** When the first one was. */
  readonly atMs: number;
  readonly decision: HoldDecision;
  readonly decidedMs: number | undefined;
  readonly decidedBy: string | undefined;
  /** The run that has acted on the decision. */
  readonly usedRun: number | undefined;
}

interface HoldRow {
  id: number;
  run_id: number;
  at_ms: number;
  findings: string;
  decision: HoldDecision;
  decided_ms: number | null;
  decided_by: string | null;
  used_run: number | null;
}

/** The held runs of one task. Only the newest one matters; there is never more than one without a decision. */
export class HoldStore {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  newest(): Hold | undefined {
    const row = this.#statements.sql('SELECT * FROM hold ORDER BY id DESC LIMIT 1').get() as HoldRow | undefined;
    return row === undefined ? undefined : hold(row);
  }

  /** The hold that waits for a decision. While there is one, nothing is retired or pruned. */
  open(): Hold | undefined {
    const newest = this.newest();
    return newest?.decision === 'open' ? newest : undefined;
  }

  /** A run is held: anew, or still for what waits for a decision. */
  hold(runId: number, nowMs: number, found: HoldFindings): void {
    const open = this.open();
    const findings = JSON.stringify(found);
    if (open === undefined) {
      this.#statements
        .sql(`INSERT INTO hold (run_id, at_ms, findings, decision) VALUES (?, ?, ?, 'open')`)
        .run(runId, nowMs, findings);
    } else {
      this.#statements.sql('UPDATE hold SET run_id = ?, findings = ? WHERE id = ?').run(runId, findings, open.id);
    }
  }

  /**
   * `runId`: the held run that was shown. False where that does not wait for a decision: somebody else was quicker, or a
   * later run was held for what may be more.
   */
  decide(runId: number, decision: 'kept' | 'accepted', nowMs: number, decidedBy: string | undefined): boolean {
    const result = this.#statements
      .sql(`UPDATE hold SET decision = ?, decided_ms = ?, decided_by = ? WHERE run_id = ? AND decision = 'open'`)
      .run(decision, nowMs, decidedBy ?? null, runId);
    return result.changes > 0;
  }

  /** True where what the run `runId` has held was accepted and not done yet. */
  isAccepted(runId: number): boolean {
    const newest = this.newest();
    return newest?.decision === 'accepted' && newest.usedRun === undefined && newest.runId === runId;
  }

  /** Nothing is to be decided any more. */
  pass(): void {
    this.#statements.sql(`UPDATE hold SET decision = 'passed' WHERE decision = 'open'`).run();
  }

  /** The decision has been acted on: it holds for no further run. */
  use(id: number, runId: number): void {
    this.#statements.sql('UPDATE hold SET used_run = ? WHERE id = ?').run(runId, id);
  }
}

function hold(row: HoldRow): Hold {
  return {
    ...(JSON.parse(row.findings) as HoldFindings),
    id: row.id,
    runId: row.run_id,
    atMs: row.at_ms,
    decision: row.decision,
    decidedMs: row.decided_ms ?? undefined,
    decidedBy: row.decided_by ?? undefined,
    usedRun: row.used_run ?? undefined,
  };
}
