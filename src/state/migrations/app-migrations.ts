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
];
