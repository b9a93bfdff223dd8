import type { TaskSettings } from '../../settings/task-settings.ts';
import type { Text } from '../../text.ts';

/** What becomes of files that have gone, and how long older versions stay, in short sentences. */
export function keepWords({ deletion, versions }: Pick<TaskSettings, 'deletion' | 'versions'>, text: Text): string[] {
  const { quotaBytes, keep, count, days, hourly, daily, weekly, monthly, yearly } = versions;
  const facts = { n: count, days, hourly, daily, weekly, monthly, yearly };
  return [
    text.t(`kw.deletion.${deletion.rule}`, { days: deletion.days }),
    text.t(`kw.keep.${keep}`, facts),
    ...(quotaBytes === undefined ? [] : [text.t('kw.quota', { size: text.bytes(quotaBytes) })]),
  ];
}
