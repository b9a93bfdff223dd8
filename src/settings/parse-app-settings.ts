import type { AppSettings } from './app-settings.ts';
import { schemaCheck } from './json-schema.ts';
import type { SettingsFault } from './settings-fault.ts';

export const RUNS_AT_ONCE_MAX = 10;
export const HOST_CONNECTIONS_MAX = 40;
export const IDLE_MINUTES_MAX = 7 * 24 * 60;
export const LOG_DAYS_MAX = 3650;
const FOLDER_ROOTS_MAX = 50;

/** JSON Schema (draft 7) of the application's settings. */
export const APP_SETTINGS_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    language: { enum: ['browser', 'en', 'fr'] },
    theme: { enum: ['auto', 'light', 'dark'] },
    timeZone: { type: 'string', maxLength: 100 },
    hasShortcuts: { type: 'boolean' },
    runsMax: { type: 'integer', minimum: 1, maximum: RUNS_AT_ONCE_MAX },
    hostConnectionsMax: { type: 'integer', minimum: 1, maximum: HOST_CONNECTIONS_MAX },
    idleMinutes: { type: 'integer', minimum: 5, maximum: IDLE_MINUTES_MAX },
    logDays: { type: 'integer', minimum: 1, maximum: LOG_DAYS_MAX },
    schedulesPausedUntilMs: { type: 'integer', minimum: 0 },
    schedulesResumedMs: { type: 'integer', minimum: 0 },
    folderRoots: {
      type: 'array',
      maxItems: FOLDER_ROOTS_MAX,
      items: { type: 'string', maxLength: 4096, pattern: '^/[^\\u0000-\\u001f]+$' },
    },
  },
} as const;

const appSettingsCheck = schemaCheck(APP_SETTINGS_SCHEMA);

/** Checks some of the application's settings. Paths of faults begin with the name of the setting: `/runsMax`. */
export function parseAppSettings(
  json: unknown,
): { changes: Partial<AppSettings> } | { faults: readonly SettingsFault[] } {
  const check = appSettingsCheck();
  const faults = new Map<string, SettingsFault>();
  const add = (name: string): void => {
    faults.set(name, { path: `/${name}`, key: 'fault.value', facts: {}, allowed: undefined });
  };
  if (!check(json)) {
    for (const error of check.errors ?? []) add(error.instancePath.split('/')[1] ?? '');
    return { faults: [...faults.values()] };
  }
  const changes = json as Partial<AppSettings>;
  if (changes.timeZone !== undefined && changes.timeZone !== 'system' && !isTimeZone(changes.timeZone)) add('timeZone');
  const hasDots = changes.folderRoots?.some((path) => path.split('/').some((part) => part === '.' || part === '..'));
  if (hasDots === true) add('folderRoots');
  return faults.size > 0 ? { faults: [...faults.values()] } : { changes };
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    // An offset is none: it knows no summer time.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
