import { PAGE_ORDER } from '../../settings/parse-form.ts';
import type { FormFault, FormField } from '../../settings/parse-form.ts';
import type { Text } from '../../text.ts';

/** A message above a field, and in the summary with a link to it. */
export interface FieldMessage {
  /** The id of the input. */
  readonly field: string;
  readonly words: string;
}

/** The name that each field has on the page. */
export const FIELD_LABELS: Readonly<Record<FormField, string>> = {
  name: 'f.name',
  protocol: 'f.protocol',
  host: 'f.host',
  port: 'f.port',
  user: 'f.user',
  password: 'f.pass',
  fingerprint: 'f.fingerprint',
  folder: 'f.remote',
  sets: 'f.sets',
  exclude: 'f.exclude',
  include: 'f.include',
  minSize: 'f.minsize',
  maxSize: 'f.maxsize',
  newerThanDays: 'f.newer',
  olderThanDays: 'f.older',
  target: 'f.local',
  scheduleKind: 'f.when',
  everyCount: 'f.every',
  everyUnit: 'f.every',
  days: 'f.days',
  times: 'f.time',
  cron: 'f.cron',
  hasAllowedHours: 'f.hours',
  hoursFrom: 'f.hours',
  hoursTo: 'f.hours',
  deletion: 'f.ondelete',
  deletionDays: 'f.deletiondays',
  keepRule: 'f.keep',
  keepCount: 'f.keepcount',
  keepDays: 'f.keepdays',
  keepHourly: 'f.keepHourly',
  keepDaily: 'f.keepDaily',
  keepWeekly: 'f.keepWeekly',
  keepMonthly: 'f.keepMonthly',
  keepYearly: 'f.keepYearly',
  quota: 'f.quota',
  guards: 'f.guards',
  vanishedPercent: 'gd.vanishedPercent',
  vanishedFiles: 'gd.vanishedFiles',
  changedPercent: 'gd.changedPercent',
  shrunkPercent: 'gd.shrunkPercent',
  emptiedFiles: 'gd.emptiedFiles',
  suffixPercent: 'gd.suffixPercent',
  connections: 'f.conns',
  speed: 'f.speed',
  speedFrom: 'f.speedhours',
  speedTo: 'f.speedhours',
  speedLimit: 'f.speedhours',
  restat: 'f.restat',
  sample: 'f.sample',
  sampleSeconds: 'f.sampletime',
  rehashDays: 'f.rehash',
  attempts: 'f.attempts',
  firstDelaySeconds: 'f.delay',
  connectSeconds: 'f.connecttime',
  idleSeconds: 'f.idletime',
};

/** The words for a fault: the text `e.<field>.<what>` where there is a closer one, else `e.<field>`. */
export function faultMessages(faults: readonly FormFault[], text: Text): FieldMessage[] {
  return faults.map(({ field, key, facts }) => {
    const close = `e.${field}.${key.replace(/^fault\./, '')}`;
    return { field, words: text.t(text.has(close) ? close : `e.${field}`, facts) };
  });
}

/** As the fields stand on the page. */
export function inPageOrder(messages: readonly FieldMessage[]): FieldMessage[] {
  const place = ({ field }: FieldMessage): number => (PAGE_ORDER as readonly string[]).indexOf(field);
  return [...messages].sort((a, b) => place(a) - place(b));
}

/** By the id of their input, for the templates. */
export function messagesByField(messages: readonly FieldMessage[]): Readonly<Record<string, string>> {
  return Object.fromEntries(messages.map(({ field, words }) => [field, words]));
}
