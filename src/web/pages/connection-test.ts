import type { RequestHandler } from 'express';
import { BackupError, isBackupError } from '../../errors.ts';
import type { SourceSettings } from '../../settings/task-settings.ts';
import type { CheckStep, CheckStepName } from '../../tasks/check-source.ts';
import { CHECK_STEPS } from '../../tasks/check-source.ts';
import { checkWords } from '../../tasks/check-words.ts';
import type { Text } from '../../text.ts';
import { errorWords } from '../error-words.ts';
import { pageOf } from '../page-context.ts';
import type { PageContext } from '../page-context.ts';
import { renderPart } from '../render.ts';
import type { Services } from '../services.ts';
import { idOf } from '../task-path.ts';

/** A page does not wait longer for a test. */
const TEST_MS_MAX = 20_000;
/** Where one of these fails there is nothing to go on with; a listing may still be read elsewhere. */
const NEEDED_STEPS: readonly CheckStepName[] = ['lookup', 'tcp', 'tls', 'login'];

export interface TestStepView {
  /** `now`, `later`: of a test that is under way. */
  readonly state: CheckStep['state'] | 'now' | 'later';
  readonly name: string;
  readonly stateWords: string;
  readonly words: string;
  readonly time: string;
}

/** The result of a connection test, ready to be shown. */
export interface TestView {
  readonly tone: 'ok' | 'warn' | 'err';
  readonly heading: string;
  readonly steps: readonly TestStepView[];
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

/**
 * Runs the test to its end, or to what the time allows. Meanwhile the page that shows `subject` (a task's number, a
 * draft) may ask for the steps so far.
 */
export async function testConnection(
  services: Services,
  source: SourceSettings,
  page: PageContext,
  subject: string,
): Promise<readonly CheckStep[]> {
  const steps: CheckStep[] = [];
  const key = testKey(page, subject);
  const tests = testsUnderWay(services);
  tests.set(key, steps);
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
  } finally {
    // Another test of the same may have begun.
    if (tests.get(key) === steps) tests.delete(key);
  }
  return steps;
}

/** The steps of the test that is under way for the task or draft of the URL; nothing (204) where none is. */
export function showTestSteps(services: Services): RequestHandler {
  return async (req, res) => {
    const page = pageOf(res);
    const subject = String(req.params['draft'] ?? idOf(req.params['id']));
    const steps = testsUnderWay(services).get(testKey(page, subject));
    if (steps === undefined) res.status(204).end();
    else
      await renderPart(res, 'test-under-way', {
        steps: [...steps.map(stepView(page.text)), ...stepsToCome(steps, page.text)],
      });
  };
}

const underWay = new WeakMap<Services, Map<string, readonly CheckStep[]>>();

/** As many as requests that wait for one: each ends after TEST_MS_MAX. */
function testsUnderWay(services: Services): Map<string, readonly CheckStep[]> {
  const known = underWay.get(services) ?? new Map<string, readonly CheckStep[]>();
  underWay.set(services, known);
  return known;
}

/** Who else is signed in tests for themselves. */
function testKey(page: PageContext, subject: string): string {
  return `${page.csrfToken} ${subject}`;
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
    steps: steps.map(stepView(text)),
    cause: words.cause,
    action: fingerprint === '' ? words.action : text.t('ct.trust.do'),
    detail: failed?.detail ?? '',
    fingerprint,
    fingerprintGroups: inGroups(fingerprint),
    fingerprintBefore: failed?.code === 'certificate-changed' ? inGroups(source.tls.fingerprint ?? '') : '',
  };
}

function stepView(text: Text): (step: CheckStep) => TestStepView {
  return (step) => ({
    state: step.state,
    name: text.t(`check.step.${step.step}`),
    stateWords: text.t(`check.state.${step.state}`),
    words: step.state === 'failed' ? errorWords(text, step.code, step.facts).cause : checkWords(step.finding, text),
    time: step.durationMs === undefined ? '' : text.duration(step.durationMs),
  });
}

function stepsToCome(steps: readonly CheckStep[], text: Text): TestStepView[] {
  return CHECK_STEPS.slice(steps.length).map((step, index) => {
    const state = index === 0 ? 'now' : 'later';
    return {
      state,
      name: text.t(`check.step.${step}`),
      stateWords: text.t(`check.state.${state}`),
      words: '',
      time: '',
    };
  });
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
