import { randomUUID } from 'node:crypto';
import type Database from 'better-sqlite3';
import { parseTaskSettings } from '../settings/parse-task.ts';
import { NO_SECRETS } from '../settings/password-source.ts';
import type { Schedule } from '../settings/schedule.ts';
import { Secret } from '../settings/secret.ts';
import type { SettingsFault } from '../settings/settings-fault.ts';
import { taskSettingsJson } from '../settings/task-settings-json.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import type { SecretBox } from './secret-box.ts';
import { Statements } from './statements.ts';

/** A configured task. */
export interface StoredTask {
  readonly id: number;
  readonly name: string;
  /** Names the task's own database. */
  readonly stateKey: string;
  /** undefined where what is stored cannot be used any more; `faults` says why, and the other tasks go on. */
  readonly settings: TaskSettings | undefined;
  readonly faults: readonly SettingsFault[];
  readonly schedule: Schedule;
  readonly isPaused: boolean;
  readonly revision: number;
  readonly createdMs: number;
  readonly updatedMs: number;
}

interface TaskRow {
  id: number;
  name: string;
  state_key: string;
  settings: string;
  password: Buffer;
  schedule: string;
  is_paused: number;
  revision: number;
  created_ms: number;
  updated_ms: number;
}

/** What a row's texts have been read as. */
interface ReadSettings extends Pick<StoredTask, 'settings' | 'faults'> {
  readonly json: string;
  readonly password: Buffer;
}

/** The tasks. Passwords lie sealed in it. */
export class TaskStore {
  readonly #statements: Statements;
  readonly #box: SecretBox;
  /** By task: to check the settings of fifty tasks takes longer than to show them. */
  readonly #read = new Map<number, ReadSettings>();

  constructor(db: Database.Database, box: SecretBox) {
    this.#statements = new Statements(db);
    this.#box = box;
  }

  /** All, by name. */
  list(): StoredTask[] {
    return (this.#statements.sql('SELECT * FROM task ORDER BY name COLLATE NOCASE, id').all() as TaskRow[]).map((row) =>
      this.#task(row),
    );
  }

  get(id: number): StoredTask | undefined {
    const row = this.#statements.sql('SELECT * FROM task WHERE id = ?').get(id) as TaskRow | undefined;
    return row === undefined ? undefined : this.#task(row);
  }

  /** The id of the task with this name, in any case of letters. */
  idByName(name: string): number | undefined {
    return this.#statements.value('SELECT id FROM task WHERE name = ? COLLATE NOCASE').get(name) as number | undefined;
  }

  add(settings: TaskSettings, schedule: Schedule, nowMs: number): number {
    const stateKey = randomUUID();
    const password = this.#box.seal(settings.source.password, stateKey);
    const result = this.#statements
      .sql(
        `INSERT INTO task (name, state_key, settings, password, schedule, created_ms, updated_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(settings.name, stateKey, json(settings), password, JSON.stringify(schedule), nowMs, nowMs);
    return Number(result.lastInsertRowid);
  }

  /** False, and nothing changes, where the task has been changed since `revision`, or is gone. */
  update(id: number, revision: number, settings: TaskSettings, schedule: Schedule, nowMs: number): boolean {
    const stateKey = this.#statements.value('SELECT state_key FROM task WHERE id = ?').get(id) as string | undefined;
    if (stateKey === undefined) return false;
    const password = this.#box.seal(settings.source.password, stateKey);
    const result = this.#statements
      .sql(
        `UPDATE task SET name = ?, settings = ?, password = ?, schedule = ?, revision = revision + 1, updated_ms = ?
         WHERE id = ? AND revision = ?`,
      )
      .run(settings.name, json(settings), password, JSON.stringify(schedule), nowMs, id, revision);
    return result.changes === 1;
  }

  /** What fell due during a pause is not made up for: the change counts from `nowMs`. */
  setPaused(id: number, isPaused: boolean, nowMs: number): void {
    this.#statements
      .sql('UPDATE task SET is_paused = ?, updated_ms = ? WHERE id = ? AND is_paused <> ?')
      .run(isPaused ? 1 : 0, nowMs, id, isPaused ? 1 : 0);
  }

  /** Forgets the task and its password. What lies on disk stays. */
  remove(id: number): void {
    this.#statements.sql('DELETE FROM task WHERE id = ?').run(id);
    this.#read.delete(id);
  }

  #task(row: TaskRow): StoredTask {
    const { settings, faults } = this.#settingsOf(row);
    return {
      id: row.id,
      name: row.name,
      stateKey: row.state_key,
      settings,
      faults,
      schedule: JSON.parse(row.schedule) as Schedule,
      isPaused: row.is_paused === 1,
      revision: row.revision,
      createdMs: row.created_ms,
      updatedMs: row.updated_ms,
    };
  }

  #settingsOf(row: TaskRow): ReadSettings {
    const known = this.#read.get(row.id);
    if (known?.json === row.settings && known.password.equals(row.password)) return known;
    const password = this.#box.unseal(row.password, row.state_key) ?? new Secret('');
    const stored = JSON.parse(row.settings) as ReturnType<typeof taskSettingsJson>;
    const source = { ...stored.source, password: password.reveal() };
    const parsed = parseTaskSettings({ ...stored, source }, NO_SECRETS);
    const read = {
      settings: 'settings' in parsed ? parsed.settings : undefined,
      faults: 'faults' in parsed ? parsed.faults : [],
      json: row.settings,
      password: row.password,
    };
    this.#read.set(row.id, read);
    return read;
  }
}

function json(settings: TaskSettings): string {
  return JSON.stringify(taskSettingsJson(settings));
}
