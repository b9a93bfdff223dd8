import type { RequestHandler } from 'express';
import { ERROR_TABLE } from '../../errors.ts';
import type { ErrorCode, ErrorScope } from '../../errors.ts';
import type { Text } from '../../text.ts';
import { errorWords } from '../error-words.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';

/** Each has the texts `help.<topic>.h` and `help.<topic>.p`, one paragraph a line. */
export const HELP_TOPICS = ['first', 'hosts', 'permissions', 'kept', 'trust', 'schedule', 'move', 'command'] as const;

interface HelpView {
  readonly topics: readonly { readonly id: string; readonly heading: string; readonly paragraphs: readonly string[] }[];
  readonly errorGroups: readonly { readonly heading: string; readonly errors: readonly ErrorHelp[] }[];
}

interface ErrorHelp {
  /** The anchor that every error links to. */
  readonly id: string;
  readonly code: string;
  readonly cause: string;
  readonly action: string;
}

const SCOPES: readonly ErrorScope[] = ['run', 'session', 'folder', 'file', 'app'];

export const showHelp: RequestHandler = async (_req, res) => {
  const { t, text } = pageOf(res);
  await render(res, 'help', buildHelpView(text), { title: t('nav.help'), menu: 'help' });
};

/** One topic's address, as links in mails have it. */
export const showHelpTopic: RequestHandler = (req, res) => {
  const topic = HELP_TOPICS.find((known) => known === req.params['topic']);
  redirect(res, topic === undefined ? '/help' : `/help#${topic}`);
};

export function buildHelpView(text: Text): HelpView {
  const codes = Object.keys(ERROR_TABLE) as ErrorCode[];
  return {
    topics: HELP_TOPICS.map((id) => ({
      id,
      heading: text.t(`help.${id}.h`),
      paragraphs: text.t(`help.${id}.p`).split('\n'),
    })),
    errorGroups: SCOPES.map((scope) => ({
      heading: text.t(`help.scope.${scope}`),
      errors: codes
        .filter((code) => ERROR_TABLE[code].scope === scope)
        .map((code) => ({ id: `error-${code}`, code, ...errorWords(text, code) })),
    })),
  };
}
