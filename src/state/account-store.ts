import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** One browser that is signed in. */
export interface StoredSession {
  /** SHA-256 of the token that the browser holds; the token itself is kept nowhere. */
  readonly tokenHash: Buffer;
  readonly account: string;
  /** What every form of this session must send back. */
  readonly csrfToken: string;
  readonly address: string;
  /** The browser's own name for itself. */
  readonly browser: string;
  readonly createdMs: number;
  readonly seenMs: number;
}

interface SessionRow {
  token_hash: Buffer;
  account: string;
  csrf: string;
  address: string;
  browser: string;
  created_ms: number;
  seen_ms: number;
}

/** Who may enter the pages by password, and where they are signed in. */
export class AccountStore {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  /** False before the first set-up. */
  hasAccount(): boolean {
    return this.#statements.value('SELECT 1 FROM account LIMIT 1').get() !== undefined;
  }

  /** The account as it was written at set-up, whatever the case of the letters in `name`. */
  find(name: string): { readonly name: string; readonly passwordHash: string } | undefined {
    const row = this.#statements
      .sql('SELECT name, password_hash FROM account WHERE name = ? COLLATE NOCASE')
      .get(name) as { name: string; password_hash: string } | undefined;
    return row === undefined ? undefined : { name: row.name, passwordHash: row.password_hash };
  }

  /** Makes the first account. False, and nothing changes, where there is one already. */
  addFirst(name: string, passwordHash: string, nowMs: number): boolean {
    const result = this.#statements
      .sql(
        `INSERT INTO account (name, password_hash, changed_ms)
         SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM account)`,
      )
      .run(name, passwordHash, nowMs);
    return result.changes === 1;
  }

  setPasswordHash(name: string, passwordHash: string, nowMs: number): void {
    this.#statements
      .sql('UPDATE account SET password_hash = ?, changed_ms = ? WHERE name = ?')
      .run(passwordHash, nowMs, name);
  }

  addSession(session: StoredSession): void {
    this.#statements
      .sql(
        `INSERT INTO session (token_hash, account, csrf, address, browser, created_ms, seen_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        session.tokenHash,
        session.account,
        session.csrfToken,
        session.address,
        session.browser,
        session.createdMs,
        session.seenMs,
      );
  }

  session(tokenHash: Buffer): StoredSession | undefined {
    const row = this.#statements.sql('SELECT * FROM session WHERE token_hash = ?').get(tokenHash) as
      SessionRow | undefined;
    return row === undefined ? undefined : storedSession(row);
  }

  /** Those of one account, the last seen first. */
  sessions(account: string): StoredSession[] {
    const rows = this.#statements
      .sql('SELECT * FROM session WHERE account = ? ORDER BY seen_ms DESC')
      .all(account) as SessionRow[];
    return rows.map(storedSession);
  }

  isKnownAddress(account: string, address: string): boolean {
    return (
      this.#statements
        .value('SELECT 1 FROM session WHERE account = ? AND address = ? LIMIT 1')
        .get(account, address) !== undefined
    );
  }

  setSeen(tokenHash: Buffer, nowMs: number): void {
    this.#statements.sql('UPDATE session SET seen_ms = ? WHERE token_hash = ?').run(nowMs, tokenHash);
  }

  removeSession(tokenHash: Buffer): void {
    this.#statements.sql('DELETE FROM session WHERE token_hash = ?').run(tokenHash);
  }

  /** All of the account, but `exceptTokenHash`. Gives how many there were. */
  removeSessions(account: string, exceptTokenHash?: Buffer): number {
    return this.#statements
      .sql('DELETE FROM session WHERE account = ? AND token_hash IS NOT ?')
      .run(account, exceptTokenHash ?? null).changes;
  }

  /** Forgets sessions that began before `createdMs` or were last seen before `seenMs`. */
  removeSessionsBefore(createdMs: number, seenMs: number): void {
    this.#statements.sql('DELETE FROM session WHERE created_ms < ? OR seen_ms < ?').run(createdMs, seenMs);
  }
}

function storedSession(row: SessionRow): StoredSession {
  return {
    tokenHash: row.token_hash,
    account: row.account,
    csrfToken: row.csrf,
    address: row.address,
    browser: row.browser,
    createdMs: row.created_ms,
    seenMs: row.seen_ms,
  };
}
