import type { Migration } from '../database.ts';

/** The schema of the application's database. Append only: a released step is never changed. */
export const APP_MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-host-limits',
    sql: `
      CREATE TABLE host_limit (
        host_key    TEXT PRIMARY KEY,
        connections INTEGER NOT NULL,
        learned_ms  INTEGER NOT NULL
      ) WITHOUT ROWID;
    `,
  },
  {
    name: '0002-service',
    sql: `
      CREATE TABLE task (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        name       TEXT NOT NULL UNIQUE,
        -- Names the task's own database; never changes, whatever the task is called.
        state_key  TEXT NOT NULL UNIQUE,
        settings   TEXT NOT NULL,
        password   BLOB NOT NULL,
        schedule   TEXT NOT NULL,
        is_paused  INTEGER NOT NULL DEFAULT 0,
        -- Grows with every change: a form that was opened before does not overwrite a later one.
        revision   INTEGER NOT NULL DEFAULT 1,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL
      );

      -- What a wizard has been told so far.
      CREATE TABLE draft (
        id         TEXT PRIMARY KEY,
        content    TEXT NOT NULL,
        password   BLOB,
        updated_ms INTEGER NOT NULL
      ) WITHOUT ROWID;

      CREATE TABLE setting (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) WITHOUT ROWID;

      -- Every run of every task, for lists and charts; its details lie in the task's own database.
      CREATE TABLE run (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        task_id      INTEGER NOT NULL,
        task_name    TEXT NOT NULL,
        local_run_id INTEGER,
        cause        TEXT NOT NULL,
        started_by   TEXT,
        queued_ms    INTEGER NOT NULL,
        started_ms   INTEGER,
        ended_ms     INTEGER,
        outcome      TEXT NOT NULL,
        report       TEXT
      );
      CREATE INDEX run_of_task ON run (task_id, id);
      CREATE INDEX run_open ON run (outcome) WHERE ended_ms IS NULL;

      -- What people and the service did beside runs.
      CREATE TABLE activity (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms   INTEGER NOT NULL,
        actor   TEXT,
        action  TEXT NOT NULL,
        subject TEXT,
        detail  TEXT
      );

      CREATE TABLE account (
        name          TEXT PRIMARY KEY,
        password_hash TEXT NOT NULL,
        changed_ms    INTEGER NOT NULL
      ) WITHOUT ROWID;

      CREATE TABLE session (
        -- SHA-256 of the token that the browser holds.
        token_hash BLOB PRIMARY KEY,
        account    TEXT NOT NULL,
        csrf       TEXT NOT NULL,
        address    TEXT NOT NULL,
        browser    TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        seen_ms    INTEGER NOT NULL
      ) WITHOUT ROWID;
    `,
  },
  {
    name: '0003-run-time',
    sql: `CREATE INDEX run_queued ON run (queued_ms);`,
  },
];
