import type Database from 'better-sqlite3';
import { DEFAULT_APP_SETTINGS } from '../settings/app-settings.ts';
import type { AppSettings } from '../settings/app-settings.ts';
import { Statements } from './statements.ts';

/** What an administrator sets for the whole product; what was never set has its default. */
export class SettingsStore {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  read(): AppSettings {
    const rows = this.#statements.sql('SELECT key, value FROM setting').all() as { key: string; value: string }[];
    const stored = Object.fromEntries(rows.map((row) => [row.key, JSON.parse(row.value) as unknown]));
    return { ...DEFAULT_APP_SETTINGS, ...(stored as Partial<AppSettings>) };
  }

  /** The values must have been checked: see parse-app-settings.ts. */
  write(changes: Partial<AppSettings>): void {
    for (const [key, value] of Object.entries(changes)) {
      this.#statements.sql('INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)').run(key, JSON.stringify(value));
    }
  }
}
