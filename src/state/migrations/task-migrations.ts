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
  {
    name: '0003-versions',
    sql: `
      -- Older content of a path: what lay there from the end of since_run until until_run replaced or retired it.
      CREATE TABLE version (
        id          INTEGER PRIMARY KEY,
        path        TEXT NOT NULL,
        since_run   INTEGER NOT NULL,
        until_run   INTEGER NOT NULL,
        -- The run that brought the content; before since_run where the file was renamed on the server.
        content_run INTEGER NOT NULL,
        reason      TEXT NOT NULL,
        size_bytes  INTEGER NOT NULL,
        stamp       TEXT,
        modified_ms INTEGER,
        mode        TEXT,
        sha256      BLOB NOT NULL,
        -- Where it lies: versions/<folder>/<local_path>. NULL: the content went on under the path moved_to.
        folder      TEXT,
        local_path  TEXT,
        moved_to    TEXT,
        retired_ms  INTEGER NOT NULL,
        -- 'moving' until the file is known to lie there.
        state       TEXT NOT NULL
      );
      CREATE INDEX version_path ON version (path, until_run);
      CREATE INDEX version_until ON version (until_run);
      CREATE INDEX version_moved ON version (moved_to) WHERE moved_to IS NOT NULL;
      CREATE INDEX version_moving ON version (state) WHERE state <> 'kept';

      -- NULL: run_id, which is the run that brought the content.
      ALTER TABLE file ADD COLUMN since_run INTEGER;
      -- When the content was last read from the server and found equal; when the copy here was last read and found whole.
      ALTER TABLE file ADD COLUMN verified_ms INTEGER;
      ALTER TABLE file ADD COLUMN rehashed_ms INTEGER;
      CREATE INDEX file_missing ON file (missing_since_run) WHERE missing_since_run IS NOT NULL;

      ALTER TABLE run ADD COLUMN is_pinned INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE run ADD COLUMN pruned_ms INTEGER;

      -- Runs that a guard has held, and what was decided.
      CREATE TABLE hold (
        id         INTEGER PRIMARY KEY,
        run_id     INTEGER NOT NULL,
        at_ms      INTEGER NOT NULL,
        findings   TEXT NOT NULL,
        -- 'open', 'kept', 'accepted', 'passed' (gone by itself, or by other limits)
        decision   TEXT NOT NULL,
        decided_ms INTEGER,
        decided_by TEXT,
        -- The run that made use of the acceptance.
        used_run   INTEGER
      );
    `,
  },
  {
    name: '0004-trees-of-the-past',
    sql: `
      -- Nothing has written versions before this step.
      DROP TABLE version;
      CREATE TABLE version (
        id          INTEGER PRIMARY KEY,
        path        TEXT NOT NULL,
        -- The path of its folder, so that one folder of the past can be listed.
        parent      TEXT NOT NULL,
        since_run   INTEGER NOT NULL,
        until_run   INTEGER NOT NULL,
        -- The run that brought the content; before since_run where the file was renamed on the server.
        content_run INTEGER NOT NULL,
        -- 'replaced', 'made-way' (for something of another kind), 'vanished', 'renamed'
        reason      TEXT NOT NULL,
        size_bytes  INTEGER NOT NULL,
        stamp       TEXT,
        stamp_ms    INTEGER,
        precision   TEXT NOT NULL,
        modified_ms INTEGER,
        unique_id   TEXT,
        mode        TEXT,
        sha256      BLOB NOT NULL,
        -- Where it lay below current/.
        origin      TEXT NOT NULL,
        -- Where it lies: versions/<folder>/<local_path>. NULL: nowhere under this path; see moved_to and state.
        folder      TEXT,
        local_path  TEXT,
        -- Renamed on the server: the content went on under this path, and to this place below current/.
        moved_to    TEXT,
        moved_place TEXT,
        retired_ms  INTEGER NOT NULL,
        -- 'moving' until the file is known to lie there, then 'kept'. 'altered': what lay in current/ was not what the run
        -- had brought. 'lost': nothing lay there. 'expired': deleted by the rule for vanished files. 'pruning': going.
        state       TEXT NOT NULL
      );
      CREATE INDEX version_parent ON version (parent, path, until_run);
      CREATE INDEX version_path ON version (path, until_run);
      CREATE INDEX version_until ON version (until_run);
      CREATE INDEX version_unsettled ON version (state, id) WHERE state IN ('moving', 'pruning');
      CREATE INDEX version_vanished ON version (retired_ms) WHERE reason = 'vanished' AND folder IS NOT NULL;

      -- NULL: since a run before this step.
      ALTER TABLE folder ADD COLUMN since_run INTEGER;
      -- Folders that current/ had from the end of since_run until until_run.
      CREATE TABLE past_folder (
        path       TEXT NOT NULL,
        parent     TEXT,
        local_path TEXT NOT NULL,
        since_run  INTEGER NOT NULL,
        until_run  INTEGER NOT NULL,
        PRIMARY KEY (path, until_run)
      ) WITHOUT ROWID;
      CREATE INDEX past_folder_parent ON past_folder (parent, path);
      CREATE INDEX folder_missing ON folder (missing_since_run) WHERE missing_since_run IS NOT NULL;

      -- 1: what lay under current/ after this run was not what lay there before.
      ALTER TABLE run ADD COLUMN has_changed INTEGER NOT NULL DEFAULT 0;
      UPDATE run SET has_changed = 1 WHERE id IN (SELECT DISTINCT run_id FROM file);

      -- For a rename: the path under which the file was known.
      ALTER TABLE run_step ADD COLUMN from_path TEXT;
    `,
  },
  {
    name: '0005-kept-files',
    sql: `
      -- The run from which on the file stays although it is missing, because somebody has decided so: it is never retired.
      ALTER TABLE file ADD COLUMN kept_run INTEGER;
    `,
  },
  {
    name: '0006-proof',
    sql: `
      -- 'differs': the server's content is another, although its listing says nothing of it; the file is brought again.
      -- 'copy': what lies here is not what was brought; the next run that looks anew sets it aside and brings the file again.
      ALTER TABLE file ADD COLUMN doubt TEXT;
      CREATE INDEX file_doubt ON file (doubt) WHERE doubt IS NOT NULL;
      -- As the record had it, for a file that goes back to its record.
      ALTER TABLE version ADD COLUMN doubt TEXT;
      ALTER TABLE version ADD COLUMN rehashed_ms INTEGER;

      -- 1: programs and pages, where an edit that nobody sees does harm.
      ALTER TABLE file ADD COLUMN is_code INTEGER GENERATED ALWAYS AS (
        lower(name) GLOB '*.php*' OR lower(name) GLOB '*.phtml' OR lower(name) GLOB '*.inc' OR lower(name) GLOB '*.js'
        OR lower(name) GLOB '*.mjs' OR lower(name) GLOB '*.ts' OR lower(name) GLOB '*.htm*' OR lower(name) GLOB '*.shtml'
        OR lower(name) GLOB '*.css' OR lower(name) GLOB '*.svg' OR lower(name) GLOB '*.py' OR lower(name) GLOB '*.pl'
        OR lower(name) GLOB '*.cgi' OR lower(name) GLOB '*.rb' OR lower(name) GLOB '*.sh' OR lower(name) GLOB '*.asp*'
        OR lower(name) GLOB '*.jsp*' OR lower(name) GLOB '*.twig' OR lower(name) GLOB '*.json' OR lower(name) GLOB '*.xml'
        OR lower(name) GLOB '*.y*ml' OR lower(name) GLOB '*.ini' OR lower(name) GLOB '*.sql' OR name GLOB '.*'
      ) VIRTUAL;
      -- What was never looked at comes first.
      CREATE INDEX file_verified ON file (is_code, coalesce(verified_ms, 0)) WHERE missing_since_run IS NULL;
      CREATE INDEX file_rehashed ON file (coalesce(rehashed_ms, 0));
      CREATE INDEX version_rehashed ON version (coalesce(rehashed_ms, 0)) WHERE state = 'kept' AND folder IS NOT NULL;
    `,
  },
  {
    name: '0007-past-at-a-glance',
    sql: `
      -- A folder of the past is listed, content between two versions found, and all of it added up, from an index alone.
      DROP INDEX version_parent;
      CREATE INDEX version_parent ON version (parent, path, until_run, since_run, state);
      DROP INDEX version_until;
      CREATE INDEX version_until ON version (until_run, content_run);
      CREATE INDEX version_stored ON version (until_run, content_run, state, size_bytes) WHERE folder IS NOT NULL;
      CREATE INDEX run_pinned ON run (id) WHERE is_pinned = 1 AND pruned_ms IS NULL;
      -- Where content had come from that lies under another path now.
      CREATE INDEX version_moved ON version (moved_to, until_run) WHERE moved_to IS NOT NULL;
      -- Content that was deleted by hand has the state 'deleted'; with its place until the file is known to be gone.
      CREATE INDEX version_deleted ON version (id) WHERE state = 'deleted' AND folder IS NOT NULL;
    `,
  },
  {
    name: '0008-findings',
    sql: `
      -- What reading content again has found: looked for by its path before it is added, once for each of very many.
      CREATE INDEX run_step_finding ON run_step (name) WHERE action = 'verify';
    `,
  },
];
