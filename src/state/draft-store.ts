import type Database from 'better-sqlite3';
import type { Secret } from '../settings/secret.ts';
import type { SecretBox } from './secret-box.ts';
import { Statements } from './statements.ts';

/** What a form has been told so far, and is not a task yet. */
export interface StoredDraft {
  readonly id: string;
  /** As it was saved: the page that reads it has to bear what an earlier version wrote. */
  readonly content: Readonly<Record<string, unknown>>;
  /** Never goes back into a page. */
  readonly password: Secret | undefined;
  readonly updatedMs: number;
}

/** A draft is kept this long after its last change. */
export const DRAFT_MS = 24 * 60 * 60_000;
/** Beyond it the oldest is forgotten. */
export const DRAFTS_MAX = 200;

/** A draft's id: of a kind that nobody guesses and that may stand in a URL. */
const DRAFT_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isDraftId(text: string): boolean {
  return DRAFT_ID.test(text);
}

interface DraftRow {
  id: string;
  content: string;
  password: Buffer | null;
  updated_ms: number;
}

/** Drafts of tasks. Passwords lie sealed in it. */
export class DraftStore {
  readonly #statements: Statements;
  readonly #box: SecretBox;

  constructor(db: Database.Database, box: SecretBox) {
    this.#statements = new Statements(db);
    this.#box = box;
  }

  /** undefined where there is none, or it is older than DRAFT_MS. */
  get(id: string, nowMs: number): StoredDraft | undefined {
    const row = this.#statements
      .sql('SELECT * FROM draft WHERE id = ? AND updated_ms > ?')
      .get(id, nowMs - DRAFT_MS) as DraftRow | undefined;
    return row === undefined ? undefined : this.#draft(row);
  }

  /** The one that was changed last and holds more than a password; the list of tasks offers to go on with it. */
  latest(nowMs: number): StoredDraft | undefined {
    const row = this.#statements
      .sql(`SELECT * FROM draft WHERE updated_ms > ? AND content <> '{}' ORDER BY updated_ms DESC LIMIT 1`)
      .get(nowMs - DRAFT_MS) as DraftRow | undefined;
    return row === undefined ? undefined : this.#draft(row);
  }

  /** Adds or replaces it, and forgets those that are too old or too many. */
  save(id: string, content: Readonly<Record<string, unknown>>, password: Secret | undefined, nowMs: number): void {
    const sealed = password === undefined ? null : this.#box.seal(password, `draft ${id}`);
    this.#statements
      .sql('INSERT OR REPLACE INTO draft (id, content, password, updated_ms) VALUES (?, ?, ?, ?)')
      .run(id, JSON.stringify(content), sealed, nowMs);
    this.#statements
      .sql(
        `DELETE FROM draft WHERE updated_ms <= ?
         OR id NOT IN (SELECT id FROM draft ORDER BY updated_ms DESC, id LIMIT ?)`,
      )
      .run(nowMs - DRAFT_MS, DRAFTS_MAX);
  }

  remove(id: string): void {
    this.#statements.sql('DELETE FROM draft WHERE id = ?').run(id);
  }

  #draft(row: DraftRow): StoredDraft {
    return {
      id: row.id,
      content: JSON.parse(row.content) as Record<string, unknown>,
      password: row.password === null ? undefined : this.#box.unseal(row.password, `draft ${row.id}`),
      updatedMs: row.updated_ms,
    };
  }
}
