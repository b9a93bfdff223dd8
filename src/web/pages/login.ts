import type { RequestHandler, Response } from 'express';
import { PASSWORD_LENGTH_MAX } from '../access/password-hash.ts';
import { ACCOUNT_NAME_LENGTH_MAX } from '../access/password-login.ts';
import type { PasswordLogin } from '../access/password-login.ts';
import type { SignIn } from '../access/sign-in.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { ownPath, redirect } from '../redirect.ts';
import { render } from '../render.ts';

interface LoginView {
  readonly next: string;
  readonly name: string;
  readonly message: string;
}

/** The sign-in. */
export function showLogin(access: PasswordLogin): RequestHandler {
  return async (req, res) => {
    const next = ownPath(req.query['next']);
    if (pageOf(res).account !== undefined) redirect(res, next);
    else if (access.entryPath() !== '/login') redirect(res, access.entryPath());
    else await renderLogin(res, 200, { next, name: '', message: '' });
  };
}

export function enter(access: PasswordLogin): RequestHandler {
  return async (req, res) => {
    const { t } = pageOf(res);
    const form = formOf(req);
    const [name, password, next] = [form.text('name').trim(), form.text('password'), ownPath(form.text('next'))];
    const view = { next, name: name.slice(0, ACCOUNT_NAME_LENGTH_MAX) };
    const isHopeless = name.length > ACCOUNT_NAME_LENGTH_MAX || password.length > PASSWORD_LENGTH_MAX;
    if (name === '' || password === '' || isHopeless) {
      await renderLogin(res, 422, { ...view, message: t(isHopeless ? 'lg.bad' : 'lg.empty') });
      return;
    }
    const entry = await access.enter(req, res, name, password);
    if (entry.kind === 'in') {
      redirect(res, next);
      return;
    }
    if (entry.kind === 'wait') res.set('Retry-After', String(Math.ceil(entry.waitMs / 1000)));
    const message = entry.kind === 'wait' ? waitMessage(res, entry.waitMs) : t('lg.bad');
    await renderLogin(res, entry.kind === 'wait' ? 429 : 422, { ...view, message });
  };
}

/** Signs out; with the field `everywhere` every browser of the account. `path`: where that leads. */
export function leave(access: SignIn, path: string): RequestHandler {
  return (req, res) => {
    const { account, sessionHash } = pageOf(res);
    if (account !== undefined) access.leave(req, res, { account, sessionHash }, formOf(req).has('everywhere'));
    redirect(res, path);
  };
}

/** How long somebody has to wait who has tried too often. */
export function waitMessage(res: Response, waitMs: number): string {
  return pageOf(res).t('lg.wait', { count: Math.ceil(waitMs / 60_000) });
}

async function renderLogin(res: Response, status: number, view: LoginView): Promise<void> {
  await render(res, 'login', view, { status, title: pageOf(res).t('lg.title'), menu: undefined });
}
