import type { RequestHandler, Response } from 'express';
import { LANGUAGES } from '../../text.ts';
import type { Language } from '../../text.ts';
import { COOKIES, removeCookie } from '../access/cookies.ts';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '../access/password-hash.ts';
import { ACCOUNT_NAME_LENGTH_MAX } from '../access/password-login.ts';
import type { PasswordLogin } from '../access/password-login.ts';
import { formOf } from '../form.ts';
import type { Form } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { waitMessage } from './login.ts';

interface SetupView {
  /** False: the code was used, is older than an hour, or there was none. */
  readonly canSetUp: boolean;
  readonly name: string;
  readonly language: Language;
  /** Field to message, in the order of the page. */
  readonly faults: readonly SetupFault[];
}

interface SetupFault {
  readonly field: 'code' | 'name' | 'password' | 'again';
  readonly words: string;
}

/** The first set-up. */
export function showSetup(access: PasswordLogin): RequestHandler {
  return async (_req, res) => {
    if (access.entryPath() === '/setup') await renderSetup(res, access, 200, pageOf(res).language, '', []);
    else redirect(res, '/');
  };
}

export function saveSetup(services: Services, access: PasswordLogin): RequestHandler {
  return async (req, res) => {
    if (access.entryPath() !== '/setup') {
      redirect(res, '/');
      return;
    }
    const form = formOf(req);
    const name = form.text('name').trim();
    const language = LANGUAGES.find((known) => known === form.text('language')) ?? pageOf(res).language;
    const faults = setupFaults(form, name, pageOf(res).t);
    const refuse = (status: number, fault: SetupFault): Promise<void> =>
      renderSetup(res, access, status, language, name, [fault]);
    if (faults.length > 0) {
      await renderSetup(res, access, 422, language, name, faults);
      return;
    }
    const entry = await access.setUp(req, res, { code: form.text('code'), name, password: form.text('password') });
    if (entry.kind === 'wrong') await refuse(422, { field: 'code', words: pageOf(res).t('su.code.bad') });
    else if (entry.kind === 'wait') await refuse(429, { field: 'code', words: waitMessage(res, entry.waitMs) });
    else {
      services.settings.write({ language });
      // The switch on this page was about this page; from here on the setting holds.
      removeCookie(req, res, COOKIES.language);
      redirect(res, '/');
    }
  };
}

function setupFaults(form: Form, name: string, t: (key: string, facts?: { count: number }) => string): SetupFault[] {
  const password = form.text('password');
  const faults: SetupFault[] = [];
  if (form.text('code').trim() === '') faults.push({ field: 'code', words: t('su.code.empty') });
  if (name === '' || name.length > ACCOUNT_NAME_LENGTH_MAX || /\p{Cc}/u.test(name)) {
    faults.push({ field: 'name', words: t('su.name.bad', { count: ACCOUNT_NAME_LENGTH_MAX }) });
  }
  if (password.length < PASSWORD_LENGTH_MIN) {
    faults.push({ field: 'password', words: t('su.password.short', { count: PASSWORD_LENGTH_MIN }) });
  } else if (password.length > PASSWORD_LENGTH_MAX) {
    faults.push({ field: 'password', words: t('su.password.long', { count: PASSWORD_LENGTH_MAX }) });
  } else if (form.text('again') !== password) {
    faults.push({ field: 'again', words: t('su.again.bad') });
  }
  return faults;
}

async function renderSetup(
  res: Response,
  access: PasswordLogin,
  status: number,
  language: Language,
  name: string,
  faults: readonly SetupFault[],
): Promise<void> {
  const view: SetupView = { canSetUp: access.canSetUp, name, language, faults };
  await render(res, 'setup', view, { status, title: pageOf(res).t('su.title'), menu: undefined });
}
