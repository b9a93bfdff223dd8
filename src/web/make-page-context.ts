import type { Request, RequestHandler } from 'express';
import { DEFAULT_APP_SETTINGS } from '../settings/app-settings.ts';
import type { AppSettings } from '../settings/app-settings.ts';
import { LANGUAGES } from '../text.ts';
import type { Language, Text } from '../text.ts';
import { COOKIES, readCookie, setCookie } from './access/cookies.ts';
import { isToken, newToken } from './access/csrf.ts';
import type { SignIn, SignedIn } from './access/sign-in.ts';
import { resolveTimeZone } from '../settings/wall-clock.ts';
import { createDates } from './dates.ts';
import type { Dates } from './dates.ts';
import type { FlashBox } from './flash-box.ts';
import type { KeptForms } from './kept-forms.ts';
import type { PageContext, Theme } from './page-context.ts';
import type { Services } from './services.ts';
import { NO_SIDE } from './side.ts';
import type { Side } from './side.ts';
import type { UiFiles } from './ui-files.ts';

/** The setting of the express app that holds its base path: the same pages may be served below two of them. */
export const BASE_PATH_SETTING = 'base path';

/** What is the same for all requests. */
export interface PageSurroundings {
  readonly isEmbeddable: boolean;
  readonly isViewReloaded: boolean;
  readonly machine: string;
  readonly texts: ReadonlyMap<Language, Text>;
  readonly flashes: FlashBox;
  readonly keptForms: KeptForms;
  readonly ui: UiFiles;
  /** Without it nothing is counted beside the pages. */
  readonly side?: Side | undefined;
}

export const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

/** What a page asks by itself, again and again. */
export function isBackgroundRequest(req: Request): boolean {
  return req.path === '/events' || req.path.endsWith('.json') || req.get('X-Background') !== undefined;
}

type PageServices = Pick<Services, 'clock' | 'version'> & { readonly settings: Pick<Services['settings'], 'read'> };

/** Lays the PageContext of each request into `res.locals.page`. */
export function pageContexts(services: PageServices, signIn: SignIn, around: PageSurroundings): RequestHandler {
  const datesOf = rememberDates(services);
  const make = (req: Request, settings: AppSettings, signedIn: SignedIn | undefined): PageContext => {
    const text = around.texts.get(languageOf(req, settings));
    if (text === undefined) throw new Error('a language without texts');
    const dates = datesOf(text, settings.timeZone);
    const formToken = readCookie(req, COOKIES.form);
    const basePath = String(req.app.get(BASE_PATH_SETTING));
    return {
      language: text.language,
      text,
      t: (key, facts) => text.t(key, facts),
      dates,
      theme: oneOf(THEMES, readCookie(req, COOKIES.theme)) ?? settings.theme,
      timeZone: dates.timeZone,
      basePath,
      path: req.url,
      url: (path) => basePath + path.replace(/^\//, ''),
      csrfToken: signedIn?.csrfToken ?? (isToken(formToken) ? formToken : newToken()),
      account: signedIn?.account,
      sessionHash: signedIn?.sessionHash,
      isStillSignedIn: () => signedIn !== undefined && signIn.isValid(signedIn),
      isBackground: isBackgroundRequest(req),
      isEmbedded: around.isEmbeddable && req.get('Sec-Fetch-Dest') === 'iframe',
      machine: around.machine,
      version: services.version,
      hasShortcuts: settings.hasShortcuts,
      flashes: around.flashes,
      keptForms: around.keptForms,
      ui: around.ui,
      side: async () => around.side?.view(text, dates.timeZone) ?? NO_SIDE,
      isViewReloaded: around.isViewReloaded,
    };
  };
  return async (req, res, next) => {
    if (req.method === 'POST') around.side?.forget();
    try {
      const settings = services.settings.read();
      const signedIn = await signIn.identify(req, !isBackgroundRequest(req));
      if (signedIn !== undefined) around.keptForms.remember(signedIn);
      const page = make(req, settings, signedIn);
      res.locals['page'] = page;
      // What a page asks by itself holds no form; it must not replace the token of one that is open.
      const hasForms = signedIn === undefined && !isBackgroundRequest(req);
      if (hasForms && page.csrfToken !== readCookie(req, COOKIES.form)) {
        setCookie(req, res, COOKIES.form, page.csrfToken);
      }
      next();
    } catch (error) {
      // The database cannot be read: that is said on a page too, to nobody in particular.
      res.locals['page'] = make(req, DEFAULT_APP_SETTINGS, undefined);
      throw error;
    }
  };
}

function languageOf(req: Request, settings: AppSettings): Language {
  const chosen = oneOf(LANGUAGES, readCookie(req, COOKIES.language)) ?? oneOf(LANGUAGES, settings.language);
  return chosen ?? oneOf(LANGUAGES, String(req.acceptsLanguages(...LANGUAGES))) ?? 'en';
}

function oneOf<T extends string>(allowed: readonly T[], value: string | undefined): T | undefined {
  return allowed.find((item) => item === value);
}

/** Formats of dates are dear to make; there is one set for each language and the zone that is set. */
function rememberDates(services: Pick<Services, 'clock'>): (text: Text, zoneSetting: string) => Dates {
  const made = new Map<Language, { zoneSetting: string; dates: Dates }>();
  return (text, zoneSetting) => {
    const known = made.get(text.language);
    if (known?.zoneSetting === zoneSetting) return known.dates;
    const dates = createDates(text, resolveTimeZone(zoneSetting), () => services.clock.nowMs());
    made.set(text.language, { zoneSetting, dates });
    return dates;
  };
}
