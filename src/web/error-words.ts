import type { ErrorCode, ErrorFacts } from '../errors.ts';
import type { Text } from '../text.ts';

/**
 * What happened and what to do, for the pages: some next steps are other ones here than on a command line, and stand in
 * texts `web.error.<code>.do`.
 */
export function errorWords(text: Text, code: ErrorCode, facts: ErrorFacts = {}): { cause: string; action: string } {
  const { cause, action } = text.error(code, facts);
  const hinted = `web.error.${code}.hint.${facts['hint'] ?? ''}.do`;
  const key = text.has(hinted) ? hinted : `web.error.${code}.do`;
  return { cause, action: text.has(key) ? text.t(key, facts) : action };
}
