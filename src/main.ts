#!/usr/bin/env node
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isBackupError } from './errors.ts';
import { startService } from './service.ts';
import type { Service } from './service.ts';
import { createText, languageFromEnvironment } from './text.ts';

/** Also named in spk/nginx/site-backup.conf. */
const DEFAULT_PORT = 8377;
/** Where the package's nginx location finds the service and leads to it. */
const DSM_LISTEN = '127.0.0.1';
const DSM_BASE_PATH = '/sitebackup/';

const text = createText(languageFromEnvironment(process.env));

function readOptions(): {
  stateDir: string;
  listen: string;
  port: number;
  basePath: string;
  proxies: string[];
  access: 'password' | 'dsm';
  isDev: boolean;
} {
  const { values } = parseArgs({
    options: {
      state: { type: 'string', default: process.env['SITE_BACKUP_STATE'] ?? './site-backup-state' },
      listen: { type: 'string', default: process.env['SITE_BACKUP_LISTEN'] ?? '' },
      port: { type: 'string', default: process.env['SITE_BACKUP_PORT'] ?? String(DEFAULT_PORT) },
      'base-path': { type: 'string', default: process.env['SITE_BACKUP_BASE_PATH'] ?? '/' },
      'trust-proxy': { type: 'string', multiple: true, default: [] },
      access: { type: 'string', default: process.env['SITE_BACKUP_ACCESS'] ?? 'password' },
      dev: { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`--port ${values.port}`);
  const { access } = values;
  if (access !== 'password' && access !== 'dsm') throw new RangeError(`--access ${access}`);
  // There the web server in front settles both; see spk/nginx/site-backup.conf.
  const isDsm = access === 'dsm';
  return {
    stateDir: resolve(values.state),
    listen: isDsm ? DSM_LISTEN : values.listen,
    port,
    basePath: isDsm ? DSM_BASE_PATH : values['base-path'],
    proxies: isDsm ? [] : values['trust-proxy'],
    access,
    isDev: values.dev,
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  const service = await startService({
    stateDir: options.stateDir,
    listen: options.listen,
    port: options.port,
    basePath: options.basePath,
    trustedProxies: options.proxies,
    logLevel: options.isDev ? 'debug' : 'info',
    isViewReloaded: options.isDev,
    access: options.access,
  });
  const host = options.listen === '' ? 'localhost' : options.listen;
  const address = `http://${host.includes(':') ? `[${host}]` : host}:${service.port}${options.basePath}`;
  process.stdout.write(`${text.t('service.listening', { address })}\n`);
  if (service.setupCode !== undefined) {
    process.stdout.write(`${text.t('service.setup-code', { code: service.setupCode })}\n`);
  }
  stopOnSignals(service);
}

/** A second signal does not hurry: what is not finished would have to be copied again. */
function stopOnSignals(service: Service): void {
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, stop);
}

try {
  await main();
} catch (error) {
  const words = isBackupError(error)
    ? `${text.t(`error.${error.code}`, error.facts)}\n${text.t(`error.${error.code}.do`, error.facts)}`
    : error instanceof Error
      ? error.message
      : String(error);
  process.stderr.write(`${words}\n`);
  process.exitCode = 1;
}
