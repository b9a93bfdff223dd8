import { numberOf } from './form-amounts.ts';
import type { GuardSettings } from './task-settings.ts';

/** The guards that have a number, and those that are only on or off, in the order of the page. */
export const GUARD_LIMITS = [
  'vanishedPercent',
  'vanishedFiles',
  'changedPercent',
  'shrunkPercent',
  'emptiedFiles',
  'suffixPercent',
] as const;
export const GUARD_SWITCHES = ['emptiedFolders', 'serverChanged'] as const;
export type GuardLimit = (typeof GUARD_LIMITS)[number];

/** The guards' part of a task's form: `guards` holds the names of those that are on. */
export type GuardForm = Readonly<Record<GuardLimit, string>> & { readonly guards: readonly string[] };

/** A form before anything was typed. A unit test holds it to the defaults of task-schema.ts. */
export const GUARD_DEFAULTS: GuardForm = {
  vanishedPercent: '10',
  vanishedFiles: '500',
  changedPercent: '30',
  shrunkPercent: '50',
  emptiedFiles: '20',
  suffixPercent: '80',
  guards: [...GUARD_LIMITS, ...GUARD_SWITCHES],
};

/** A guard that is off shows its usual limit, so that ticking it is enough. */
export function guardForm(settings: GuardSettings): GuardForm {
  const limits = GUARD_LIMITS.map((name) => [name, String(settings[name] ?? GUARD_DEFAULTS[name])]);
  return {
    ...(Object.fromEntries(limits) as Record<GuardLimit, string>),
    guards: [
      ...GUARD_LIMITS.filter((name) => settings[name] !== undefined),
      ...GUARD_SWITCHES.filter((name) => settings[name]),
    ],
  };
}

/** What the form says, as `parseTaskSettings` reads it: null turns a guard off, and one that is on needs its number. */
export function guardsOf(form: GuardForm): Readonly<Record<string, unknown>> {
  const isOn = (name: string): boolean => form.guards.includes(name);
  return Object.fromEntries([
    ...GUARD_LIMITS.map((name) => [name, isOn(name) ? (numberOf(form[name]) ?? '') : null]),
    ...GUARD_SWITCHES.map((name) => [name, isOn(name)]),
  ]) as Record<string, unknown>;
}
