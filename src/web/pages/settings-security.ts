import type { RequestHandler, Response } from 'express';
import { numberOf } from '../../settings/form-amounts.ts';
import { IDLE_MINUTES_MAX, parseAppSettings } from '../../settings/parse-app-settings.ts';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '../access/password-hash.ts';
import { PasswordLogin } from '../access/password-login.ts';
import type { SignIn } from '../access/sign-in.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import type { Form } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import type { PageContext } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { waitMessage } from './login.ts';
import { noteActivity } from './note-activity.ts';
import { SETTINGS_TABS } from './settings-tabs.ts';

interface SecurityView {
  readonly tabs: readonly string[];
  /** Accounts are ours; else those of DSM. */
  readonly hasPassword: boolean;
  readonly account: string;
  readonly idleMinutes: string;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  readonly sessions: readonly SessionView[];
  readonly hasOthers: boolean;
  readonly keyPath: string;
  /** Servers whose certificate is trusted by its fingerprint only. */
  readonly trusted: readonly { readonly name: string; readonly path: string; readonly fingerprint: string }[];
}

interface SessionView {
  readonly browser: string;
  readonly address: string;
  readonly createdMs: number;
  readonly seenMs: number;
  readonly isThisOne: boolean;
}

const SESSIONS_SHOWN_MAX = 50;

export function showSecuritySettings(services: Services, access: SignIn): RequestHandler {
  return async (req, res) => {
    const kept = keptForm(req, res, services.clock.nowMs());
    const idleMinutes = kept?.text('idleMinutes') ?? String(services.settings.read().idleMinutes);
    await renderSecurity(services, access, res, 200, idleMinutes, []);
  };
}

/** How long a session may be left alone. */
export function saveSecuritySettings(services: Services, access: SignIn): RequestHandler {
  return async (req, res) => {
    const { t, account } = pageOf(res);
    const idleMinutes = formOf(req).text('idleMinutes');
    const parsed = parseAppSettings({ idleMinutes: numberOf(idleMinutes) ?? '' });
    if ('faults' in parsed) {
      const words = t('e.set.idleMinutes', { max: IDLE_MINUTES_MAX });
      await renderSecurity(services, access, res, 422, idleMinutes, [{ field: 'idleMinutes', words }]);
      return;
    }
    services.settings.write(parsed.changes);
    noteActivity(services, account, 'settings-changed', undefined, 'set.security');
    flash(res, 'ok', 'ok.saved');
    redirect(res, '/settings/security');
  };
}

/** Another password; every other browser has to sign in again. */
export function changePassword(services: Services, access: PasswordLogin): RequestHandler {
  return async (req, res) => {
    const page = pageOf(res);
    const { account, sessionHash, t } = page;
    if (account === undefined) return;
    const form = formOf(req);
    const idle = String(services.settings.read().idleMinutes);
    const messages = passwordMessages(form, page);
    if (messages.length > 0) {
      await renderSecurity(services, access, res, 422, idle, messages);
      return;
    }
    const entry = await access.confirm(req, account, form.text('current'));
    if (entry.kind !== 'in') {
      const words = entry.kind === 'wait' ? waitMessage(res, entry.waitMs) : t('e.current.wrong');
      const status = entry.kind === 'wait' ? 429 : 422;
      await renderSecurity(services, access, res, status, idle, [{ field: 'current', words }]);
      return;
    }
    await access.changePassword({ account, sessionHash }, form.text('password'));
    flash(res, 'ok', 'ok.password');
    redirect(res, '/settings/security');
  };
}

function passwordMessages(form: Form, { t }: Pick<PageContext, 't'>): FieldMessage[] {
  const password = form.text('password');
  const messages: FieldMessage[] = [];
  if (form.text('current') === '') messages.push({ field: 'current', words: t('e.current') });
  if (password.length < PASSWORD_LENGTH_MIN) {
    messages.push({ field: 'password', words: t('su.password.short', { count: PASSWORD_LENGTH_MIN }) });
  } else if (password.length > PASSWORD_LENGTH_MAX) {
    messages.push({ field: 'password', words: t('su.password.long', { count: PASSWORD_LENGTH_MAX }) });
  } else if (form.text('again') !== password) {
    messages.push({ field: 'again', words: t('su.again.bad') });
  }
  return messages;
}

async function renderSecurity(
  services: Services,
  access: SignIn,
  res: Response,
  status: number,
  idleMinutes: string,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { account = '', sessionHash, t, text } = pageOf(res);
  const sessions = access.sessions(account).slice(0, SESSIONS_SHOWN_MAX);
  const view: SecurityView = {
    tabs: SETTINGS_TABS,
    hasPassword: access instanceof PasswordLogin,
    account,
    idleMinutes,
    messages,
    faults: messagesByField(messages),
    sessions: sessions.map((session) => ({
      browser: browserName(session.browser) ?? text.t('set.browser.unknown'),
      address: session.address,
      createdMs: session.createdMs,
      seenMs: session.seenMs,
      isThisOne: sessionHash !== undefined && session.tokenHash.equals(sessionHash),
    })),
    hasOthers: sessions.length > 1,
    keyPath: `${services.stateDir}/secret.key`,
    trusted: services.tasks.list().flatMap((task) => {
      const fingerprint = task.settings?.source.tls.fingerprint;
      return fingerprint === undefined
        ? []
        : [{ name: task.name, path: `/tasks/${task.id}/edit#fingerprint`, fingerprint }];
    }),
  };
  await render(res, 'settings-security', view, { status, title: t('set.security'), menu: 'settings' });
}

/** `Firefox, Windows`: enough to recognise one's own browsers. undefined where the browser does not say. */
export function browserName(agent: string): string | undefined {
  const browser = BROWSERS.find(([mark]) => agent.includes(mark))?.[1];
  const system = SYSTEMS.find(([mark]) => agent.includes(mark))?.[1];
  return browser === undefined ? undefined : [browser, system].filter((part) => part !== undefined).join(', ');
}

// The order matters: each of them also names the ones below it.
const BROWSERS = [
  ['Edg/', 'Edge'],
  ['OPR/', 'Opera'],
  ['Firefox/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
] as const;
const SYSTEMS = [
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Android', 'Android'],
  ['Windows', 'Windows'],
  ['Mac OS X', 'macOS'],
  ['Linux', 'Linux'],
] as const;
