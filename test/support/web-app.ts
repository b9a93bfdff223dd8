/** The web side over real HTTP on a free port, with real stores in a temporary folder and tasks that never run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { Agent as SecureAgent, request as requestSecurely } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Express } from 'express';
import { silentLog } from '../../src/log.ts';
import { fixedWebAccess } from '../../src/settings/web-access.ts';
import type { WebAccess } from '../../src/settings/web-access.ts';
import { AccountStore } from '../../src/state/account-store.ts';
import { ActivityStore } from '../../src/state/activity-store.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { DraftStore } from '../../src/state/draft-store.ts';
import { RunStore } from '../../src/state/run-store.ts';
import { SecretBox } from '../../src/state/secret-box.ts';
import { SettingsStore } from '../../src/state/settings-store.ts';
import { TaskStore } from '../../src/state/task-store.ts';
import { Estimates } from '../../src/tasks/estimates.ts';
import { Jobs } from '../../src/tasks/jobs.ts';
import { createScheduler } from '../../src/tasks/scheduler.ts';
import type { TaskRunner } from '../../src/tasks/task-runner.ts';
import { hashPassword } from '../../src/web/access/password-hash.ts';
import { SetupCode } from '../../src/web/access/setup-code.ts';
import { createPages } from '../../src/web/create-app.ts';
import type { AppOptions } from '../../src/web/create-app.ts';
import type { Services } from '../../src/web/services.ts';
import { WebAccessControl } from '../../src/web/web-access-control.ts';
import { WebListener } from '../../src/web/web-listener.ts';
import { FakeClock } from './fake-clock.ts';

/** No task ever runs. */
export const idleRunner: TaskRunner = {
  start: () => undefined,
  stop: () => false,
  activity: () => undefined,
  activities: () => [],
  subscribe: () => () => undefined,
  shutdown: () => Promise.resolve(),
};

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>> | string;
  /** The loopback address that the request comes from: 127.0.0.1 to 127.255.255.254 are all this machine. */
  readonly from?: string;
}

/** A browser as far as cookies go. */
export class Visitor {
  readonly #port: number;
  readonly #from: string | undefined;
  readonly #isTls: boolean;
  readonly #agent: Agent;
  readonly cookies = new Map<string, string>();
  /** As they were sent, newest last. */
  readonly setCookies: string[] = [];

  /** `isTls`: over HTTPS, with whatever certificate. */
  constructor(port: number, from?: string, isTls = false) {
    this.#port = port;
    this.#from = from;
    this.#isTls = isTls;
    this.#agent = isTls
      ? new SecureAgent({ keepAlive: true, rejectUnauthorized: false })
      : new Agent({ keepAlive: true });
  }

