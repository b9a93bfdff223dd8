import { findingWords } from '../../settings/guard-finding.ts';
import type { Hold } from '../../state/hold-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import type { FieldMessage } from './form-words.ts';
import { messagesByField } from './form-words.ts';
import type { PillView } from './tasks-view.ts';

export interface DecisionInput {
  readonly name: string;
  readonly taskPath: string;
  readonly pill: PillView;
  /** The newest one; undefined where there never was one. */
  readonly hold: Hold | undefined;
  /** The run of the application that was held last. */
  readonly runPath: string | undefined;
  /** A run is under way: it may find otherwise, and nothing can be decided before its end. */
  readonly isRunning: boolean;
  readonly messages: readonly FieldMessage[];
}

export interface DecisionView {
  readonly name: string;
  readonly taskPath: string;
  readonly pill: PillView;
  /** By it an answer counts for what was shown, and for nothing that a later run has found. */
  readonly heldRun: number;
  /** Nothing waits; then the other fields are empty. */
  readonly isOpen: boolean;
  /** What became of the last question, in words; empty where there never was one. */
  readonly decided: string;
  readonly isRunning: boolean;
  readonly heading: string;
  readonly lead: string;
  readonly findings: readonly { readonly words: string; readonly examples: readonly string[] }[];
  readonly folders: readonly {
    readonly path: string;
    readonly before: string;
    readonly now: string;
    readonly isEmpty: boolean;
  }[];
  readonly rest: string;
  readonly since: string;
  readonly keepHint: string;
  readonly acceptWords: string;
  readonly confirmWords: string;
  readonly runPath: string;
  readonly limitPath: string;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
}

export function buildDecisionView(input: DecisionInput, text: Text, dates: Dates): DecisionView {
  const { hold, name, taskPath, pill, isRunning, messages, runPath } = input;
  const { t } = text;
  const { vanished = 0, replaced = 0, files = 0, findings = [], folders = [] } = hold ?? {};
  const isAboutVanished = findings.some(({ guard }) => VANISHED_GUARDS.has(guard));
  const percent = t('pr.percent', { n: files === 0 ? 0 : Math.floor((vanished * 100) / files) });
  const shown = folders.reduce((sum, folder) => sum + folder.before, 0);
  const shownLost = folders.reduce((sum, folder) => sum + folder.before - folder.now, 0);
  const restNow = Math.max(0, files - shown - (vanished - shownLost));
  return {
    name,
    taskPath,
    pill,
    heldRun: hold?.runId ?? 0,
    isOpen: hold?.decision === 'open',
    decided: hold === undefined ? '' : decidedWords(hold, text, dates),
    isRunning,
    heading: isAboutVanished ? t('dg.held.h', { count: vanished }) : t('dg.held.h.changed'),
    lead: isAboutVanished ? t('dg.held.p', { pct: percent }) : t('dg.held.p.changed'),
    findings: findings.map((finding) => ({ words: findingWords(finding, text), examples: finding.examples })),
    folders: folders.map(({ path, before, now }) => ({
      path,
      before: text.number(before),
      now: text.number(now),
      isEmpty: now === 0,
    })),
    rest: folders.length === 0 || restNow === 0 ? '' : text.number(restNow),
    since: hold === undefined ? '' : t('dg.held.since', { when: dates.inWords(hold.atMs) }),
    keepHint: replaced === 0 ? t('dg.held.no.hint') : t('dg.held.no.hint.changed'),
    acceptWords: isAboutVanished ? t('dg.held.ok') : t('dg.held.ok.changed'),
    confirmWords: t('dg.held.confirm', { vanished, replaced }),
    runPath: runPath ?? '',
    limitPath: `${taskPath}/edit#keep`,
    messages,
    faults: messagesByField(messages),
  };
}

const VANISHED_GUARDS: ReadonlySet<string> = new Set(['vanishedPercent', 'vanishedFiles', 'emptiedFolders']);

function decidedWords({ decision, decidedMs, decidedBy }: Hold, text: Text, dates: Dates): string {
  if (decision === 'open') return '';
  const when = decidedMs === undefined ? undefined : dates.inWords(decidedMs);
  return text.t(`dg.held.was.${decision}`, { when, by: decidedBy });
}
