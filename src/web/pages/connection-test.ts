import { BackupError, isBackupError } from '../../errors.ts';
import type { SourceSettings } from '../../settings/task-settings.ts';
import type { CheckStep, CheckStepName } from '../../tasks/check-source.ts';
import { CHECK_STEPS } from '../../tasks/check-source.ts';
import { findingWords } from '../../tasks/check-words.ts';
import type { Text } from '../../text.ts';
import { errorWords } from '../error-words.ts';
import type { Services } from '../services.ts';

/** A page does not wait longer for a test. */
const TEST_MS_MAX = 20_000;
/** Where one of these fails there is nothing to go on with; a listing may still be read elsewhere. */
const NEEDED_STEPS: readonly CheckStepName[] = ['lookup', 'tcp', 'tls', 'login'];

/** The result of a connection test, ready to be shown. */
export interface TestView {
  readonly tone: 'ok' | 'warn' | 'err';
  readonly heading: string;
  readonly steps: readonly {
    readonly state: CheckStep['state'];
    readonly name: string;
    readonly stateWords: string;
    readonly words: string;
    readonly time: string;
  }[];
  readonly cause: string;
  readonly action: string;
  /** The server's own words. */
  readonly detail: string;
  /** A certificate that nobody vouches for, as hex SHA-256: to be trusted on purpose only. Empty: none. */
  readonly fingerprint: string;
  readonly fingerprintGroups: string;
  /** The same of the certificate that was trusted until now. */
  readonly fingerprintBefore: string;
}

/** Runs the test to its end, or to what the time allows. */
export async function testConnection(services: Services, source: SourceSettings): Promise<readonly CheckStep[]> {
  const steps: CheckStep[] = [];
  try {
    for await (const step of services.checkConnection(source, AbortSignal.timeout(TEST_MS_MAX))) steps.push(step);
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const { host, port } = source;
    const late = new BackupError('timed-out', { facts: { host, port, seconds: TEST_MS_MAX / 1000 } });
    const { code, facts, detail } = error.code === 'cancelled' ? late : error;
    steps.push({
      step: CHECK_STEPS[steps.length] ?? 'clock',
      durationMs: undefined,
      state: 'failed',
      code,
      facts,
      detail,
    });
  }
  return steps;
}

/** True where the task can be gone on with: somebody is signed in. */
export function isUsable(steps: readonly CheckStep[]): boolean {
  return NEEDED_STEPS.every((name) => steps.find((step) => step.step === name)?.state !== 'failed') && steps.length > 0;
}

export function buildTestView(steps: readonly CheckStep[], source: SourceSettings, text: Text): TestView {
  const failed = steps.find((step) => step.state === 'failed');
  const hasWarning = steps.some((step) => step.state === 'warning');
  const words = failed === undefined ? { cause: '', action: '' } : errorWords(text, failed.code, failed.facts);
  const given = failed?.facts['fingerprint'];
  const isCertificate = failed?.code === 'certificate-untrusted' || failed?.code === 'certificate-changed';
  const fingerprint = isCertificate && typeof given === 'string' ? given.replace(/[^0-9a-f]/gi, '').toLowerCase() : '';
  return {
    tone: failed === undefined ? (hasWarning ? 'warn' : 'ok') : 'err',
    heading: text.t(failed === undefined ? 'check.good' : isUsable(steps) ? 'check.half' : 'check.bad'),
    steps: steps.map((step) => ({
      state: step.state,
      name: text.t(`check.step.${step.step}`),
      stateWords: text.t(`check.state.${step.state}`),
      words: step.state === 'failed' ? errorWords(text, step.code, step.facts).cause : findingWords(step.finding, text),
      time: step.durationMs === undefined ? '' : text.duration(step.durationMs),
    })),
    cause: words.cause,
    action: fingerprint === '' ? words.action : text.t('ct.trust.do'),
    detail: failed?.detail ?? '',
    fingerprint,
    fingerprintGroups: inGroups(fingerprint),
    fingerprintBefore: failed?.code === 'certificate-changed' ? inGroups(source.tls.fingerprint ?? '') : '',
  };
}

/** `AB:CD:…`, as hosts and other programs print it. */
export function inGroups(fingerprint: string): string {
  return fingerprint.toUpperCase().match(/../g)?.join(':') ?? '';
}

/** What the next step of the wizard says of a connection that works. */
export interface ConnectionFacts {
  readonly host: string;
  readonly durationMs: number;
  readonly tls: 'tls-verified' | 'tls-pinned' | 'tls-none';
  readonly listing: string;
  readonly precision: 'second' | 'minute' | 'day' | 'none' | 'unknown';
}

export function connectionFacts(steps: readonly CheckStep[], source: SourceSettings): ConnectionFacts {
  let facts: ConnectionFacts = { host: source.host, durationMs: 0, tls: 'tls-none', listing: '', precision: 'unknown' };
  for (const step of steps) {
    facts = { ...facts, durationMs: facts.durationMs + (step.durationMs ?? 0) };
    if (step.state === 'failed') continue;
    const { finding } = step;
    if (finding.kind === 'features') {
      facts = { ...facts, listing: finding.capabilities.listing, precision: finding.capabilities.timePrecision };
    }
    if (finding.kind === 'tls-verified' || finding.kind === 'tls-pinned') facts = { ...facts, tls: finding.kind };
  }
  return facts;
}

export function connectionWords(facts: ConnectionFacts, text: Text): string {
  const time = text.duration(facts.durationMs);
  const connected = text.t('wz.connected', { host: facts.host, time, security: text.t(`wz.${facts.tls}`) });
  if (facts.precision === 'unknown' || facts.precision === 'none') return connected;
  return `${connected} ${text.t(`wz.precision.${facts.precision}`, { listing: facts.listing })}`;
}
