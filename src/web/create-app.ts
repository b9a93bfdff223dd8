import { hostname } from 'node:os';
import express from 'express';
import type { RequestHandler } from 'express';
import type { WebAccess } from '../settings/web-access.ts';
import { LANGUAGES, createText } from '../text.ts';
import { isOwnForm } from './access/csrf.ts';
import { dsmGate } from './access/dsm-gate.ts';
import { DsmLogin } from './access/dsm-login.ts';
import type { DsmPrograms } from './access/dsm-programs.ts';
import { PasswordLogin } from './access/password-login.ts';
import { securityHeaders } from './access/security-headers.ts';
import type { SetupCode } from './access/setup-code.ts';
import type { SignIn } from './access/sign-in.ts';
import { answerError, answerForeignForm, answerNotFound, answerSessionEnded } from './error-pages.ts';
import { FlashBox } from './flash-box.ts';
import { formOf } from './form.ts';
import { BASE_PATH_SETTING, isBackgroundRequest, pageContexts } from './make-page-context.ts';
import { pageOf } from './page-context.ts';
import { TRIAL_SETTING } from './pages/settings-web.ts';
import { KEPT_FORM_BYTES_MAX, KeptForms } from './kept-forms.ts';
import { redirect } from './redirect.ts';
import { OPEN_PATHS, addOpenRoutes, addRoutes } from './routes.ts';
import type { Services } from './services.ts';
import { Side } from './side.ts';
import { readUiFiles } from './ui-files.ts';

export interface AppOptions {
  /** Lets the first person in; without it nobody can set up. */
  readonly setupCode?: SetupCode | undefined;
  /** Behind DSM's web server, with sign-in by the session of DSM; without it by password. */
  readonly dsm?: DsmAccess | undefined;
  /** The pages may stand in a window of the DSM desktop. */
  readonly isEmbeddable?: boolean;
  /** The folder `ui`, where it does not lie beside the sources. */
  readonly uiDir?: string;
  /** Views are read again for each page: for people who change them. */
  readonly isViewReloaded?: boolean;
}

/** `gate`: the secret that DSM's web server adds to each request, see dsm-gate.ts. */
export interface DsmAccess {
  readonly gate: string;
  readonly programs: DsmPrograms;
}

/** The largest form: a task with 1,000 patterns. */
export const FORM_BYTES_MAX = 512 * 1024;
/** Before the sign-in there are only small ones. */
export const OPEN_FORM_BYTES_MAX = 16 * 1024;
const FORM_FIELDS_MAX = 5000;

const YEAR_MS = 365 * 24 * 60 * 60_000;

/**
 * The whole web side, to be served at one address or, during the trial of a new one, at two: sessions, notices and limits
 * are the same at both. `trialToken`: see settings-web.ts. Throws where the `ui` folder is not there, and for a base path
 * that is none.
 */
export function createPages(
  services: Services,
  options: AppOptions,
): (at: Pick<WebAccess, 'basePath' | 'trustedProxies'>, trialToken: string | undefined) => express.Express {
  const { dsm } = options;
  const access =
    dsm === undefined ? new PasswordLogin(services, options.setupCode) : new DsmLogin(services, dsm.programs);
  const ui = readUiFiles(options.uiDir);

  const keptForms = new KeptForms();
  const site = express.Router();
  site.use('/static', staticFiles(ui.publicDir, ui.version));
  site.use(
    noStore,
    pageContexts(services, access, {
      isEmbeddable: options.isEmbeddable === true,
      isViewReloaded: options.isViewReloaded === true,
      machine: hostname(),
      flashes: new FlashBox(),
      keptForms,
      texts: new Map(LANGUAGES.map((language) => [language, createText(language)])),
      ui,
      side: new Side(services),
    }),
  );
  site.post([...OPEN_PATHS], forms(OPEN_FORM_BYTES_MAX), refuseForeignForms);
  addOpenRoutes(site, services, access);
  site.use(onlySignedIn(access, services), forms(FORM_BYTES_MAX), refuseForeignForms);
  addRoutes(site, services, access);
  site.use(answerNotFound, answerError(services));

  return (at, trialToken) => appAt(site, options, at, trialToken);
}

/** `site` below the base path of `at`, behind what every request has to pass. */
export function appAt(
  site: express.Router,
  options: Pick<AppOptions, 'dsm' | 'isEmbeddable'>,
  at: Pick<WebAccess, 'basePath' | 'trustedProxies'>,
  trialToken: string | undefined,
): express.Express {
  const { dsm } = options;
  if (!/^\/([^/?#\s]+\/)*$/.test(at.basePath)) throw new Error(`not a base path: ${at.basePath}`);
  const app = express();
  app.set(BASE_PATH_SETTING, at.basePath);
  app.set(TRIAL_SETTING, trialToken);
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('trust proxy', at.trustedProxies.length === 0 ? false : [...at.trustedProxies]);
  app.use(securityHeaders(options.isEmbeddable === true));
  if (dsm !== undefined) {
    // One proxy, which has shown its secret, and which puts its own word in the place of what a client says.
    app.set('trust proxy', 1);
    app.use(dsmGate(dsm.gate));
  }
  app.use(at.basePath, site);
  app.use((req, res) => {
    // Whoever opens the port without the path; there is nothing else here.
    if (req.path === '/') res.redirect(302, at.basePath);
    else res.status(404).end();
  });
  return app;
}

/** Files of ui/public. Their URL holds the version of all of them, so each may be kept for good. */
export function staticFiles(publicDir: string, version: string): RequestHandler {
  const files = (maxAge: number): RequestHandler =>
    express.static(publicDir, { index: false, redirect: false, maxAge, immutable: maxAge > 0 });
  const router = express.Router();
  router.use(`/${version}`, files(YEAR_MS));
  // A page from before an upgrade that is still open gets what there is now.
  router.use('/:version', files(0), (_req, res) => {
    res.status(404).end();
  });
  return router;
}

/** Pages hold what only the signed-in may see; no copy of one stays in a browser after the sign-out. */
export const noStore: RequestHandler = (_req, res, next) => {
  res.set('Cache-Control', 'no-store');
  next();
};

export function forms(bytesMax: number): RequestHandler {
  return express.urlencoded({ extended: false, limit: bytesMax, parameterLimit: FORM_FIELDS_MAX });
}

export const refuseForeignForms: RequestHandler = (req, res, next) => {
  if (isOwnForm(req, pageOf(res).csrfToken)) next();
  else answerForeignForm(req, res, next);
};

/** Lets nobody else pass: to the sign-in, and from there back to what was asked for. */
function onlySignedIn(signIn: SignIn, { clock }: Services): RequestHandler {
  const parse = forms(KEPT_FORM_BYTES_MAX);
  return (req, res, next) => {
    const entry = signIn.entryPath();
    if (pageOf(res).account !== undefined) next();
    else if (isBackgroundRequest(req)) res.status(401).json({ error: 'not-signed-in' });
    else if (entry === '/setup') redirect(res, entry);
    else if (req.method !== 'GET' && req.method !== 'HEAD') {
      // One that is too large, or no form at all, is not kept.
      parse(req, res, (error: unknown) => {
        const isOwn = error === undefined && isOwnForm(req, formOf(req).text('_csrf'));
        const kept = isOwn ? pageOf(res).keptForms.keep(req, clock.nowMs()) : undefined;
        answerSessionEnded(req, res, kept).catch(next);
      });
    } else redirect(res, req.path === '/' ? entry : `${entry}?next=${encodeURIComponent(pageOf(res).path)}`);
  };
}
