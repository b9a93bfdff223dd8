import type { PruneForecast } from '../../tasks/forecast-prune.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';

/** What would be pruned, in sentences. */
export function pruneLines(forecast: PruneForecast, text: Text, dates: Pick<Dates, 'inWords'>): string[] {
  const { t } = text;
  if (forecast.kind !== 'seen') return [t(`prune.${forecast.kind}`)];
  const { points, oldestMs, newestMs, stays, pruned, expired } = forecast;
  const versions = (count: number): string => t('count.versions', { count });
  const amount = ({ files, bytes }: typeof pruned): { files: string; bytes: string } => ({
    files: t('count.files', { count: files }),
    bytes: text.bytes(bytes),
  });
  const expiredLine = expired.files === 0 ? [] : [t('prune.expired', amount(expired))];
  if (oldestMs === undefined || newestMs === undefined) {
    return expired.files === 0
      ? [t('prune.none', { versions: versions(stays) })]
      : [...expiredLine, t('prune.stays', { versions: versions(stays) })];
  }
  const facts = {
    versions: versions(points),
    oldest: dates.inWords(oldestMs),
    newest: dates.inWords(newestMs),
    ...amount(pruned),
  };
  return [
    t(points === 1 ? 'prune.goes-one' : 'prune.goes', facts),
    ...expiredLine,
    t('prune.stays', { versions: versions(stays) }),
  ];
}
