import type { Migration } from '../database.ts';

/** The schema of a task's database. Append only: a released step is never changed. */
export const TASK_MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-index-and-run',
    sql: `
      CREATE TABLE meta (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) WITHOUT ROWID;

      -- The index: what is known to lie under current/. Names and paths are the server's bytes as latin1 text.
      CREATE TABLE folder (
        id                INTEGER PRIMARY KEY,
        -- NULL for the root only.
        parent_id         INTEGER,
        path              TEXT NOT NULL UNIQUE,
        local_path        TEXT NOT NULL,
        unique_id         TEXT,
        -- Of the last listing that was complete and whose files are all in the index; NULL: compare entry by entry.
        fingerprint       BLOB,
        entry_count       INTEGER NOT NULL DEFAULT 0,
        file_count        INTEGER NOT NULL DEFAULT 0,
        complete_run      INTEGER,
        missing_since_run INTEGER
      );
      CREATE INDEX folder_parent ON folder (parent_id);
      CREATE INDEX folder_unique ON folder (unique_id) WHERE unique_id IS NOT NULL;

      CREATE TABLE file (
        folder_id         INTEGER NOT NULL,
        name              TEXT NOT NULL,
        size_bytes        INTEGER NOT NULL,
        -- The time as the listing told it, its reading, and how exact that is.
        stamp             TEXT,
        stamp_ms          INTEGER,
        precision         TEXT NOT NULL,
        -- The best that is known of the time: set on the file itself.
        modified_ms       INTEGER,
        unique_id         TEXT,
        mode              TEXT,
        sha256            BLOB NOT NULL,
        -- NULL: the same text as name.
        local_name        TEXT,
        run_id            INTEGER NOT NULL,
        -- 1: an edit could hide behind an equal stamp, so ask again at the next run.
        is_unsettled      INTEGER NOT NULL DEFAULT 0,
        missing_since_run INTEGER,
        PRIMARY KEY (folder_id, name)
      ) WITHOUT ROWID;

      CREATE TABLE link (
        folder_id INTEGER NOT NULL,
        name      TEXT NOT NULL,
        leads_to  TEXT NOT NULL,
        PRIMARY KEY (folder_id, name)
      ) WITHOUT ROWID;

      -- Runs, for people. outcome 'running' in a database that no process holds: the run was interrupted.
      CREATE TABLE run (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        started_ms  INTEGER NOT NULL,
        ended_ms    INTEGER,
        outcome     TEXT NOT NULL,
        resumes_run INTEGER,
        report      TEXT
      );

      CREATE TABLE run_event (
        id     INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        at_ms  INTEGER NOT NULL,
        level  TEXT NOT NULL,
        code   TEXT NOT NULL,
        path   TEXT,
        detail TEXT
      );
      CREATE INDEX run_event_of_run ON run_event (run_id, level);

      -- The work of the one run that is under way or can go on.
      CREATE TABLE run_folder (
        id              INTEGER PRIMARY KEY,
        parent_id       INTEGER,
        path            TEXT NOT NULL UNIQUE,
        depth           INTEGER NOT NULL,
        unique_id       TEXT,
        state           TEXT NOT NULL,
        -- NULL once listed: complete. Otherwise the code that says why it is not.
        incomplete      TEXT,
        detail          TEXT,
        fingerprint     BLOB,
        entry_count     INTEGER NOT NULL DEFAULT 0,
        file_count      INTEGER NOT NULL DEFAULT 0,
        is_unchanged    INTEGER NOT NULL DEFAULT 0,
        unchanged_count INTEGER NOT NULL DEFAULT 0,
        alias_of        TEXT,
        folder_id       INTEGER
      );
      CREATE INDEX run_folder_state ON run_folder (state, id);
      CREATE INDEX run_folder_unique ON run_folder (unique_id) WHERE unique_id IS NOT NULL;

      CREATE TABLE run_entry (
        run_folder_id INTEGER NOT NULL,
        name          TEXT NOT NULL,
        type          TEXT NOT NULL,
        size_bytes    INTEGER NOT NULL,
        stamp         TEXT,
        stamp_ms      INTEGER,
        precision     TEXT NOT NULL,
        unique_id     TEXT,
        mode          TEXT,
        leads_to      TEXT,
        PRIMARY KEY (run_folder_id, name)
      ) WITHOUT ROWID;

      CREATE TABLE run_step (
        id            INTEGER PRIMARY KEY,
        run_folder_id INTEGER NOT NULL,
        name          TEXT NOT NULL,
        action        TEXT NOT NULL,
        reason        TEXT NOT NULL,
        state         TEXT NOT NULL,
        -- Files that the step is about, and their size.
        file_count    INTEGER NOT NULL DEFAULT 1,
        size_bytes    INTEGER NOT NULL DEFAULT 0,
        local_path    TEXT NOT NULL,
        -- What arrived, from the moment it is whole: enough to make the record without asking the server again.
        got_size      INTEGER,
        got_ms        INTEGER,
        got_sha256    BLOB,
        is_unsettled  INTEGER NOT NULL DEFAULT 0,
        error_code    TEXT,
        error_detail  TEXT
      );
      CREATE INDEX run_step_state ON run_step (state, id);
      CREATE INDEX run_step_folder ON run_step (run_folder_id, state);
    `,
  },
  {
    name: '0002-event-size',
    sql: 'ALTER TABLE run_event ADD COLUMN size_bytes INTEGER;',
  },
];
