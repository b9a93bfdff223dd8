import type { RequestHandler } from 'express';
import { LANGUAGES } from '../../text.ts';
import { COOKIES, setCookie } from '../access/cookies.ts';
import { formOf } from '../form.ts';
import { THEMES } from '../make-page-context.ts';
import { ownPath, redirect } from '../redirect.ts';

const YEAR_SECONDS = 365 * 24 * 60 * 60;

/** One browser's language; it goes before the setting. */
export const chooseLanguage: RequestHandler = (req, res) => {
  const form = formOf(req);
  const language = LANGUAGES.find((known) => known === form.text('language'));
  if (language !== undefined) setCookie(req, res, COOKIES.language, language, YEAR_SECONDS);
  redirect(res, ownPath(form.text('back')));
};

/** One browser's theme; it goes before the setting. */
export const chooseTheme: RequestHandler = (req, res) => {
  const form = formOf(req);
  const theme = THEMES.find((known) => known === form.text('theme'));
  if (theme !== undefined) setCookie(req, res, COOKIES.theme, theme, YEAR_SECONDS);
  redirect(res, ownPath(form.text('back')));
};
