import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { posix } from 'node:path';
import { domainToASCII } from 'node:url';
import type { ErrorObject } from 'ajv';
import { patternFault } from './filter-rules.ts';
import { schemaCheck } from './json-schema.ts';
import { nearestName } from './nearest-name.ts';
import { takePassword, type SecretLookup } from './password-source.ts';
import type { Secret } from './secret.ts';
import type { SettingsFault } from './settings-fault.ts';
import { FOLDER_BYTES_MAX, TASK_SCHEMA, type TaskJson } from './task-schema.ts';
import { CONNECTIONS_MAX, type GuardSettings, type SourceProtocol, type TaskSettings } from './task-settings.ts';

/** The port of a protocol when none is written. */
export const DEFAULT_PORTS: Readonly<Record<SourceProtocol, number>> = { ftp: 21, ftps: 21, 'ftps-implicit': 990 };

/**
 * Turns a task as people write it into settings, or says everything that is wrong with it. Never throws, whatever
 * `json` is; no fault ever holds a password. The only effect is reading the password through `secrets`.
 */
export function parseTaskSettings(
  json: unknown,
  secrets: SecretLookup,
): { settings: TaskSettings } | { faults: readonly SettingsFault[] } {
  const task = copyOf(json);
  const faults = schemaFaults(task);
  // What follows relies on the shape; a field of the wrong type would only be reported twice.
  if (faults.length > 0) return { faults: [...faults, ...shapelessFaults(task)] };
  return checkTask(task as TaskJson, secrets);
}

/**
 * Hex SHA-256 of what decides which files are wanted: the place on the server and the filters. A run that was cut
 * short is only continued by one with the same hash.
 */
export function settingsHash(settings: TaskSettings): string {
  const { protocol, host, port, user, folder } = settings.source;
  const { include, exclude, sets, minSizeBytes, maxSizeBytes, newerThanDays, olderThanDays } = settings.filters;
  const parts = [protocol, host.toLowerCase(), port, user, folder, include, exclude, sets];
  const limits = [minSizeBytes, maxSizeBytes, newerThanDays, olderThanDays].map((limit) => limit ?? 'none');
  return createHash('sha256')
    .update(JSON.stringify([...parts, ...limits]))
    .digest('hex');
}

const taskCheck = schemaCheck(TASK_SCHEMA);

/** Defaults are written into the object that is checked: never into the caller's. */
function copyOf(json: unknown): unknown {
  try {
    return structuredClone(json);
  } catch {
    return undefined;
  }
}

/** A value is only repeated in fields that never hold a secret, and there only where it is a plain word or number. */
const SHOWN_VALUES =
  /^\/(source\/(protocol|port|timeouts\/\w+)|filters\/(sets\/\d+|\w+(Bytes|Days))|connections|speed\/(\w+|byHour\/\d+\/\w+)|retries\/\w+|verification\/\w+|deletion\/\w+|versions\/\w+|guards\/\w+)$/;

function schemaFaults(task: unknown): SettingsFault[] {
  const validate = taskCheck();
  if (validate(task)) return [];
  const faults = new Map<string, SettingsFault>();
  for (const error of validate.errors ?? []) {
    const fault = faultOf(error);
    // Several rules of one field that are broken at once say the same: what is allowed there.
    if (!faults.has(fault.path)) faults.set(fault.path, fault);
  }
  return [...faults.values()];
}

interface AnnotatedSchema {
  readonly allowed?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, AnnotatedSchema>>;
}

function faultOf(error: ErrorObject): SettingsFault {
  const schema = schemaAt(error);
  const params = error.params as { missingProperty?: string; additionalProperty?: string };
  if (params.missingProperty !== undefined) {
    const missing = schema.properties?.[params.missingProperty];
    return { path: `${error.instancePath}/${params.missingProperty}`, key: 'fault.missing', ...allowedOf(missing) };
  }
  if (params.additionalProperty !== undefined) {
    const near = nearestName(params.additionalProperty, Object.keys(schema.properties ?? {}));
    const path = `${error.instancePath}/${pointerPart(params.additionalProperty)}`;
    if (near === undefined) return { path, key: 'fault.unknown', facts: {}, allowed: undefined };
    return { path, key: 'fault.unknown-near', facts: { near }, allowed: undefined };
  }
  const base = { path: error.instancePath, ...allowedOf(schema) };
  if (error.keyword === 'minLength' && error.data === '') return { ...base, key: 'fault.empty' };
  if (error.keyword === 'maxLength') {
    return { ...base, key: 'fault.too-long', facts: { ...base.facts, lengthMax: schema.maxLength ?? 0 } };
  }
  const shown = SHOWN_VALUES.test(error.instancePath) ? shownValue(error.data) : undefined;
  if (shown === undefined) return { ...base, key: 'fault.value' };
  const near = typeof error.data === 'string' ? nearestName(error.data, schema.enum ?? []) : undefined;
  if (near !== undefined) return { ...base, key: 'fault.value-near', facts: { ...base.facts, value: shown, near } };
  return { ...base, key: 'fault.value-shown', facts: { ...base.facts, value: shown } };
}

