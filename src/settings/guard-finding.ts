import type { Text } from '../text.ts';
import type { GuardSettings } from './task-settings.ts';

/** Which limit was passed: the name of its setting. */
export type GuardName = keyof GuardSettings;

/** One limit that was passed: `count` of `total` (files; bytes for `shrunkPercent`) where `limit` were allowed. */
export interface GuardFinding {
  readonly guard: GuardName;
  readonly count: number;
  readonly total: number;
  /** In the unit of the setting; 0 where it is only on or off. */
  readonly limit: number;
  /** What it is about, where that is one thing: an ending, a folder, or what of the server is another. */
  readonly subject: string | undefined;
}

/** The finding as one sentence with its numbers, for people who have to decide. */
export function findingWords({ guard, count, total, limit, subject }: GuardFinding, text: Text): string {
  const percent = (value: number): string => text.t('pr.percent', { n: value });
  return text.t(`guard.${guard}`, {
    count,
    percent: percent(total === 0 ? 0 : Math.floor((count * 100) / total)),
    limit: guard.endsWith('Percent') ? percent(limit) : limit,
    subject: guard === 'serverChanged' ? identityWords(subject ?? '', text) : subject,
  });
}

function identityWords(subject: string, text: Text): string {
  return subject
    .split(', ')
    .map((name) => (text.has(`guard.identity.${name}`) ? text.t(`guard.identity.${name}`) : name))
    .join(', ');
}
