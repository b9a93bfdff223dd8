import type { ErrorCode, ErrorFacts } from '../errors.ts';
import type { Text } from '../text.ts';

/**
 * What happened and what to do, for the pages: some next steps are other ones here than on a command line, and stand in
 * texts `web.error.<code>.do`. OpenSSL's words for what is wrong with a certificate are put into plain ones.
 */
export function errorWords(text: Text, code: ErrorCode, facts: ErrorFacts = {}): { cause: string; action: string } {
  const { reason } = facts;
  const known = `cert.${reason ?? ''}`;
  const told = reason !== undefined && text.has(known) ? { ...facts, reason: text.t(known) } : facts;
  const { cause, action } = text.error(code, told);
  const hinted = `web.error.${code}.hint.${facts['hint'] ?? ''}.do`;
  const key = text.has(hinted) ? hinted : `web.error.${code}.do`;
  return { cause, action: text.has(key) ? text.t(key, facts) : action };
}