/** The part of our schema that an error speaks of; inside `anyOf` the part around it, which says what is allowed. */
function schemaAt(error: ErrorObject): AnnotatedSchema {
  const here = error.parentSchema as AnnotatedSchema;
  if (here.allowed !== undefined) return here;
  return { allowed: 'allowed.connections', minimum: 1, maximum: CONNECTIONS_MAX };
}

function allowedOf(schema: AnnotatedSchema | undefined): Pick<SettingsFault, 'allowed' | 'facts'> {
  const facts: Record<string, string | number> = {};
  if (schema?.minimum !== undefined) facts['min'] = schema.minimum;
  if (schema?.maximum !== undefined) facts['max'] = schema.maximum;
  if (schema?.enum !== undefined) facts['values'] = schema.enum.map((value) => `"${value}"`).join(', ');
  return { allowed: schema?.allowed, facts };
}

const SHOWN_VALUE_LENGTH_MAX = 40;

function shownValue(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value.length > SHOWN_VALUE_LENGTH_MAX) return undefined;
  return /^[\w .-]*$/.test(value) ? `"${value}"` : undefined;
}

function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Faults worth telling although the shape is wrong too: an address in the host field is the most frequent slip. */
function shapelessFaults(task: unknown): SettingsFault[] {
  const host = (task as { source?: { host?: unknown } } | undefined | null)?.source?.host;
  if (typeof host !== 'string' || host === '') return [];
  const key = hostFault(host);
  return key === undefined ? [] : [{ path: '/source/host', key, facts: {}, allowed: 'allowed.host' }];
}

function checkTask(
  task: TaskJson,
  secrets: SecretLookup,
): { settings: TaskSettings } | { faults: readonly SettingsFault[] } {
  const faults: SettingsFault[] = [];
  const add = (path: string, key: string | undefined, facts: SettingsFault['facts'] = {}, allowed?: string): void => {
    if (key !== undefined) faults.push({ path, key, facts, allowed });
  };
  const { source, filters } = task;
  const host = asHost(source.host);

  add('/name', controlFault(task.name) ?? blankFault(task.name), {}, 'allowed.name');
  add('/source/host', hostFault(source.host), {}, 'allowed.host');
  add('/source/user', controlFault(source.user), {}, 'allowed.user');
  add('/source/folder', remoteFolderFault(source.folder), {}, 'allowed.remote-folder');
  const fingerprint = asFingerprint(source.tls.fingerprint);
  if (source.tls.fingerprint !== undefined) {
    if (fingerprint === undefined) add('/source/tls/fingerprint', 'fault.value', {}, 'allowed.fingerprint');
    else if (source.protocol === 'ftp') add('/source/tls/fingerprint', 'fault.fingerprint-without-tls');
  }
  const password = takePassword(source, secrets);
  if ('fault' in password) faults.push(password.fault);
  add('/target/folder', targetFolderFault(task.target.folder), {}, 'allowed.target-folder');
  for (const list of ['include', 'exclude'] as const) {
    filters[list].forEach((pattern, index) => {
      add(`/filters/${list}/${index}`, controlFault(pattern) ?? patternFault(pattern), {}, 'allowed.pattern');
    });
  }
  const { minSizeBytes, maxSizeBytes, newerThanDays, olderThanDays } = filters;
  if (minSizeBytes !== undefined && maxSizeBytes !== undefined && minSizeBytes > maxSizeBytes) {
    add('/filters/maxSizeBytes', 'fault.sizes-crossed', { min: minSizeBytes, max: maxSizeBytes });
  }
  if (newerThanDays !== undefined && olderThanDays !== undefined && newerThanDays <= olderThanDays) {
    add('/filters/newerThanDays', 'fault.ages-crossed', { newer: newerThanDays, older: olderThanDays });
  }

  if (faults.length > 0 || host === undefined || 'fault' in password) return { faults };
  return { settings: settingsOf(task, host, password.secret, fingerprint) };
}

