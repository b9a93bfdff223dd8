import type { RequestHandler } from 'express';
import { pageOf } from '../page-context.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';

/** What the product is made of beside its own code, as it is shipped. */
export const SHIPPED_PACKAGES = [
  { name: 'ajv', license: 'MIT' },
  { name: 'basic-ftp', license: 'MIT' },
  { name: 'better-sqlite3', license: 'MIT' },
  { name: 'cookie', license: 'MIT' },
  { name: 'ejs', license: 'Apache-2.0' },
  { name: 'express', license: 'MIT' },
  { name: 'helmet', license: 'MIT' },
  { name: 'node-schedule', license: 'MIT' },
  { name: 'picomatch', license: 'MIT' },
  { name: 'SQLite', license: 'Public domain' },
] as const;

interface AboutView {
  readonly version: string;
  readonly nodeVersion: string;
  readonly stateDir: string;
  readonly logFile: string;
  readonly packages: typeof SHIPPED_PACKAGES;
}

export function showAbout(services: Services): RequestHandler {
  return async (_req, res) => {
    const view: AboutView = {
      version: services.version,
      nodeVersion: process.version,
      stateDir: services.stateDir,
      logFile: services.logFile,
      packages: SHIPPED_PACKAGES,
    };
    await render(res, 'about', view, { title: pageOf(res).t('ab.title'), menu: 'help' });
  };
}
