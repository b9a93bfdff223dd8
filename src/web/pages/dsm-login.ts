import type { RequestHandler, Response } from 'express';
import type { DsmEntry, DsmLogin } from '../access/dsm-login.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import type { PageContext } from '../page-context.ts';
import { ownPath, redirect } from '../redirect.ts';
import { render } from '../render.ts';
import { waitMessage } from './login.ts';

interface DsmLoginView {
  readonly next: string;
  /** The page asks DSM by itself and goes on. */
  readonly isAsking: boolean;
  readonly message: { readonly tone: 'info' | 'err'; readonly heading: string; readonly words: string } | undefined;
}

/** The sign-in by DSM: a page whose script fetches the token of the DSM session and sends it. */
export function showDsmLogin(): RequestHandler {
  return async (req, res) => {
    const page = pageOf(res);
    const next = ownPath(req.query['next']);
    const hasLeft = req.query['left'] !== undefined;
    if (page.account !== undefined) redirect(res, next);
    // Whoever signs out is not signed in again at once.
    else if (hasLeft) await renderPage(res, 200, { next, isAsking: false, message: messageOf(page, 'left', 'info') });
    else await renderPage(res, 200, { next, isAsking: true, message: undefined });
  };
}

/** Takes the token that the page has fetched, and lets an administrator in. */
export function enterByDsm(access: DsmLogin): RequestHandler {
  return async (req, res) => {
    const form = formOf(req);
    const next = ownPath(form.text('next'));
    const entry = await access.enter(req, res, form.text('synoToken'));
    if (entry.kind === 'in') {
      redirect(res, next);
      return;
    }
    if (entry.kind === 'wait') res.set('Retry-After', String(Math.ceil(entry.waitMs / 1000)));
    const message = entryMessage(res, entry);
    await renderPage(res, STATUS[entry.kind], { next, isAsking: false, message });
  };
}

const STATUS = { nobody: 403, 'not-administrator': 403, wait: 429, silent: 503, missing: 503 } as const;

function entryMessage(res: Response, entry: Exclude<DsmEntry, { kind: 'in' }>): DsmLoginView['message'] {
  const page = pageOf(res);
  if (entry.kind === 'wait')
    return { tone: 'err', heading: page.t('dl.wait.h'), words: waitMessage(res, entry.waitMs) };
  const name = entry.kind === 'not-administrator' ? entry.name : '';
  return messageOf(page, entry.kind, 'err', { name });
}

function messageOf(
  { t }: PageContext,
  key: 'left' | Exclude<DsmEntry['kind'], 'in' | 'wait'>,
  tone: 'info' | 'err',
  facts: { name: string } = { name: '' },
): DsmLoginView['message'] {
  return { tone, heading: t(`dl.${key}.h`, facts), words: t(`dl.${key}.p`, facts) };
}

async function renderPage(res: Response, status: number, view: DsmLoginView): Promise<void> {
  const title = pageOf(res).t('lg.title');
  await render(res, 'dsm-login', view, { status, title, menu: undefined, scripts: ['dsm-login.js'] });
}
