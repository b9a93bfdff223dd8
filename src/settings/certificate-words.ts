import type { Text } from '../text.ts';

/** What a certificate says, wherever it comes from: a run that has just ended, or a stored report. */
export interface CertificateNumbers {
  readonly folders: { readonly complete: number; readonly total: number };
  readonly filesFailed: number;
  readonly bytes: number;
  readonly verifiedBytes: number;
  readonly rehashedBytes: number;
  readonly grade: string;
  /** Keys of the texts `grade.<reason>`. */
  readonly reasons: readonly string[];
}

export interface CertificateRow {
  readonly name: string;
  readonly value: string;
  /** Why; may be empty. */
  readonly more: string;
}

/** A certificate in words, one row for each of its statements. */
export function certificateRows(certificate: CertificateNumbers, text: Text): CertificateRow[] {
  const { folders, filesFailed, bytes, verifiedBytes, rehashedBytes, grade, reasons } = certificate;
  const { t } = text;
  const row = (key: string, value: string, more = ''): CertificateRow => ({ name: t(`cert.${key}`), value, more });
  const whole = t('cert.of', { done: text.number(folders.complete), total: text.number(folders.total) });
  const failed = filesFailed === 0 ? '' : t('cert.failed', { count: filesFailed });
  return [
    row('folders', whole, failed),
    row('verified', share(verifiedBytes, bytes, text)),
    row('rehashed', share(rehashedBytes, bytes, text)),
    row('grade', grade, reasons.map((reason) => t(`grade.${reason}`)).join(' · ')),
  ];
}

/** Rounded down, so that 100 % means all; what is more than nothing is never called 0 %. */
function share(part: number, total: number, text: Text): string {
  if (total === 0) return '–';
  if (part > 0 && part * 100 < total) return text.t('cert.below-one');
  return text.t('pr.percent', { n: Math.floor((part * 100) / total) });
}
