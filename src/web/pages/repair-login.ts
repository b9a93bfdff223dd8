import type { RequestHandler, Response } from 'express';
import type { CodeLogin } from '../access/code-login.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import { waitMessage } from './login.ts';

/** The sign-in for as long as no account can be read. */
export const showCodeLogin: RequestHandler = async (_req, res) => {
  if (pageOf(res).account !== undefined) redirect(res, '/');
  else await renderCodeLogin(res, 200, '');
};

export function enterByCode(access: CodeLogin): RequestHandler {
  return async (req, res) => {
    const { isIn, waitMs } = access.enter(req, res, formOf(req).text('code'));
    if (isIn) redirect(res, '/');
    else if (waitMs > 0) await renderCodeLogin(res, 429, waitMessage(res, waitMs));
    else await renderCodeLogin(res, 422, pageOf(res).t('rp.code.bad'));
  };
}

async function renderCodeLogin(res: Response, status: number, message: string): Promise<void> {
  await render(res, 'repair-login', { message }, { status, title: pageOf(res).t('lg.title'), menu: undefined });
}
