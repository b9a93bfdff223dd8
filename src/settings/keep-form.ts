import type { Language } from '../text.ts';
import { amountText, bytesOf, numberOf } from './form-amounts.ts';
import type { TaskSettings } from './task-settings.ts';

/** What becomes of files that have gone, how long older versions stay, how much is read again: in the order of the page. */
export const KEEP_FIELDS = [
  'deletion',
  'deletionDays',
  'keepRule',
  'keepCount',
  'keepDays',
  'keepHourly',
  'keepDaily',
  'keepWeekly',
  'keepMonthly',
  'keepYearly',
  'quota',
] as const;
export const VERIFY_FIELDS = ['restat', 'sample', 'sampleSeconds', 'rehashDays'] as const;
export type KeepField = (typeof KEEP_FIELDS)[number] | (typeof VERIFY_FIELDS)[number];

/** The numbers of `steps`, with the setting that each is. */
export const KEEP_STEPS = {
  keepHourly: 'hourly',
  keepDaily: 'daily',
  keepWeekly: 'weekly',
  keepMonthly: 'monthly',
  keepYearly: 'yearly',
} as const;

export type KeepForm = Readonly<Record<KeepField, string>>;

/** A form before anything was typed. A unit test holds it to the defaults of task-schema.ts. */
export const KEEP_DEFAULTS: KeepForm = {
  deletion: 'archive',
  deletionDays: '90',
  keepRule: 'smart',
  keepCount: '256',
  keepDays: '90',
  keepHourly: '24',
  keepDaily: '30',
  keepWeekly: '12',
  keepMonthly: '12',
  keepYearly: '5',
  quota: '',
  restat: 'yes',
  sample: '64 MB',
  sampleSeconds: '120',
  rehashDays: '90',
};

type KeepSettings = Pick<TaskSettings, 'deletion' | 'versions' | 'verification'>;

export function keepForm({ deletion, versions, verification }: KeepSettings, language: Language): KeepForm {
  const { restat, sampleBytes, sampleSeconds, rehashDays } = verification;
  return {
    deletion: deletion.rule,
    deletionDays: String(deletion.days),
    keepRule: versions.keep,
    keepCount: String(versions.count),
    keepDays: String(versions.days),
    keepHourly: String(versions.hourly),
    keepDaily: String(versions.daily),
    keepWeekly: String(versions.weekly),
    keepMonthly: String(versions.monthly),
    keepYearly: String(versions.yearly),
    quota: amountText(versions.quotaBytes, language),
    restat: restat ? 'yes' : '',
    sample: sampleBytes === 0 ? '' : amountText(sampleBytes, language),
    sampleSeconds: String(sampleSeconds),
    rehashDays: rehashDays === 0 ? '' : String(rehashDays),
  };
}

/**
 * What the form says, as `parseTaskSettings` reads it. A number that the chosen rule needs has to be typed; one that it does
 * not speak of is kept where it can be, so that going back to another rule finds it again, and never is a fault: its field
 * does not show.
 */
export function keepOf(form: KeepForm): Readonly<Record<string, unknown>> {
  const { deletion, keepRule } = form;
  const isCounted = keepRule === 'last' || keepRule === 'smart';
  const steps = Object.entries(KEEP_STEPS).map(([field, setting]) => [
    setting,
    wanted(form[field as keyof typeof KEEP_STEPS], keepRule === 'steps', 0),
  ]);
  return {
    deletion: { rule: deletion.trim() || undefined, days: wanted(form.deletionDays, deletion === 'delete') },
    versions: {
      keep: keepRule.trim() || undefined,
      count: wanted(form.keepCount, isCounted),
      days: wanted(form.keepDays, keepRule === 'within'),
      ...(Object.fromEntries(steps) as Record<string, unknown>),
      quotaBytes: bytesOf(form.quota),
    },
    verification: {
      restat: form.restat === 'yes',
      sampleBytes: bytesOf(form.sample) ?? 0,
      sampleSeconds: numberOf(form.sampleSeconds),
      rehashDays: numberOf(form.rehashDays) ?? 0,
    },
  };
}

/** The smallest upper bound that any of these numbers has in task-schema.ts. */
const UNUSED_MAX = 10_000;

function wanted(typed: string, isUsed: boolean, unusedMin = 1): number | string | undefined {
  const value = numberOf(typed);
  if (isUsed) return value ?? '';
  return Number.isInteger(value) && Number(value) >= unusedMin && Number(value) <= UNUSED_MAX ? value : undefined;
}
