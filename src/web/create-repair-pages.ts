import { hostname } from 'node:os';
import express from 'express';
import type { RequestHandler } from 'express';
import { DEFAULT_APP_SETTINGS } from '../settings/app-settings.ts';
import type { WebAccess } from '../settings/web-access.ts';
import { LANGUAGES, createText } from '../text.ts';
import { CodeLogin } from './access/code-login.ts';
import { DsmLogin } from './access/dsm-login.ts';
import type { SetupCode } from './access/setup-code.ts';
import type { DsmAccess } from './create-app.ts';
import { OPEN_FORM_BYTES_MAX, appAt, forms, noStore, refuseForeignForms, staticFiles } from './create-app.ts';
import { answerError } from './error-pages.ts';
import { FlashBox } from './flash-box.ts';
import { KeptForms } from './kept-forms.ts';
import { isBackgroundRequest, pageContexts } from './make-page-context.ts';
import { pageOf } from './page-context.ts';
import { enterByDsm, showDsmLogin } from './pages/dsm-login.ts';
import { leave } from './pages/login.ts';
import { chooseLanguage, chooseTheme } from './pages/preferences.ts';
import { repairAnew, repairDiagnostics, repairRestore, repairRetry, showRepair } from './pages/repair.ts';
import type { RepairServices } from './pages/repair.ts';
import { enterByCode, showCodeLogin } from './pages/repair-login.ts';
import { redirect } from './redirect.ts';
import { readUiFiles } from './ui-files.ts';

export interface RepairOptions {
  readonly dsm: DsmAccess | undefined;
  /** Lets somebody in where accounts would. */
  readonly code: SetupCode;
  readonly at: Pick<WebAccess, 'basePath' | 'trustedProxies'>;
  readonly isViewReloaded: boolean;
}

/** One page in the place of all others, behind the same kind of sign-in: what is wrong, and the ways out. */
export function createRepairPages(services: RepairServices, options: RepairOptions): express.Express {
  const { clock, log } = services;
  const settings = { read: () => DEFAULT_APP_SETTINGS };
  const access =
    options.dsm === undefined
      ? new CodeLogin(options.code, clock)
      : new DsmLogin({ clock, log, settings, activity: { add: () => undefined } }, options.dsm.programs);
  const ui = readUiFiles();

  const site = express.Router();
  site.use('/static', staticFiles(ui.publicDir, ui.version));
  site.use(
    noStore,
    pageContexts({ settings, clock, version: services.version }, access, {
      isEmbeddable: false,
      isViewReloaded: options.isViewReloaded,
      machine: hostname(),
      flashes: new FlashBox(),
      keptForms: new KeptForms(),
      texts: new Map(LANGUAGES.map((language) => [language, createText(language)])),
      ui,
    }),
    forms(OPEN_FORM_BYTES_MAX),
    refuseForeignForms,
  );
  if (access instanceof CodeLogin) {
    site.get('/login', showCodeLogin);
    site.post('/login', enterByCode(access));
  } else {
    site.get('/login', showDsmLogin());
    site.post('/login', enterByDsm(access));
  }
  site.post('/language', chooseLanguage);
  site.post('/theme', chooseTheme);
  site.use(onlySignedIn);
  site.post('/logout', leave(access, access instanceof CodeLogin ? '/login' : '/login?left=yes'));
  site.get('/repair/diagnostics.zip', repairDiagnostics(services));
  site.post('/repair/retry', repairRetry(services));
  site.post('/repair/restore', repairRestore(services));
  site.post('/repair/anew', repairAnew(services));
  // Whatever was asked for: a bookmark, a tab that was left open.
  site.use(showRepair(services), answerError(services));
  return appAt(site, options, options.at, undefined);
}

const onlySignedIn: RequestHandler = (req, res, next) => {
  if (isBackgroundRequest(req)) res.status(503).json({ error: 'state-unreadable' });
  else if (pageOf(res).account !== undefined) next();
  else redirect(res, '/login');
};
