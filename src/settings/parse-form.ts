import type { Language } from '../text.ts';
import { amountText, bytesOf, numberOf } from './form-amounts.ts';
import { GUARD_DEFAULTS, guardForm, guardsOf } from './guard-form.ts';
import { KEEP_DEFAULTS, KEEP_FIELDS, VERIFY_FIELDS, keepForm, keepOf } from './keep-form.ts';
import { DEFAULT_PORTS, parseTaskSettings } from './parse-task.ts';
import { parseSchedule, scheduleFieldOf, scheduleFormJson } from './parse-schedule.ts';
import { NO_SECRETS } from './password-source.ts';
import type { Schedule } from './schedule.ts';
import type { Secret } from './secret.ts';
import type { SettingsFault } from './settings-fault.ts';
import type { SourceProtocol, TaskSettings } from './task-settings.ts';

/** The fields of a task's form that hold one text each, in the order of the page. The password is never among them. */
export const TEXT_FIELDS = [
  'name',
  'protocol',
  'host',
  'port',
  'user',
  'fingerprint',
  'folder',
  'exclude',
  'include',
  'minSize',
  'maxSize',
  'newerThanDays',
  'olderThanDays',
  'target',
  'scheduleKind',
  'everyCount',
  'everyUnit',
  'times',
  'cron',
  'hasAllowedHours',
  'hoursFrom',
  'hoursTo',
  ...KEEP_FIELDS,
  'vanishedPercent',
  'vanishedFiles',
  'changedPercent',
  'shrunkPercent',
  'emptiedFiles',
  'suffixPercent',
  'connections',
  'speed',
  ...VERIFY_FIELDS,
  'attempts',
  'firstDelaySeconds',
  'connectSeconds',
  'idleSeconds',
] as const;
export type TextField = (typeof TEXT_FIELDS)[number];

/** Ticked boxes, and the columns of the table of speeds. */
export const LIST_FIELDS = ['sets', 'days', 'guards', 'speedFrom', 'speedTo', 'speedLimit'] as const;
export type ListField = (typeof LIST_FIELDS)[number];

/** A task's form as it was typed: what is shown again when something in it is wrong. */
export type TaskForm = Readonly<Record<TextField, string> & Record<ListField, readonly string[]>>;

/** Where a message stands on the page. */
export type FormField = TextField | ListField | 'password';

export interface FormFault {
  readonly field: FormField;
  /** Text key of what is wrong, as in SettingsFault. */
  readonly key: string;
  readonly facts: SettingsFault['facts'];
}

/** What a sent form looks like to this file. */
export interface SentFields {
  text(name: string): string;
  list(name: string): readonly string[];
}

/** Rows of the table of speeds that are read; the page shows fewer. */
const SPEED_ROWS_MAX = 100;

/**
 * Takes the named fields of a form (all without `names`) over those of `base`. Of an address that was pasted for the server
 * no password is taken: what is typed is shown again, and stored as it is.
 */
export function readTaskForm(
  sent: SentFields,
  base: TaskForm = EMPTY_TASK_FORM,
  names?: readonly FormField[],
): TaskForm {
  const isMeant = (name: FormField): boolean => names === undefined || names.includes(name);
  const texts = TEXT_FIELDS.filter(isMeant).map((name) => [
    name,
    name === 'host' ? withoutPassword(sent.text(name)) : sent.text(name),
  ]);
  const lists = LIST_FIELDS.filter(isMeant).map((name) => [name, sent.list(name).slice(0, SPEED_ROWS_MAX)]);
  return { ...base, ...(Object.fromEntries([...texts, ...lists]) as Partial<TaskForm>) };
}

/** `sftp://user:password@host` and `user:password@host` as `sftp://user@host` and `user@host`. */
function withoutPassword(host: string): string {
  return host.replace(/^((?:\s*[a-z][\w+.-]*:\/\/)?[^:@/]*):(?!\/\/).*@/is, '$1@');
}

/** A form before anything was typed: the defaults of a new task. */
export const EMPTY_TASK_FORM: TaskForm = {
  ...(Object.fromEntries(TEXT_FIELDS.map((name) => [name, ''])) as Record<TextField, string>),
  protocol: 'ftps',
  folder: '/',
  scheduleKind: 'weekly',
  everyCount: '6',
  everyUnit: 'hours',
  times: '02:00',
  ...KEEP_DEFAULTS,
  attempts: '4',
  firstDelaySeconds: '2',
  connectSeconds: '20',
  idleSeconds: '60',
  sets: [],
  days: ['0', '1', '2', '3', '4', '5', '6'],
  ...GUARD_DEFAULTS,
  speedFrom: [],
  speedTo: [],
  speedLimit: [],
};

