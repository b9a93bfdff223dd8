import { join } from 'node:path';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { createLog } from './log.ts';
import type { LogLevel } from './log.ts';
import { programVersion } from './program-files.ts';
import { DSM_NOTIFY_PROGRAM, tellDsmOfRuns } from './notify/dsm-notices.ts';
import { openSource } from './remote/open-source.ts';
import { fixedWebAccess } from './settings/web-access.ts';
import type { WebAccess, WebStartOptions } from './settings/web-access.ts';
import { AccountStore } from './state/account-store.ts';
import { ActivityStore } from './state/activity-store.ts';
import { openSoundAppDatabase } from './state/app-database.ts';
import { APP_DATABASE, copyAppDatabase } from './state/database-copies.ts';
import { asStateError } from './state/database.ts';
import { DraftStore } from './state/draft-store.ts';
import { RunStore } from './state/run-store.ts';
import { SecretBox } from './state/secret-box.ts';
import { SettingsStore } from './state/settings-store.ts';
import { TaskStore } from './state/task-store.ts';
import { browseSource } from './tasks/browse-source.ts';
import { checkSource } from './tasks/check-source.ts';
import { estimateSource } from './tasks/estimate-source.ts';
import { Estimates } from './tasks/estimates.ts';
import { Jobs } from './tasks/jobs.ts';
import { createScheduler } from './tasks/scheduler.ts';
import { createTaskRunner } from './tasks/worker-runner.ts';
import { dsmGateSecret } from './web/access/dsm-gate.ts';
import { DSM_PROGRAMS } from './web/access/dsm-programs.ts';
import type { DsmPrograms } from './web/access/dsm-programs.ts';
import { SetupCode } from './web/access/setup-code.ts';
import { createPages } from './web/create-app.ts';
import type { Services } from './web/services.ts';
import { WebAccessControl } from './web/web-access-control.ts';
import { WebListener } from './web/web-listener.ts';
import { makePrivateFolder } from './state/private-folder.ts';

const DAY_MS = 86_400_000;
/** How often the service looks whether a copy of its database is due, and what it need not keep any longer. */
const CARE_STEP_MS = 60 * 60_000;

/** `WebStartOptions`: what is not given of them is as set on the page. */
export interface ServiceOptions extends WebStartOptions {
  /** Databases, key and log; made at need, for its owner only. */
  readonly stateDir: string;
  readonly logLevel: LogLevel;
  /** Views are read again for each page: for people who change them. */
  readonly isViewReloaded: boolean;
  /** `dsm`: on 127.0.0.1 behind DSM's web server, for those whom DSM calls administrators. */
  readonly access: 'password' | 'dsm';
  /** As in Services. */
  readonly shareName?: string | undefined;
  /** Told when the code of the first set-up is used up. */
  readonly onSetUp?: (() => void) | undefined;
  /** Where DSM's programs lie, where that is not their usual place. */
  readonly dsmPrograms?: DsmPrograms;
  readonly dsmNotifyProgram?: string;
  /** The system's where none is given. Runs have processes of their own, which keep the system's. */
  readonly clock?: Clock;
}

/** The running service. */
export interface Service {
  readonly services: Services;
  /** The port that is really listened on. */
  readonly port: number;
  /** Where the pages are, for a browser on this machine. */
  readonly address: string;
  /** For the first person who signs in; undefined once there is an account. */
  readonly setupCode: string | undefined;
  /** Stops taking requests, brings runs to a safe point, and closes everything in the reverse order of its making. */
  stop(): Promise<void>;
}

/**
 * Builds every object, starts the web server and the scheduler; `listener` may be open for something else until then. Throws
 * `state-unreadable`, `state-newer-than-program` or `disk-full` for the state, and the system's error where the address
 * cannot be listened on.
 */
