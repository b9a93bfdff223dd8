#!/usr/bin/env node
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isBackupError } from './errors.ts';
import { startServiceOrRepair } from './service-or-repair.ts';
import type { Running } from './service-or-repair.ts';
import { createText, languageFromEnvironment } from './text.ts';

/** Where the package's nginx location finds the service and leads to it. */
const DSM_LISTEN = '127.0.0.1';
const DSM_BASE_PATH = '/sitebackup/';

const text = createText(languageFromEnvironment(process.env));

function readOptions(): {
  stateDir: string;
  listen: string | undefined;
  port: number | undefined;
  basePath: string | undefined;
  proxies: string[] | undefined;
  access: 'password' | 'dsm';
  isDev: boolean;
  shareName: string | undefined;
  readyFile: string | undefined;
} {
  const { values } = parseArgs({
    options: {
      state: { type: 'string', default: process.env['SITE_BACKUP_STATE'] ?? './site-backup-state' },
      // Where one of these is missing, it is as set on the page.
      listen: { type: 'string' },
      port: { type: 'string' },
      'base-path': { type: 'string' },
      'trust-proxy': { type: 'string', multiple: true },
      access: { type: 'string', default: process.env['SITE_BACKUP_ACCESS'] ?? 'password' },
      // The shared folder that the package's wizard was told; empty where it was told none.
      share: { type: 'string' },
      dev: { type: 'boolean', default: false },
      'ready-file': { type: 'string' },
    },
  });
  const typedPort = values.port ?? process.env['SITE_BACKUP_PORT'];
  const port = typedPort === undefined ? undefined : Number(typedPort);
  if (port !== undefined && (!Number.isInteger(port) || port < 0 || port > 65_535)) {
    throw new RangeError(text.t('usage.port', { typed: typedPort }));
  }
  const { access } = values;
  if (access !== 'password' && access !== 'dsm') throw new RangeError(text.t('usage.access', { typed: access }));
  // There the web server in front settles both; see spk/nginx/site-backup.conf.
  const isDsm = access === 'dsm';
  return {
    stateDir: resolve(values.state),
    listen: isDsm ? DSM_LISTEN : (values.listen ?? process.env['SITE_BACKUP_LISTEN']),
    port,
    basePath: isDsm ? DSM_BASE_PATH : (values['base-path'] ?? process.env['SITE_BACKUP_BASE_PATH']),
    proxies: isDsm ? [] : values['trust-proxy'],
    access,
    isDev: values.dev,
    shareName: values.share,
    readyFile: values['ready-file'],
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  let told: Omit<Running, 'stop'> | undefined;
  const tell = (open: Omit<Running, 'stop'>): void => {
    told = open;
    const isRepair = open.state === 'repair';
    process.stdout.write(`${text.t(isRepair ? 'service.repair' : 'service.listening', { address: open.address })}\n`);
    if (options.readyFile !== undefined) writeReadyFile(options.readyFile, open);
    else if (open.setupCode !== undefined) {
      process.stdout.write(
        `${text.t(isRepair ? 'service.repair-code' : 'service.setup-code', { code: open.setupCode })}\n`,
      );
    }
  };
  const running = await startServiceOrRepair(
    {
      stateDir: options.stateDir,
      listen: options.listen,
      port: options.port,
      basePath: options.basePath,
      trustedProxies: options.proxies,
      logLevel: options.isDev ? 'debug' : 'info',
      isViewReloaded: options.isDev,
      access: options.access,
      shareName: options.shareName,
      onSetUp() {
        if (told === undefined || options.readyFile === undefined) return;
        try {
          writeReadyFile(options.readyFile, { ...told, setupCode: undefined });
        } catch {
          // On a full disk the command goes on telling a code that opens nothing; that is no reason to refuse the account.
        }
      },
    },
    (service) => {
      tell({ ...service, state: 'open' });
    },
  );
  try {
    tell(running);
  } catch (error) {
    // Whoever waits for the file would take the service for one that hangs.
    await running.stop();
    throw error;
  }
  stopOnSignals(running);
}

/**
 * Tells whoever started the program in the background that it answers, and where: spk/lib/service.sh reads it. The code
 * stands there for the owner only, and not in what is printed, which is kept as a log.
 */
function writeReadyFile(path: string, { state, port, setupCode }: Omit<Running, 'stop'>): void {
  const lines = [`state=${state}`, `port=${port}`];
  if (setupCode !== undefined) lines.push(`setup-code=${setupCode}`);
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
}

/** A second signal does not hurry: what is not finished would have to be copied again. */
function stopOnSignals(running: Running): void {
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    running.stop().then(
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