/** The form of a task that is there already. */
export function taskFormOf(settings: TaskSettings, schedule: Schedule, language: Language): TaskForm {
  const { source, filters, speed, retries } = settings;
  const amount = (bytes: number | undefined): string => amountText(bytes, language);
  const text = (value: number | undefined): string => (value === undefined ? '' : String(value));
  return {
    name: settings.name,
    protocol: source.protocol,
    host: source.host,
    port: source.port === DEFAULT_PORTS[source.protocol] ? '' : String(source.port),
    user: source.user,
    fingerprint: source.tls.fingerprint ?? '',
    folder: source.folder,
    exclude: filters.exclude.join('\n'),
    include: filters.include.join('\n'),
    sets: filters.sets,
    minSize: amount(filters.minSizeBytes),
    maxSize: amount(filters.maxSizeBytes),
    newerThanDays: text(filters.newerThanDays),
    olderThanDays: text(filters.olderThanDays),
    target: settings.target.folder,
    ...scheduleForm(schedule),
    ...keepForm(settings, language),
    ...guardForm(settings.guards),
    connections: settings.connections === 'auto' ? '' : String(settings.connections),
    speed: amount(speed.bytesPerSecond),
    speedFrom: speed.byHour.map((hours) => hours.from),
    speedTo: speed.byHour.map((hours) => hours.to),
    speedLimit: speed.byHour.map((hours) => amount(hours.bytesPerSecond)),
    attempts: String(retries.attempts),
    firstDelaySeconds: String(retries.firstDelaySeconds),
    connectSeconds: String(source.timeouts.connectSeconds),
    idleSeconds: String(source.timeouts.idleSeconds),
  };
}

function scheduleForm(schedule: Schedule): Pick<TaskForm, ScheduleField> {
  const { rule, allowedHours } = schedule;
  const { everyCount, everyUnit, days, times } = EMPTY_TASK_FORM;
  const unit = rule.kind === 'interval' && rule.everyMinutes % 60 !== 0 ? 'minutes' : 'hours';
  return {
    scheduleKind: rule.kind,
    everyCount: rule.kind === 'interval' ? String(rule.everyMinutes / (unit === 'hours' ? 60 : 1)) : everyCount,
    everyUnit: rule.kind === 'interval' ? unit : everyUnit,
    days: rule.kind === 'weekly' ? rule.days.map(String) : days,
    times: rule.kind === 'weekly' ? rule.times.join(', ') : times,
    cron: rule.kind === 'cron' ? rule.expression : '',
    hasAllowedHours: allowedHours === undefined ? '' : 'yes',
    hoursFrom: allowedHours?.from ?? '',
    hoursTo: allowedHours?.to ?? '',
  };
}

type ScheduleField =
  'scheduleKind' | 'everyCount' | 'everyUnit' | 'days' | 'times' | 'cron' | 'hasAllowedHours' | 'hoursFrom' | 'hoursTo';

/** Settings and schedule of a form, or everything that is wrong in it by field, in the order of the page. */
export function parseTaskForm(
  form: TaskForm,
  password: Secret | undefined,
): { settings: TaskSettings; schedule: Schedule } | { faults: readonly FormFault[] } {
  const parsed = parseTaskSettings(taskJsonOf(form, password?.reveal()), NO_SECRETS);
  const schedule = parseScheduleForm(form);
  if ('settings' in parsed && 'schedule' in schedule) {
    return { settings: parsed.settings, schedule: schedule.schedule };
  }
  const faults = new Map<FormField, FormFault>();
  const add = (list: readonly SettingsFault[]): void => {
    for (const fault of list) {
      const found = formFault(fault, form);
      // One message a field is enough to go on with.
      if (!faults.has(found.field)) faults.set(found.field, found);
    }
  };
  if ('faults' in parsed) {
    add(parsed.faults);
    // A value of the wrong shape hides what is wrong with the meaning of the others: look again without it.
    const shaped = parseTaskSettings(taskJsonOf(withoutFaulty(form, faults), password?.reveal()), NO_SECRETS);
    if ('faults' in shaped) add(shaped.faults);
  }
  if ('faults' in schedule) add(schedule.faults);
  return { faults: [...faults.values()].sort((a, b) => PAGE_ORDER.indexOf(a.field) - PAGE_ORDER.indexOf(b.field)) };
}

