import type { CheckFinding, CheckStep } from '../tasks/check-source.ts';
import type { Text } from '../text.ts';
import { printable } from './printable.ts';
import { explain } from './report-lines.ts';

/** One step of a connection test in words; a failed one takes more lines, with the next step. */
export function checkLines(step: CheckStep, text: Text): string[] {
  const time = step.durationMs === undefined ? '' : ` (${text.duration(step.durationMs)})`;
  const head = `${text.t(`check.step.${step.step}`).padEnd(STEP_WIDTH)}${text.t(`check.state.${step.state}`).padEnd(STATE_WIDTH)}`;
  if (step.state !== 'failed') return [printable(`${head}${findingWords(step.finding, text)}${time}`)];
  const [cause, ...rest] = explain(step.code, step.facts, step.detail, text);
  const indent = ' '.repeat(STEP_WIDTH + STATE_WIDTH);
  return [`${head}${(cause ?? '').trim()}${time}`, ...rest.map((line) => `${indent}${line.trim()}`)].map(printable);
}

/** Wide enough for both languages. */
const STEP_WIDTH = 20;
const STATE_WIDTH = 11;

function findingWords(finding: CheckFinding, text: Text): string {
  switch (finding.kind) {
    case 'lookup':
      return text.t('check.lookup', { host: finding.host, addresses: finding.addresses.join(', ') });
    case 'lookup-ip':
      return text.t('check.lookup-ip', { host: finding.host });
    case 'tcp':
      return text.t('check.tcp', { host: finding.host, port: finding.port });
    case 'login':
      return text.t('check.login', { user: finding.user });
    case 'listing':
      return text.t('check.listing', {
        folder: finding.folder,
        files: text.t('count.files', { count: finding.files }),
        folders: text.t('count.folders', { count: finding.folders }),
      });
    case 'features':
      return featureWords(finding, text);
    case 'clock-ahead':
      return text.t('check.clock-ahead', { time: text.duration(finding.aheadMs) });
    case 'not-reached':
    case 'tls-verified':
    case 'tls-pinned':
    case 'tls-none':
    case 'clock-unknown':
      return text.t(`check.${finding.kind}`);
  }
}

function featureWords(finding: Extract<CheckFinding, { kind: 'features' }>, text: Text): string {
  const { listing, timePrecision, hasStat, hasRestart, showsHidden } = finding.capabilities;
  const isTimeless = timePrecision === 'none';
  return text.t(isTimeless ? 'check.features-timeless' : 'check.features', {
    listing,
    precision: isTimeless ? undefined : text.t(`check.precision.${timePrecision}`),
    stat: text.t(hasStat ? 'check.stat-yes' : 'check.stat-no'),
    restart: text.t(hasRestart ? 'check.restart-yes' : 'check.restart-no'),
    hidden: text.t(`check.hidden-${showsHidden}`),
  });
}