  ask(path: string, asking: Asking = {}): Promise<Answer> {
    const body =
      asking.form === undefined || typeof asking.form === 'string'
        ? asking.form
        : new URLSearchParams(asking.form).toString();
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const localAddress = asking.from ?? this.#from;
    return new Promise((resolve, reject) => {
      const sent = (this.#isTls ? requestSecurely : request)(
        {
          host: '127.0.0.1',
          port: this.#port,
          path,
          method: asking.method ?? (body === undefined ? 'GET' : 'POST'),
          agent: this.#agent,
          ...(localAddress === undefined ? {} : { localAddress }),
          headers: {
            ...(cookie === '' ? {} : { Cookie: cookie }),
            ...(body === undefined
              ? {}
              : { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) }),
            ...asking.headers,
          },
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (part: string) => (text += part));
          answer.on('error', reject);
          answer.on('end', () => {
            this.#keep(answer.headers['set-cookie'] ?? []);
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** Sends a form as a page would: with the token that the page at `formPath` holds. */
  async send(path: string, fields: Readonly<Record<string, string>>, formPath = path): Promise<Answer> {
    const token = tokenIn((await this.ask(formPath)).text);
    return this.ask(path, { form: { _csrf: token, ...fields } });
  }

  #keep(cookies: readonly string[]): void {
    for (const cookie of cookies) {
      this.setCookies.push(cookie);
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0/i.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function tokenIn(html: string): string {
  return /name="_csrf" value="([^"]+)"/.exec(html)?.[1] ?? '';
}

export interface Route {
  readonly method: string;
  readonly path: string;
}

interface Layer {
  readonly route?: { readonly path: string | readonly string[]; readonly methods: Readonly<Record<string, boolean>> };
  readonly handle: { readonly stack?: readonly Layer[] };
}

/** Every URL of the app below its base path, with 1 for each parameter, as express itself keeps them. */
export function routesOf(app: Express): Route[] {
  const walk = (layer: Layer): Route[] => {
    const { route } = layer;
    if (route === undefined) return (layer.handle.stack ?? []).flatMap(walk);
    return [route.path].flat().flatMap((path) =>
      Object.keys(route.methods).map((method) => ({
        method: method.toUpperCase(),
        path: path.replace(/:\w+/g, '1'),
      })),
    );
  };
  return (app as unknown as { router: { stack: Layer[] } }).router.stack.flatMap(walk);
}

export interface WebApp {
  readonly app: Express;
  readonly services: Services;
  readonly port: number;
  readonly clock: FakeClock;
  readonly code: string;
  visitor(from?: string): Visitor;
  /** A visitor who is signed in as `admin`; the account is made at the first call, with a password hash that is quick to check. */
  owner(): Promise<Visitor>;
  close(): Promise<void>;
}

export const OWNER_PASSWORD = 'correct horse battery';

export interface WebAppOptions extends AppOptions {
  readonly basePath?: string;
  readonly trustedProxies?: readonly string[];
  /** As set on the page; without it all of it is fixed by start options. */
  readonly web?: WebAccess;
}

export async function startWebApp(
  options: WebAppOptions = {},
  change: (services: Services) => Services = (services) => services,
): Promise<WebApp> {
  const stateDir = mkdtempSync(join(tmpdir(), 'site-backup-web-'));
  const db = openAppDatabase(stateDir);
  const box = SecretBox.open(stateDir);
  const clock = new FakeClock();
  const tasks = new TaskStore(db, box);
  const runs = new RunStore(db);
  const settings = new SettingsStore(db);
  const basePath = options.web?.basePath ?? options.basePath ?? '/';
  const { trustedProxies = [], web } = options;
  if (web !== undefined) settings.write({ web });
  const here = { port: 0, listen: '127.0.0.1', basePath, trustedProxies, access: 'dsm' } as const;
  const listener = new WebListener();
  const fixed = web === undefined ? fixedWebAccess(here) : {};
  const webAccess = new WebAccessControl({ settings, fixed, listener, stateDir, clock, log: silentLog });
  const services: Services = change({
    tasks,
    drafts: new DraftStore(db, box),
    runs,
    settings,
    activity: new ActivityStore(db),
    accounts: new AccountStore(db),
    runner: idleRunner,
    scheduler: createScheduler({ tasks, runs, settings, runner: idleRunner, clock, log: silentLog }),
    jobs: new Jobs(clock, silentLog),
    estimates: new Estimates(() => Promise.reject(new Error('no server here')), silentLog),
    checkConnection: () => nothingToCheck(),
    browseSource: () => Promise.reject(new Error('no server here')),
    clock,
    log: silentLog,
    version: '0.0.0-test',
    stateDir,
    logFile: join(stateDir, 'site-backup.log'),
    access: options.dsm === undefined ? 'password' : 'dsm',
    webAccess,
  });
  const { code, setupCode } = SetupCode.create(clock);
  const pages = createPages(services, { setupCode, ...options });
  const apps: Express[] = [];
  await webAccess.start((access, token) => {
    const app = pages(access, token);
    apps.push(app);
    return app;
  });
  const [app] = apps;
  if (app === undefined) throw new Error('no pages were made');
  const port = webAccess.portOf(webAccess.current);
  return {
    app,
    services,
    port,
    clock,
    code,
    visitor: (from) => new Visitor(port, from),
    async owner() {
      const cheapHash = await hashPassword(OWNER_PASSWORD, { N: 1024, r: 8, p: 1 });
      services.accounts.addFirst('admin', cheapHash, clock.nowMs());
      const visitor = new Visitor(port);
      await visitor.send(`${basePath}login`, { name: 'admin', password: OWNER_PASSWORD });
      return visitor;
    },
    async close() {
      webAccess.stop();
      listener.close();
      await Promise.resolve();
      db.close();
      rmSync(stateDir, { recursive: true });
    },
  };
}

async function* nothingToCheck(): AsyncGenerator<never> {
  // A server that is never asked.
}