/** The form with something that is right in place of each faulty field. */
function withoutFaulty(form: TaskForm, faults: ReadonlyMap<FormField, unknown>): TaskForm {
  const right: TaskForm = { ...EMPTY_TASK_FORM, name: 'x', host: 'x', user: 'x', target: '/volume1/x/x' };
  const names = [...faults.keys()].flatMap((name): FormField[] =>
    SPEED_COLUMNS.includes(name) ? SPEED_COLUMNS : [name],
  );
  return {
    ...form,
    ...Object.fromEntries(names.filter((name) => name !== 'password').map((name) => [name, right[name]])),
  };
}

const SPEED_COLUMNS: FormField[] = ['speedFrom', 'speedTo', 'speedLimit'];

/** Only the schedule of a form, whatever its other fields hold. Faults have paths, as `parseSchedule` gives them. */
export function parseScheduleForm(form: TaskForm): ReturnType<typeof parseSchedule> {
  return parseSchedule(scheduleFormJson(sentAgain(form)));
}

/** The fields in the order of the page. */
export const PAGE_ORDER: readonly FormField[] = TEXT_FIELDS.flatMap((name): FormField[] => {
  if (name === 'user') return ['user', 'password'];
  if (name === 'exclude') return ['sets', 'exclude'];
  if (name === 'everyUnit') return ['everyUnit', 'days'];
  if (name === 'vanishedPercent') return ['guards', 'vanishedPercent'];
  return name === 'speed' ? ['speed', 'speedFrom', 'speedTo', 'speedLimit'] : [name];
});

/** What the form says, as `parseTaskSettings` reads it. What is not typed is left out. */
function taskJsonOf(form: TaskForm, password: string | undefined): unknown {
  const json = {
    name: form.name.trim(),
    source: {
      protocol: form.protocol,
      host: form.host.trim(),
      port: numberOf(form.port),
      user: form.user.trim(),
      password: password === '' ? undefined : password,
      folder: form.folder.trim(),
      // Another protocol may have been chosen since a certificate was trusted.
      tls: { fingerprint: form.protocol === 'ftp' ? undefined : textOf(form.fingerprint) },
      timeouts: { connectSeconds: numberOf(form.connectSeconds), idleSeconds: numberOf(form.idleSeconds) },
    },
    target: { folder: form.target.trim() },
    filters: {
      include: linesOf(form.include),
      exclude: linesOf(form.exclude),
      sets: form.sets,
      minSizeBytes: bytesOf(form.minSize),
      maxSizeBytes: bytesOf(form.maxSize),
      newerThanDays: numberOf(form.newerThanDays),
      olderThanDays: numberOf(form.olderThanDays),
    },
    connections: numberOf(form.connections),
    speed: { bytesPerSecond: bytesOf(form.speed), byHour: speedRowsOf(form) },
    retries: { attempts: numberOf(form.attempts), firstDelaySeconds: numberOf(form.firstDelaySeconds) },
    ...keepOf(form),
    guards: guardsOf(form),
  };
  // The schema knows no undefined: what is undefined is left out on the way through JSON.
  return JSON.parse(JSON.stringify(json));
}

/** The form as if it had just been sent. Hours that were typed are meant, ticked or not. */
function sentAgain(form: TaskForm): SentFields {
  const hasHours = form.hoursFrom.trim() !== '' || form.hoursTo.trim() !== '' ? 'yes' : '';
  const texts: Readonly<Record<string, string | readonly string[]>> = { ...form, hasAllowedHours: hasHours };
  const list = (name: string): readonly string[] => [texts[name] ?? []].flat();
  return { list, text: (name) => list(name).at(-1) ?? '' };
}

/** `2:30` and `2h30` are how people write 02:30. */
function timeOf(text: string): string {
  const match = /^(\d{1,2})(?::|h)(\d{2})$/i.exec(text.trim());
  return match === null ? text.trim() : `${(match[1] ?? '').padStart(2, '0')}:${match[2] ?? ''}`;
}

function speedRowsOf(form: TaskForm): unknown[] {
  const count = Math.max(form.speedFrom.length, form.speedTo.length, form.speedLimit.length);
  return Array.from({ length: count }, (_, index) => ({
    from: timeOf(form.speedFrom[index] ?? ''),
    to: timeOf(form.speedTo[index] ?? ''),
    bytesPerSecond: bytesOf(form.speedLimit[index] ?? '') ?? '',
  })).filter((row) => row.from !== '' || row.to !== '' || row.bytesPerSecond !== '');
}

function textOf(text: string): string | undefined {
  return text.trim() === '' ? undefined : text.trim();
}

