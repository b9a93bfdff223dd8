import { FILTER_SETS } from './filter-sets.ts';
import { BYTES_PER_SECOND_MIN, CONNECTIONS_MAX, SPEED_HOURS_MAX } from './task-settings.ts';
import type { DeletionRule, KeepRule } from './task-settings.ts';

/** The longest path of a folder that settings accept, in UTF-8 bytes (Linux PATH_MAX). */
export const FOLDER_BYTES_MAX = 4096;
/** Patterns in one filter list, and the length of one, in characters. */
const PATTERNS_MAX = 1000;
const PATTERN_LENGTH_MAX = 1000;

const text = (allowed: string, lengthMax: number): object => ({
  type: 'string',
  minLength: 1,
  maxLength: lengthMax,
  allowed,
});

const whole = (minimum: number, maximum: number, byDefault: number): object => ({
  type: 'integer',
  minimum,
  maximum,
  default: byDefault,
  allowed: 'allowed.whole',
});

/** A whole number from 1 on, or null where the guard is to be off. */
const limit = (maximum: number, byDefault: number): object => ({
  type: 'integer',
  nullable: true,
  minimum: 1,
  maximum,
  default: byDefault,
  allowed: 'allowed.limit',
});

const truth = { type: 'boolean', default: true, allowed: 'allowed.boolean' };
const days = { type: 'number', exclusiveMinimum: 0, maximum: 36_500, allowed: 'allowed.days' };
const bytes = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, allowed: 'allowed.bytes' };
const bytesPerSecond = {
  type: 'integer',
  minimum: BYTES_PER_SECOND_MIN,
  maximum: Number.MAX_SAFE_INTEGER,
  allowed: 'allowed.speed',
};
const timeOfDay = { type: 'string', pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', allowed: 'allowed.time' };

const patterns = {
  type: 'array',
  maxItems: PATTERNS_MAX,
  items: text('allowed.pattern', PATTERN_LENGTH_MAX),
  default: [],
  allowed: 'allowed.patterns',
};

const group = (properties: object, required: readonly string[] = []): object => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  allowed: 'allowed.group',
});

const optionalGroup = (properties: object): object => ({ ...group(properties), default: {} });

/**
 * JSON Schema (draft 7) of a task as people write it. `allowed` is the text key of the sentence that says what may
 * stand there; it is the only word of ours in the schema. What a schema cannot say is in parse-task.ts.
 */
