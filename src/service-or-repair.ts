import { join } from 'node:path';
import { systemClock } from './clock.ts';
import { isBackupError } from './errors.ts';
import type { BackupError } from './errors.ts';
import { createLog } from './log.ts';
import { programVersion } from './program-files.ts';
import { startService } from './service.ts';
import type { Service, ServiceOptions } from './service.ts';
import { DEFAULT_WEB_ACCESS, fixedWebAccess } from './settings/web-access.ts';
import { dsmGateSecret } from './web/access/dsm-gate.ts';
import { DSM_PROGRAMS } from './web/access/dsm-programs.ts';
import { SetupCode } from './web/access/setup-code.ts';
import { createRepairPages } from './web/create-repair-pages.ts';
import { WebListener } from './web/web-listener.ts';

/** What answers at the address: the service, or one page that says why there is none and what can be done. */
export interface Running {
  readonly state: 'open' | 'repair';
  readonly port: number;
  /** For the first person who signs in, or for the page of the repair; undefined where none is needed. */
  readonly setupCode: string | undefined;
  readonly address: string;
  stop(): Promise<void>;
}

/**
 * Starts the service. Where its database cannot be read, is of a newer version, or has no room left, starts the page of the
 * repair instead, at the same address; from there the service takes over once it can, and `onOpen` is told. Throws what
 * concerns neither, such as an address that cannot be listened on.
 */
export async function startServiceOrRepair(
  options: ServiceOptions,
  onOpen: (service: Service) => void,
): Promise<Running> {
  const listener = new WebListener();
  try {
    const service = await startService(options, listener);
    return { state: 'open', ...addressOf(service), stop: () => service.stop() };
  } catch (error) {
    if (!isStateError(error)) throw error;
    return startRepair(options, listener, error, onOpen);
  }
}

function addressOf(service: Service): Pick<Running, 'port' | 'setupCode' | 'address'> {
  return { port: service.port, setupCode: service.setupCode, address: service.address };
}

function isStateError(error: unknown): error is BackupError {
  return (
    isBackupError(error, 'state-unreadable') ||
    isBackupError(error, 'state-newer-than-program') ||
    isBackupError(error, 'disk-full')
  );
}

async function startRepair(
  options: ServiceOptions,
  listener: WebListener,
  cause: BackupError,
  onOpen: (service: Service) => void,
): Promise<Running> {
  const { stateDir } = options;
  const logFile = join(stateDir, 'site-backup.log');
  const log = createLog({ to: { file: logFile }, level: options.logLevel });
  log.error('state-unusable', { error: cause });
  let error = cause;
  let service: Service | undefined;
  const isDsm = options.access === 'dsm';
  const { code, setupCode } = SetupCode.create(systemClock);
  // What was set on the page about addresses stands in the database that cannot be read.
  const access = { ...DEFAULT_WEB_ACCESS, ...fixedWebAccess(options) };
  try {
    const app = createRepairPages(
      {
        clock: systemClock,
        log,
        version: programVersion(),
        stateDir,
        logFile,
        error: () => error,
        async retry() {
          try {
            service ??= await startService(options, listener);
            onOpen(service);
            return true;
          } catch (again) {
            if (!isStateError(again)) throw again;
            error = again;
            return false;
          }
        },
      },
      {
        dsm: isDsm ? { gate: gateSecret(stateDir, cause), programs: options.dsmPrograms ?? DSM_PROGRAMS } : undefined,
        code: setupCode,
        at: access,
        isViewReloaded: options.isViewReloaded,
      },
    );
    await listener.open([{ access, certificate: undefined, app }]);
  } catch (second) {
    log.close();
    throw second;
  }
  const port = listener.portOf(access);
  return {
    state: 'repair',
    port,
    setupCode: isDsm ? undefined : code,
    address: `http://${access.listen === '' ? 'localhost' : access.listen}:${port}${access.basePath}`,
    async stop() {
      if (service === undefined) listener.close();
      else await service.stop();
      log.close();
    },
  };
}

/** Where even this secret cannot be had, nobody could be let in: then `cause` is what there is to say. */
function gateSecret(stateDir: string, cause: BackupError): string {
  try {
    return dsmGateSecret(stateDir);
  } catch {
    throw cause;
  }
}