function linesOf(text: string): string[] {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The field that each path of settings stands in. */
const FIELDS: readonly (readonly [RegExp, FormField])[] = [
  [/^\/name/, 'name'],
  [/^\/source\/password/, 'password'],
  [/^\/source\/tls/, 'fingerprint'],
  [/^\/source\/timeouts\/connectSeconds/, 'connectSeconds'],
  [/^\/source\/timeouts\/idleSeconds/, 'idleSeconds'],
  [/^\/target/, 'target'],
  [/^\/filters\/include/, 'include'],
  [/^\/filters\/exclude/, 'exclude'],
  [/^\/filters\/sets/, 'sets'],
  [/^\/filters\/minSizeBytes/, 'minSize'],
  [/^\/filters\/maxSizeBytes/, 'maxSize'],
  [/^\/filters\/newerThanDays/, 'newerThanDays'],
  [/^\/filters\/olderThanDays/, 'olderThanDays'],
  [/^\/connections/, 'connections'],
  [/^\/speed\/byHour\/\d+\/from/, 'speedFrom'],
  [/^\/speed\/byHour\/\d+\/to/, 'speedTo'],
  [/^\/speed\/byHour/, 'speedLimit'],
  [/^\/speed/, 'speed'],
  [/^\/retries\/attempts/, 'attempts'],
  [/^\/retries/, 'firstDelaySeconds'],
  [/^\/verification\/sampleBytes/, 'sample'],
  [/^\/verification\/sampleSeconds/, 'sampleSeconds'],
  [/^\/verification\/rehashDays/, 'rehashDays'],
  [/^\/verification/, 'restat'],
  [/^\/deletion\/days/, 'deletionDays'],
  [/^\/deletion/, 'deletion'],
  [/^\/versions\/count/, 'keepCount'],
  [/^\/versions\/days/, 'keepDays'],
  [/^\/versions\/hourly/, 'keepHourly'],
  [/^\/versions\/daily/, 'keepDaily'],
  [/^\/versions\/weekly/, 'keepWeekly'],
  [/^\/versions\/monthly/, 'keepMonthly'],
  [/^\/versions\/yearly/, 'keepYearly'],
  [/^\/versions\/quotaBytes/, 'quota'],
  [/^\/versions/, 'keepRule'],
  [/^\/guards\/vanishedPercent/, 'vanishedPercent'],
  [/^\/guards\/vanishedFiles/, 'vanishedFiles'],
  [/^\/guards\/changedPercent/, 'changedPercent'],
  [/^\/guards\/shrunkPercent/, 'shrunkPercent'],
  [/^\/guards\/emptiedFiles/, 'emptiedFiles'],
  [/^\/guards\/suffixPercent/, 'suffixPercent'],
  [/^\/guards/, 'guards'],
];

const PLAIN_FIELDS = /^\/source\/(protocol|host|port|user|folder)/;

function formFault(fault: SettingsFault, form: TaskForm): FormFault {
  const plain = PLAIN_FIELDS.exec(fault.path)?.[1] as TextField | undefined;
  const scheduleField = fault.path.startsWith('/schedule') ? (scheduleFieldOf(fault) as FormField) : undefined;
  const field = plain ?? scheduleField ?? FIELDS.find(([path]) => path.test(fault.path))?.[1] ?? 'name';
  const index = Number(/^\/filters\/(?:in|ex)clude\/(\d+)/.exec(fault.path)?.[1] ?? Number.NaN);
  const isLine = Number.isInteger(index) && (field === 'include' || field === 'exclude');
  const line = isLine ? linesOf(form[field])[index]?.slice(0, LINE_SHOWN_MAX) : undefined;
  return { field, key: fault.key, facts: line === undefined ? fault.facts : { ...fault.facts, line } };
}

const LINE_SHOWN_MAX = 80;

/** The parts of an address such as `ftp://user:password@host:2121/www`; undefined where `text` is none. */
export function addressParts(text: string): AddressParts | undefined {
  const match = /^\s*(ftps?|ftpes):\/\/(\S+)\s*$/i.exec(text);
  const address = `ftp://${match?.[2] ?? ''}`;
  if (match === null || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  const isTls = match[1]?.toLowerCase() !== 'ftp';
  const protocol = isTls ? (url.port === '990' ? 'ftps-implicit' : 'ftps') : 'ftp';
  return {
    protocol,
    host: url.hostname,
    port: url.port === String(DEFAULT_PORTS[protocol]) ? '' : url.port,
    user: decoded(url.username),
    password: decoded(url.password),
    folder: url.pathname === '' ? '/' : decoded(url.pathname),
  };
}

export interface AddressParts {
  readonly protocol: SourceProtocol;
  readonly host: string;
  readonly port: string;
  readonly user: string;
  /** Empty where the address holds none. */
  readonly password: string;
  readonly folder: string;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
