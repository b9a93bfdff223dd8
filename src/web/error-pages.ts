import { randomBytes } from 'node:crypto';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { BackupError, isBackupError } from '../errors.ts';
import { PasswordQueueFull } from './access/password-hash.ts';
import { isBackgroundRequest } from './make-page-context.ts';
import type { PageContext } from './page-context.ts';
import { ownPath } from './redirect.ts';
import { render } from './render.ts';
import type { Services } from './services.ts';

interface ErrorView {
  readonly heading: string;
  readonly paragraphs: readonly string[];
  readonly link: { readonly path: string; readonly words: string };
}

/** Nothing has this address. Pages call it themselves for a task or run that is gone. */
export const answerNotFound: RequestHandler = async (req, res) => {
  await answer(req, res, 404, 'not-found');
};

/** `key`: what is gone, as in the texts `page.gone.<key>`; with links to where it may be found. */
export async function answerGone(req: Request, res: Response, key: 'task' | 'run'): Promise<void> {
  await answer(req, res, 404, `gone.${key}`);
}

/** What is asked of a version is not there; `what` as in the texts `page.past.<what>`. Leads to the versions of the task. */
export async function answerPast(req: Request, res: Response, what: string, taskPath: string): Promise<void> {
  await answer(req, res, 404, 'past', { path: `${taskPath}/versions`, key: 'vs.all' }, what);
}

/** A form without the token of this session. */
export const answerForeignForm: RequestHandler = async (req, res) => {
  await answer(req, res, 403, 'foreign-form');
};

/**
 * A form of somebody whose session has ended. The way leads over the sign-in back to the form's page; `kept`: under which
 * id it finds there what was typed.
 */
export async function answerSessionEnded(req: Request, res: Response, kept: string | undefined): Promise<void> {
  const page = contextOf(res);
  const back = kept !== undefined ? `${req.path}?kept=${kept}` : page === undefined ? '/' : pathOfForm(req, page);
  const link = { path: `/login?next=${encodeURIComponent(back)}`, key: 'lg.title' };
  await answer(req, res, 403, 'session-ended', link, kept === undefined ? 'p' : 'kept');
}

/** What no handler has caught: expected errors by their texts, others by a short id that also stands in the log. */
export function answerError(services: Pick<Services, 'log'>): ErrorRequestHandler {
  return async (error: unknown, req: Request, res: Response, next) => {
    if (res.headersSent) {
      // Express then cuts the connection: half a page must not look like a whole one.
      next(error);
      return;
    }
    const status = clientFault(error);
    if (error instanceof PasswordQueueFull) await answer(req, res, 503, 'busy');
    else if (status === 413) await answer(req, res, 413, 'too-large');
    else if (status === 404) await answer(req, res, 404, 'not-found');
    else if (status !== undefined) await answer(req, res, 400, 'bad-request');
    else await answerFailure(services, error, req, res);
  };
}

async function answerFailure(
  services: Pick<Services, 'log'>,
  error: unknown,
  req: Request,
  res: Response,
): Promise<void> {
  const id = randomBytes(4).toString('hex');
  services.log.error('page-failed', { id, method: req.method, path: req.path, error });
  const page = contextOf(res);
  if (page === undefined || isBackgroundRequest(req)) {
    answerPlainly(req, res, 500, id);
    return;
  }
  const isFull = (error as { code?: unknown } | undefined)?.code === 'SQLITE_FULL';
  const known = isBackupError(error) ? error : isFull ? new BackupError('disk-full') : undefined;
  const words = known === undefined ? undefined : page.text.error(known.code, known.facts);
  const view: ErrorView = {
    heading: page.t('page.failed.h'),
    paragraphs: [
      ...(words === undefined ? [page.t('page.failed.p')] : [words.cause, words.action]),
      page.t('page.failed.id', { id }),
    ],
    link: { path: '/', words: page.t('page.home') },
  };
  try {
    await render(res, 'error', view, { status: 500, title: view.heading, menu: undefined });
  } catch (second) {
    services.log.error('error-page-failed', { id, error: second });
    if (!res.headersSent) answerPlainly(req, res, 500, id);
  }
}

async function answer(
  req: Request,
  res: Response,
  status: number,
  key: string,
  link: { path: string; key: string } = { path: '/', key: 'page.home' },
  paragraph = 'p',
): Promise<void> {
  const page = contextOf(res);
  if (page === undefined || isBackgroundRequest(req)) {
    answerPlainly(req, res, status, key);
    return;
  }
  const view: ErrorView = {
    heading: page.t(`page.${key}.h`),
    paragraphs: [page.t(`page.${key}.${paragraph}`)],
    link: { path: link.path, words: page.t(link.key) },
  };
  await render(res, 'error', view, { status, title: view.heading, menu: undefined });
}

/** For scripts, and where not even the language is known. */
function answerPlainly(req: Request, res: Response, status: number, word: string): void {
  if (isBackgroundRequest(req)) res.status(status).json({ error: word });
  else res.status(status).type('text').send(word);
}

/** The status that express and its parsers give to a request that cannot be read. */
function clientFault(error: unknown): number | undefined {
  const status = error instanceof Error ? (error as { status?: unknown }).status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

function pathOfForm(req: Request, page: PageContext): string {
  const referrer = req.get('Referer');
  if (referrer === undefined || !URL.canParse(referrer)) return '/';
  const { pathname, search } = new URL(referrer);
  return pathname.startsWith(page.basePath) ? ownPath(`/${pathname.slice(page.basePath.length)}${search}`) : '/';
}

function contextOf(res: Response): PageContext | undefined {
  return (res.locals as { page?: PageContext }).page;
}
