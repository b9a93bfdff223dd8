import type { Router } from 'express';
import type { PasswordLogin } from './access/password-login.ts';
import { enter, leave, showLogin } from './pages/login.ts';
import { chooseLanguage, chooseTheme } from './pages/preferences.ts';
import { saveSetup, showSetup } from './pages/setup.ts';
import { redirect } from './redirect.ts';
import type { Services } from './services.ts';

/** The pages that are there for everybody, signed in or not. */
export const OPEN_PATHS = ['/language', '/login', '/setup', '/theme'] as const;

/** Every URL that is there for everybody. */
export function addOpenRoutes(app: Router, services: Services, access: PasswordLogin): void {
  app.get('/login', showLogin(access));
  app.post('/login', enter(access));
  app.get('/setup', showSetup(access));
  app.post('/setup', saveSetup(services, access));
  app.post('/language', chooseLanguage);
  app.post('/theme', chooseTheme);
}

/** Every other URL of the product, one line each, by page. Whoever gets there is signed in; forms have shown their token. */
export function addRoutes(app: Router, services: Services, access: PasswordLogin): void {
  app.get('/', (_req, res) => {
    redirect(res, '/tasks');
  });
  app.post('/logout', leave(access));

  // tasks

  // activity, runs

  // log

  // live

  // wizard

  // settings

  // help
}