function settingsOf(task: TaskJson, host: string, password: Secret, fingerprint: string | undefined): TaskSettings {
  const { source, filters } = task;
  return {
    name: task.name,
    source: {
      protocol: source.protocol,
      host,
      port: source.port ?? DEFAULT_PORTS[source.protocol],
      user: source.user,
      password,
      folder: tidyFolder(source.folder),
      tls: { fingerprint },
      timeouts: source.timeouts,
    },
    target: { folder: tidyFolder(task.target.folder) },
    filters: {
      include: filters.include,
      exclude: filters.exclude,
      sets: filters.sets,
      minSizeBytes: filters.minSizeBytes,
      maxSizeBytes: filters.maxSizeBytes,
      newerThanDays: filters.newerThanDays,
      olderThanDays: filters.olderThanDays,
    },
    connections: task.connections,
    speed: { bytesPerSecond: task.speed.bytesPerSecond, byHour: task.speed.byHour },
    retries: task.retries,
    verification: task.verification,
    deletion: task.deletion,
    versions: { ...task.versions, quotaBytes: task.versions.quotaBytes },
    guards: guardsOf(task.guards),
  };
}

/** In JSON null turns a guard off: what is left out takes the default. */
function guardsOf(json: TaskJson['guards']): GuardSettings {
  return {
    vanishedPercent: json.vanishedPercent ?? undefined,
    vanishedFiles: json.vanishedFiles ?? undefined,
    changedPercent: json.changedPercent ?? undefined,
    shrunkPercent: json.shrunkPercent ?? undefined,
    emptiedFiles: json.emptiedFiles ?? undefined,
    suffixPercent: json.suffixPercent ?? undefined,
    emptiedFolders: json.emptiedFolders,
    serverChanged: json.serverChanged,
  };
}

/** A line break in a user name or folder would be a second command on the wire. */
function controlFault(text: string): string | undefined {
  return /\p{Cc}/u.test(text) ? 'fault.control-characters' : undefined;
}

function blankFault(text: string): string | undefined {
  return text.trim() === '' ? 'fault.empty' : undefined;
}

function hostFault(host: string): string | undefined {
  if (/\p{Cc}/u.test(host)) return 'fault.control-characters';
  if (isIP(host) !== 0) return undefined;
  if (/[/\\@]|^[a-z][a-z0-9+.-]*:/i.test(host) && !/^[^/\\@:]+:\d+$/.test(host)) return 'fault.host-address';
  if (/:\d+$/.test(host)) return 'fault.host-port';
  return asHost(host) === undefined ? 'fault.host-unusable' : undefined;
}

/** The name as the network wants it: ASCII (IDNA), without the dot that may end it; undefined where it is none. */
function asHost(host: string): string | undefined {
  const bare = /^\[[0-9a-f:.]+\]$/i.test(host) ? host.slice(1, -1) : host;
  if (isIP(bare) !== 0) return bare;
  // `domainToASCII` would quietly accept `1` as 0.0.0.1 and cut at characters that end a host in an address.
  if (/[\s/\\?#@:%[\]]/.test(bare)) return undefined;
  const ascii = domainToASCII(bare.replace(/\.$/, ''));
  if (!/^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(ascii)) return undefined;
  return isIP(ascii) === 0 || ascii === bare ? ascii : undefined;
}

function asFingerprint(text: string | undefined): string | undefined {
  const hex = text?.replace(/^sha-?256[:\s]/i, '').replace(/[:\s]/g, '');
  return hex !== undefined && /^[0-9a-f]{64}$/i.test(hex) ? hex.toLowerCase() : undefined;
}

function remoteFolderFault(folder: string): string | undefined {
  return controlFault(folder) ?? absoluteFault(folder);
}

function absoluteFault(folder: string): string | undefined {
  if (!folder.startsWith('/')) return 'fault.folder-relative';
  if (folder.split('/').some((part) => part === '.' || part === '..')) return 'fault.folder-dots';
  if (Buffer.byteLength(folder) > FOLDER_BYTES_MAX) return 'fault.folder-too-long';
  return undefined;
}

function targetFolderFault(folder: string): string | undefined {
  const fault = controlFault(folder) ?? absoluteFault(folder);
  if (fault !== undefined) return fault;
  const tidy = tidyFolder(folder);
  if (tidy === '/' || /^\/volume(USB)?\d+$/.test(tidy)) return 'fault.target-root';
  // Web Station would run a PHP file that was pulled from a hacked site.
  if (/^(\/volume\d+|\/var\/services)\/(web|web_packages|homes\/[^/]+\/www)(\/|$)/.test(tidy))
    return 'fault.target-web';
  // Emptied at a start, replaced by an upgrade, deleted by an uninstall: also the data of this package.
  if (/^(\/volume(USB)?\d+\/@|\/var\/packages\/[^/]+\/(?!shares\/))/.test(tidy)) return 'fault.target-dsm';
  return undefined;
}

function tidyFolder(folder: string): string {
  const tidy = posix.normalize(folder.replace(/^\/+/, '/'));
  return tidy === '/' ? tidy : tidy.replace(/\/$/, '');
}
