import type { Text } from '../text.ts';
import type { CheckFinding } from './check-source.ts';

/** What a step of a connection test found out, in words. */
export function checkWords(finding: CheckFinding, text: Text): string {
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