export async function startService(options: ServiceOptions, listener = new WebListener()): Promise<Service> {
  const { stateDir, clock = systemClock } = options;
  try {
    makePrivateFolder(stateDir);
  } catch (error) {
    throw asStateError(error, stateDir);
  }
  const logFile = join(stateDir, 'site-backup.log');
  const log = createLog({ to: { file: logFile }, level: options.logLevel });
  const db = openOrClose(stateDir, log);
  try {
    const box = SecretBox.open(stateDir);
    const tasks = new TaskStore(db, box);
    const runs = new RunStore(db);
    const settings = new SettingsStore(db);
    const runner = createTaskRunner({ tasks, runs, settings, stateDir, clock, log });
    const scheduler = createScheduler({ tasks, runs, settings, runner, clock, log });
    const accounts = new AccountStore(db);
    const fixed = fixedWebAccess(options);
    const webAccess = new WebAccessControl({ settings, fixed, listener, stateDir, clock, log });
    const services: Services = {
      tasks,
      drafts: new DraftStore(db, box),
      runs,
      settings,
      activity: new ActivityStore(db),
      accounts,
      runner,
      scheduler,
      jobs: new Jobs(clock, log),
      estimates: new Estimates(
        ({ source, filters }, signal, onProgress) =>
          estimateSource(openSource(source, { clock }), filters, { clock, signal, onProgress }),
        log,
      ),
      checkConnection: (source, signal) =>
        checkSource(source, { source: openSource(source, { clock }), clock, signal }),
      browseSource: (source, folder, signal) => browseSource(source, folder, { clock, signal }),
      clock,
      log,
      version: programVersion(),
      stateDir,
      logFile,
      access: options.access,
      shareName: options.shareName,
      webAccess,
    };
    const isDsm = options.access === 'dsm';
    const setup = isDsm || accounts.hasAccount() ? undefined : SetupCode.create(clock, options.onSetUp);
    const dsm = isDsm ? { gate: dsmGateSecret(stateDir), programs: options.dsmPrograms ?? DSM_PROGRAMS } : undefined;
    await webAccess.start(createPages(services, { ...options, setupCode: setup?.setupCode, dsm }));
    const program = options.dsmNotifyProgram ?? DSM_NOTIFY_PROGRAM;
    const stopTelling = isDsm ? tellDsmOfRuns({ runner, runs, log, program }) : undefined;
    const { current } = webAccess;
    const port = webAccess.portOf(current);
    const forgetOld = (): void => {
      try {
        const beforeMs = clock.nowMs() - settings.read().logDays * DAY_MS;
        services.activity.removeBefore(beforeMs);
        runs.removeBefore(beforeMs);
      } catch (error) {
        // A full disk, mostly: there is time until the next look.
        log.error('old-not-forgotten', { error });
      }
    };
    forgetOld();
    let copying = Promise.resolve();
    const copy = (): void => {
      // A copy of nothing would keep the first one with an account and tasks waiting for a day.
      if (!accounts.hasAccount() && tasks.list().length === 0) return;
      copying = copyAppDatabase(db, stateDir, clock.nowMs()).then(
        (isMade) => {
          if (isMade) log.info('database-copied');
        },
        (error: unknown) => {
          log.error('database-not-copied', { error });
        },
      );
    };
    copy();
    const caring = setInterval(() => {
      forgetOld();
      copy();
    }, CARE_STEP_MS);
    scheduler.start();
    log.info('service-started', { version: services.version, port, basePath: current.basePath });
    return {
      services,
      port,
      address: localAddress(current, port),
      setupCode: setup?.code,
      async stop() {
        clearInterval(caring);
        scheduler.stop();
        webAccess.stop();
        services.estimates.stop();
        listener.stopListening();
        await Promise.all([runner.shutdown(), services.jobs.shutdown()]);
        // Streams of live numbers would keep it open for ever.
        listener.close();
        await Promise.all([copying, stopTelling?.()]);
        db.close();
        log.info('service-stopped');
        log.close();
      },
    };
  } catch (error) {
    db.close();
    log.close();
    const isOfDatabase = String((error as { code?: unknown }).code).startsWith('SQLITE_');
    throw isOfDatabase ? asStateError(error, join(stateDir, APP_DATABASE)) : error;
  }
}

function openOrClose(stateDir: string, log: { close(): void }): ReturnType<typeof openSoundAppDatabase> {
  try {
    return openSoundAppDatabase(stateDir);
  } catch (error) {
    log.close();
    throw error;
  }
}

function localAddress({ encryption, listen, basePath }: WebAccess, port: number): string {
  const host = listen === '' ? 'localhost' : listen.includes(':') ? `[${listen}]` : listen;
  return `${encryption === 'none' ? 'http' : 'https'}://${host}:${port}${basePath}`;
}
