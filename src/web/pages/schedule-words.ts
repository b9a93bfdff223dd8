import type { Schedule } from '../../settings/schedule.ts';
import type { Text } from '../../text.ts';

/** A Sunday, whose days of the week are counted from there. */
const SUNDAY_MS = Date.UTC(2026, 0, 4, 12);
const DAY_MS = 24 * 60 * 60_000;

/** When the task runs by itself, in one sentence. */
export function scheduleWords(schedule: Schedule, text: Text): string {
  const { rule, allowedHours } = schedule;
  const base = ruleWords(rule, text);
  return allowedHours === undefined
    ? base
    : `${base} ${text.t('schedule.within', { from: allowedHours.from, to: allowedHours.to })}`;
}

function ruleWords(rule: Schedule['rule'], text: Text): string {
  switch (rule.kind) {
    case 'manual':
      return text.t('schedule.manual');
    case 'interval':
      return rule.everyMinutes % 60 === 0
        ? text.t('schedule.hours', { count: rule.everyMinutes / 60 })
        : text.t('schedule.minutes', { count: rule.everyMinutes });
    case 'weekly': {
      const list = new Intl.ListFormat(text.language, { type: 'conjunction' });
      const times = list.format(rule.times);
      if (rule.days.length === 7) return text.t('schedule.daily', { times });
      return text.t('schedule.weekly', { days: list.format(rule.days.map((day) => dayName(day, text))), times });
    }
    case 'cron':
      return text.t('schedule.cron', { expression: rule.expression });
  }
}

function dayName(day: number, text: Text): string {
  const name = new Intl.DateTimeFormat(text.language, { weekday: 'long', timeZone: 'UTC' });
  return name.format(SUNDAY_MS + day * DAY_MS);
}