export const TASK_SCHEMA = {
  ...group(
    {
      $schema: { type: 'string', allowed: 'allowed.text' },
      name: text('allowed.name', 100),
      source: group(
        {
          protocol: { type: 'string', enum: ['ftp', 'ftps', 'ftps-implicit'], allowed: 'allowed.protocol' },
          host: text('allowed.host', 253),
          port: { type: 'integer', minimum: 1, maximum: 65_535, allowed: 'allowed.port' },
          user: text('allowed.user', 255),
          password: { type: 'string', maxLength: 1000, allowed: 'allowed.password' },
          passwordEnv: text('allowed.password-env', 200),
          passwordFile: text('allowed.password-file', FOLDER_BYTES_MAX),
          folder: text('allowed.remote-folder', FOLDER_BYTES_MAX),
          tls: optionalGroup({ fingerprint: text('allowed.fingerprint', 200) }),
          timeouts: optionalGroup({ connectSeconds: whole(1, 600, 20), idleSeconds: whole(1, 3600, 60) }),
        },
        ['protocol', 'host', 'user', 'folder'],
      ),
      target: group({ folder: text('allowed.target-folder', FOLDER_BYTES_MAX) }, ['folder']),
      filters: optionalGroup({
        include: patterns,
        exclude: patterns,
        sets: {
          type: 'array',
          maxItems: 100,
          items: { type: 'string', enum: Object.keys(FILTER_SETS), allowed: 'allowed.filter-set' },
          default: [],
          allowed: 'allowed.filter-sets',
        },
        minSizeBytes: bytes,
        maxSizeBytes: bytes,
        newerThanDays: days,
        olderThanDays: days,
      }),
      connections: {
        anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: CONNECTIONS_MAX }],
        default: 'auto',
        allowed: 'allowed.connections',
      },
      speed: optionalGroup({
        bytesPerSecond,
        byHour: {
          type: 'array',
          maxItems: SPEED_HOURS_MAX,
          items: group({ from: timeOfDay, to: timeOfDay, bytesPerSecond }, ['from', 'to', 'bytesPerSecond']),
          default: [],
          allowed: 'allowed.speed-hours',
        },
      }),
      retries: optionalGroup({
        attempts: whole(1, 20, 4),
        firstDelaySeconds: { type: 'number', minimum: 0, maximum: 3600, default: 2, allowed: 'allowed.number' },
      }),
      verification: optionalGroup({
        restat: truth,
        sampleBytes: { ...bytes, default: 64 * 1024 * 1024 },
        sampleSeconds: whole(0, 86_400, 120),
        rehashDays: whole(0, 3650, 90),
      }),
      deletion: optionalGroup({
        rule: {
          type: 'string',
          enum: ['keep', 'archive', 'delete'],
          default: 'archive',
          allowed: 'allowed.deletion-rule',
        },
        days: whole(1, 36_500, 90),
      }),
      versions: optionalGroup({
        keep: {
          type: 'string',
          enum: ['all', 'last', 'within', 'steps', 'smart'],
          default: 'smart',
          allowed: 'allowed.keep-rule',
        },
        count: whole(1, 10_000, 256),
        days: whole(1, 36_500, 90),
        hourly: whole(0, 10_000, 24),
        daily: whole(0, 10_000, 30),
        weekly: whole(0, 10_000, 12),
        monthly: whole(0, 10_000, 12),
        yearly: whole(0, 10_000, 5),
        quotaBytes: { ...bytes, minimum: 1 },
      }),
      guards: optionalGroup({
        vanishedPercent: limit(100, 10),
        vanishedFiles: limit(Number.MAX_SAFE_INTEGER, 500),
        changedPercent: limit(100, 30),
        shrunkPercent: limit(100, 50),
        emptiedFiles: limit(Number.MAX_SAFE_INTEGER, 20),
        suffixPercent: limit(100, 80),
        emptiedFolders: truth,
        serverChanged: truth,
      }),
    },
    ['name', 'source', 'target'],
  ),
} as const;

/** What a task looks like once the schema has accepted it and filled in its defaults. */
export interface TaskJson {
  name: string;
  source: {
    protocol: 'ftp' | 'ftps' | 'ftps-implicit';
    host: string;
    port?: number;
    user: string;
    password?: string;
    passwordEnv?: string;
    passwordFile?: string;
    folder: string;
    tls: { fingerprint?: string };
    timeouts: { connectSeconds: number; idleSeconds: number };
  };
  target: { folder: string };
  filters: {
    include: string[];
    exclude: string[];
    sets: string[];
    minSizeBytes?: number;
    maxSizeBytes?: number;
    newerThanDays?: number;
    olderThanDays?: number;
  };
  connections: 'auto' | number;
  speed: { bytesPerSecond?: number; byHour: { from: string; to: string; bytesPerSecond: number }[] };
  retries: { attempts: number; firstDelaySeconds: number };
  verification: { restat: boolean; sampleBytes: number; sampleSeconds: number; rehashDays: number };
  deletion: { rule: DeletionRule; days: number };
  versions: {
    keep: KeepRule;
    count: number;
    days: number;
    hourly: number;
    daily: number;
    weekly: number;
    monthly: number;
    yearly: number;
    quotaBytes?: number;
  };
  guards: Record<GuardLimit, number | null> & { emptiedFolders: boolean; serverChanged: boolean };
}

type GuardLimit =
  'vanishedPercent' | 'vanishedFiles' | 'changedPercent' | 'shrunkPercent' | 'emptiedFiles' | 'suffixPercent';
