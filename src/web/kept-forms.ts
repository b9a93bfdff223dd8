import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import type { SignedIn } from './access/sign-in.ts';
import { formOf } from './form.ts';
import type { Form } from './form.ts';

/** How long a form waits for its account to sign in again. */
export const KEPT_FORM_MS = 30 * 60_000;
/** The largest form that is kept, and how many are; beyond it the oldest is forgotten. */
export const KEPT_FORM_BYTES_MAX = 128 * 1024;
export const KEPT_FORMS_MAX = 20;
/** Sessions whose forms are known again after they have ended. */
const SESSIONS_REMEMBERED_MAX = 500;

/** Pages that can show a form as it was typed; elsewhere nothing is lost but the press of a button. */
const KEPT_PAGES: readonly RegExp[] = [
  /^\/tasks\/\d[^/]*\/edit$/,
  /^\/tasks\/new\/[^/]+\/(connection|folders|schedule)$/,
  /^\/settings\/(general|web|security|maintenance)$/,
];

interface KeptForm {
  readonly account: string;
  readonly path: string;
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly keptMs: number;
}

/** Forms that arrived after their session had ended. In memory only, without what looks like a password. */
export class KeptForms {
  /** The account of each session by the token of its forms: who sends one had such a page. */
  readonly #accounts = new Map<string, string>();
  readonly #forms = new Map<string, KeptForm>();

  remember({ csrfToken, account }: SignedIn): void {
    this.#accounts.delete(csrfToken);
    put(this.#accounts, csrfToken, account, SESSIONS_REMEMBERED_MAX);
  }

  /** Keeps the form that `req` brings. Gives its id; undefined where it is none of ours, or of no page that can show it. */
  keep(req: Request, nowMs: number): string | undefined {
    const account = this.#accounts.get(formOf(req).text('_csrf'));
    if (account === undefined || !KEPT_PAGES.some((page) => page.test(req.path))) return undefined;
    const id = randomUUID();
    put(this.#forms, id, { account, path: req.path, fields: withoutSecrets(req), keptMs: nowMs }, KEPT_FORMS_MAX);
    return id;
  }

  /** What was kept under `id`, for its account and page only. */
  get(id: string, account: string | undefined, path: string, nowMs: number): Form | undefined {
    const kept = this.#forms.get(id);
    if (kept === undefined || kept.account !== account || kept.path !== path) return undefined;
    if (nowMs - kept.keptMs >= KEPT_FORM_MS) return undefined;
    const list = (name: string): readonly string[] =>
      Object.hasOwn(kept.fields, name) ? (kept.fields[name] ?? []) : [];
    return { list, text: (name) => list(name).at(-1) ?? '', has: (name) => Object.hasOwn(kept.fields, name) };
  }
}

function put<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.set(key, value);
  const oldest = map.size > max ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
}

const SECRET_FIELD = /pass|secret|token|^_csrf$|^current$|^again$/i;

function withoutSecrets(req: Request): Record<string, string[]> {
  const form = formOf(req);
  return Object.fromEntries(
    Object.keys((req.body ?? {}) as object)
      .filter((name) => !SECRET_FIELD.test(name))
      // An address may have been pasted with its password.
      .map((name) => [name, form.list(name).map((value) => value.replace(/(:\/\/[^\s:@/]*):\S*@/g, '$1@'))]),
  );
}
