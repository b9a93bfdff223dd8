/** `HH:MM`, 00:00 to 23:59, in the time zone of the NAS. */
export type TimeOfDay = string;

/** When a task runs by itself. Days: 0 is Sunday, as in cron. */
export type ScheduleRule =
  | { readonly kind: 'manual' }
  | { readonly kind: 'interval'; readonly everyMinutes: number }
  | { readonly kind: 'weekly'; readonly days: readonly number[]; readonly times: readonly TimeOfDay[] }
  | { readonly kind: 'cron'; readonly expression: string };

/** Within these hours a run may go on; `to` before `from` passes midnight. Outside it stops at a safe point. */
export interface AllowedHours {
  readonly from: TimeOfDay;
  readonly to: TimeOfDay;
}

export interface Schedule {
  readonly rule: ScheduleRule;
  readonly allowedHours: AllowedHours | undefined;
}

export const MANUAL: Schedule = { rule: { kind: 'manual' }, allowedHours: undefined };
