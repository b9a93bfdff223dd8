import { networkInterfaces } from 'node:os';
import type { Request, RequestHandler, Response } from 'express';
import { numberOf } from '../../settings/form-amounts.ts';
import { parseWebAccess } from '../../settings/web-access.ts';
import type { FixedWebAccess, WebAccess } from '../../settings/web-access.ts';
import type { CertificateFault } from '../certificate.ts';
import { answerNotFound } from '../error-pages.ts';
import { errorWords } from '../error-words.ts';
import { secondsWords } from '../exact-times.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import type { Form } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { fieldOfAddressError } from '../web-access-control.ts';
import type { WebTrial } from '../web-access-control.ts';
import { messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { noteActivity } from './note-activity.ts';
import { SETTINGS_TABS } from './settings-tabs.ts';

/** As typed. */
type WebForm = Readonly<Record<keyof WebAccess, string>>;

interface WebView {
  readonly tabs: readonly string[];
  /** Where this page was opened. */
  readonly address: string;
  /** Other addresses of the NAS in its networks. */
  readonly addresses: readonly string[];
  readonly isEncrypted: boolean;
  readonly certificate: { readonly ends: string; readonly fingerprint: string } | undefined;
  readonly emergency: string;
  readonly isBehindProxy: boolean;
  readonly trial: TrialView | undefined;
  readonly ended: { readonly tone: 'ok' | 'warn'; readonly words: string } | undefined;
  readonly form: WebForm;
  /** What holds while the page is shown; it comes back with the form. */
  readonly before: WebForm;
  /** Fields that start options settle. */
  readonly fixed: Readonly<Partial<Record<keyof WebAccess, true>>>;
  /** Why nothing can be changed here; empty where something can. */
  readonly fixedWords: string;
  readonly listenWords: string;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
}

interface TrialView {
  readonly address: string;
  readonly link: string;
  readonly words: string;
  readonly notes: readonly string[];
  readonly fingerprint: string;
}

const FIELDS = [
  'port',
  'listen',
  'encryption',
  'certificateFile',
  'keyFile',
  'basePath',
  'trustedProxies',
] as const satisfies readonly (keyof WebAccess)[];

/** What the last trial came to is shown this long. */
const ENDED_SHOWN_MS = 10 * 60_000;

/** How the pages are reached. */
export function showWebSettings(services: Services): RequestHandler {
  return async (req, res) => {
    const { trial, current } = services.webAccess;
    const kept = keptForm(req, res, services.clock.nowMs());
    const form = kept === undefined ? typedOf(trial?.access ?? current) : changedForm(kept, typedOf(current));
    await renderWeb(services, req, res, 200, form, []);
  };
}

/** Opens the new address beside the old one; it stays only when it is confirmed there. */
export function tryWebSettings(services: Services): RequestHandler {
  return async (req, res) => {
    const { t, text, account } = pageOf(res);
    const { webAccess } = services;
    const form = { ...changedForm(formOf(req), typedOf(webAccess.current)), ...fixedForm(webAccess.fixed) };
    const parsed = parseWebAccess({ ...wantedOf(form), ...shownOf(webAccess.fixed) });
    const refuse = async (messages: readonly FieldMessage[]): Promise<void> => {
      await renderWeb(services, req, res, 422, form, messages);
    };
    if ('faults' in parsed) {
      await refuse(inPageOrder(parsed.faults.map((field) => ({ field, words: t(`e.web.${field}`) }))));
      return;
    }
    if (isSame({ ...parsed.access, ...webAccess.fixed }, webAccess.current)) {
      await webAccess.takeBack();
      flash(res, 'info', 'web.nothing');
      redirect(res, '/settings/web');
      return;
    }
    try {
      const trial = await webAccess.tryOut(parsed.access, [req.hostname], account);
      if ('faults' in trial) {
        await refuse(trial.faults.map(({ field, key }) => ({ field, words: t(`e.web.${key}`) })));
        return;
      }
    } catch (error) {
      const known = fieldOfAddressError(error);
      if (known === undefined) throw error;
      const { cause, action } = errorWords(text, known.error.code, known.error.facts);
      await refuse([{ field: known.field, words: `${cause} ${action}` }]);
      return;
    }
    redirect(res, '/settings/web');
  };
}

/** Ends the trial of a new address. */
export function takeBackWebSettings(services: Services): RequestHandler {
  return async (_req, res) => {
    await services.webAccess.takeBack();
    redirect(res, '/settings/web');
  };
}

/** At the new address: asks whether it is to be kept. Whoever has the link was signed in when the change was made. */
export function showKeepAddress(services: Services): RequestHandler {
  return async (req, res, next) => {
    const trial = trialHere(services, req, req.query['token']);
    if (trial === undefined) {
      await answerNotFound(req, res, next);
      return;
    }
    const { t } = pageOf(res);
    const view = { token: trial.token, until: endWords(trial, res) };
    await render(res, 'web-keep', view, { title: t('web.keep.h'), menu: 'settings' });
  };
}

export function keepAddress(services: Services): RequestHandler {
  return async (req, res, next) => {
    const token = formOf(req).text('token');
    const trial = trialHere(services, req, token);
    if (trial === undefined || !(await services.webAccess.keep(token))) {
      await answerNotFound(req, res, next);
      return;
    }
    noteActivity(services, trial.by, 'settings-changed', undefined, 'set.web');
    redirect(res, '/settings/web');
  };
}

/** The trial that this request came in by: elsewhere nothing would be proved. */
function trialHere(services: Services, req: Request, token: unknown): WebTrial | undefined {
  const trial = services.webAccess.trial;
  const isHere = trial !== undefined && req.app.get(TRIAL_SETTING) === trial.token;
  return isHere && token === trial.token ? trial : undefined;
}

/** The setting of the express app that tells the pages of a trial from those of the old address. */
export const TRIAL_SETTING = 'web access trial';

function typedOf(access: WebAccess): WebForm {
  return {
    ...access,
    port: String(access.port),
    listen: { '': 'network', '127.0.0.1': 'local' }[access.listen] ?? access.listen,
    trustedProxies: access.trustedProxies.join('\n'),
  };
}

function sentForm(form: Form): WebForm {
  return Object.fromEntries(FIELDS.map((name) => [name, form.text(name)])) as unknown as WebForm;
}

/** What was left as it stood in the page follows what holds now: another browser may have changed it meanwhile. */
function changedForm(form: Form, current: WebForm): WebForm {
  const lines = (text: string): string => text.replaceAll('\r\n', '\n');
  const isUntouched = (name: string): boolean =>
    form.has(`before-${name}`) && lines(form.text(name)) === lines(form.text(`before-${name}`));
  const untouched = FIELDS.filter(isUntouched).map((name) => [name, current[name]]);
  return { ...sentForm(form), ...(Object.fromEntries(untouched) as Partial<WebForm>) };
}

function fixedForm(fixed: FixedWebAccess): Partial<WebForm> {
  const typed = typedOf({ ...EMPTY, ...fixed });
  return Object.fromEntries(FIELDS.filter((name) => name in fixed).map((name) => [name, typed[name]]));
}

const EMPTY: WebAccess = {
  port: 0,
  listen: '',
  encryption: 'none',
  certificateFile: '',
  keyFile: '',
  basePath: '/',
  trustedProxies: [],
};

/** For the check only, which a start option such as port 0 need not pass. */
function shownOf(fixed: FixedWebAccess): FixedWebAccess {
  return fixed.port === 0 ? { ...fixed, port: 1 } : fixed;
}

function wantedOf(form: WebForm): Record<keyof WebAccess, unknown> {
  const isOwn = form.encryption === 'own';
  const path = form.basePath.trim();
  return {
    port: numberOf(form.port) ?? '',
    listen: { network: '', local: '127.0.0.1' }[form.listen] ?? 'unknown',
    encryption: form.encryption,
    certificateFile: isOwn ? form.certificateFile.trim() : '',
    keyFile: isOwn ? form.keyFile.trim() : '',
    basePath: path === '' ? '/' : path,
    trustedProxies: form.trustedProxies.split(/[\s,]+/).filter((item) => item !== ''),
  };
}

function isSame(a: WebAccess, b: WebAccess): boolean {
  return FIELDS.every((name) => String(a[name]) === String(b[name]));
}

function inPageOrder(messages: readonly FieldMessage[]): FieldMessage[] {
  return [...messages].sort(
    (a, b) => FIELDS.indexOf(a.field as keyof WebAccess) - FIELDS.indexOf(b.field as keyof WebAccess),
  );
}

async function renderWeb(
  services: Services,
  req: Request,
  res: Response,
  status: number,
  form: WebForm,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { basePath, t, dates } = pageOf(res);
  const { webAccess, clock } = services;
  const isBehindProxy = req.ips.length > 0;
  const isDsm = services.access === 'dsm';
  const { certificate, lastEnd } = webAccess;
  const isAllFixed = FIELDS.every((name) => name in webAccess.fixed);
  const address = `${req.protocol}://${req.get('Host') ?? ''}${basePath}`;
  const view: WebView = {
    tabs: SETTINGS_TABS,
    address,
    addresses:
      isBehindProxy || isDsm ? [] : otherAddresses(webAccess.current, webAccess.portOf(webAccess.current), address),
    isEncrypted: req.secure,
    certificate:
      certificate === undefined
        ? undefined
        : { ends: t('web.cert.ends', { date: dates.full(certificate.endsMs) }), fingerprint: certificate.fingerprint },
    emergency: emergencyWords(webAccess.emergency, certificate !== undefined, t),
    isBehindProxy,
    trial: webAccess.trial === undefined ? undefined : trialView(services, webAccess.trial, req, res),
    ended:
      lastEnd === undefined || webAccess.trial !== undefined || clock.nowMs() - lastEnd.atMs > ENDED_SHOWN_MS
        ? undefined
        : { tone: lastEnd.kind === 'not-confirmed' ? 'warn' : 'ok', words: t(`web.end.${lastEnd.kind}`) },
    form,
    before: typedOf(webAccess.current),
    fixed: Object.fromEntries(Object.keys(webAccess.fixed).map((name) => [name, true])),
    fixedWords: isDsm ? t('web.fixed.dsm') : isAllFixed ? t('web.fixed.all') : '',
    listenWords: ['network', 'local'].includes(form.listen) ? t(`web.listen.${form.listen}`) : form.listen,
    messages,
    faults: messagesByField(messages),
  };
  await render(res, 'settings-web', view, { status, title: t('set.web'), menu: 'settings', scripts: ['forms.js'] });
}

function emergencyWords(
  fault: CertificateFault | undefined,
  hasSubstitute: boolean,
  t: (key: string) => string,
): string {
  if (fault === undefined) return '';
  return `${t(hasSubstitute ? 'web.emergency' : 'web.emergency.none')} ${t(`e.web.${fault.key}`)}.`;
}

function trialView(services: Services, trial: WebTrial, req: Request, res: Response): TrialView {
  const { t } = pageOf(res);
  const { current, trialCertificate } = services.webAccess;
  const { access } = trial;
  const isBehindProxy = req.ips.length > 0;
  const isSameDoor = hasSameDoor(access, current);
  const isLocal = access.listen === '127.0.0.1' && !isBehindProxy;
  const address = newAddress(services, access, current, req);
  const leftMs = Math.max(0, trial.endsMs - services.clock.nowMs());
  return {
    address,
    link: `${address}settings/web/keep?token=${trial.token}`,
    words: t('web.trial.p', { count: Math.ceil(leftMs / 1000), time: endWords(trial, res) }),
    notes: [
      ...(isBehindProxy && !isSameDoor ? [t('web.trial.proxy')] : []),
      ...(isLocal ? [t('web.trial.local')] : []),
    ],
    fingerprint: access.encryption === 'self-signed' ? (trialCertificate?.fingerprint ?? '') : '',
  };
}

/** Where whoever sent `req` to the pages of `before` finds those of `access`. */
export function newAddress(services: Services, access: WebAccess, before: WebAccess, req: Request): string {
  const isBehindProxy = req.ips.length > 0;
  // What stands in front of us does not move with our port.
  if (isBehindProxy && hasSameDoor(access, before))
    return `${req.protocol}://${req.get('Host') ?? ''}${access.basePath}`;
  const isLocal = access.listen === '127.0.0.1' && !isBehindProxy;
  return addressOf(access, services.webAccess.portOf(access), isLocal ? 'localhost' : req.hostname);
}

function hasSameDoor(access: WebAccess, other: WebAccess): boolean {
  return (['port', 'listen', 'encryption'] as const).every((name) => access[name] === other[name]);
}

function endWords(trial: WebTrial, res: Response): string {
  const { language, timeZone } = pageOf(res);
  return secondsWords(trial.endsMs, language, timeZone);
}

function addressOf(access: WebAccess, port: number, host: string): string {
  const isHttps = access.encryption !== 'none';
  const suffix = port === (isHttps ? 443 : 80) ? '' : `:${port}`;
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `${isHttps ? 'https' : 'http'}://${name}${suffix}${access.basePath}`;
}

const ADDRESSES_MAX = 8;

function otherAddresses(access: WebAccess, port: number, here: string): string[] {
  if (access.listen !== '') return [];
  return Object.values(networkInterfaces())
    .flatMap((items) => items ?? [])
    .filter((item) => !item.internal && item.family === 'IPv4')
    .map((item) => addressOf(access, port, item.address))
    .filter((other) => other !== here)
    .slice(0, ADDRESSES_MAX);
}
