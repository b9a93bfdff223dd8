/** The last part of the demo: the admin page, with two tasks on servers of our own, one of them in the middle of a run. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import { hashPassword } from '../../src/web/access/password-hash.ts';
import { makeSampleSite } from '../support/sample-site.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import type { ScriptedServer } from '../support/scripted-ftp-server.ts';
import { serviceOptions } from '../support/service-options.ts';

export const DEMO_ACCOUNT = 'demo';
/** Of a service that only this machine can reach and that ends with the demo. */
export const DEMO_PASSWORD = 'site-backup-demo';

const SHOP_FILES = 3000;
const SHOP_FILES_PER_FOLDER = 25;
/** Slow enough that the shop's first run is still under way when the page is opened. */
const SHOP_REPLY_DELAY_MS = 60;
const CHANGE_EVERY_MS = 15_000;
const SITE_EVERY_MINUTES = 5;

export interface DemoService {
  /** Where the page is. */
  readonly address: string;
  /** The page, asked for as a browser asks: what is wrong with it, or nothing. */
  check(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts two servers, the service beside them, and a run of each task. Everything lies below `folder`. */
export async function startDemoService(folder: string): Promise<DemoService> {
  const site = await startScriptedServer({ delayMs: 5 });
  const shop = await startScriptedServer({ delayMs: SHOP_REPLY_DELAY_MS });
  makeSampleSite(site.tree);
  fillShop(shop);
  const stateDir = join(folder, 'service');
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const service = await startService(serviceOptions(stateDir));
  const { services } = service;
  const nowMs = Date.now();
  services.accounts.addFirst(DEMO_ACCOUNT, await hashPassword(DEMO_PASSWORD), nowMs);
  for (const [name, server] of [
    ['Atelier Dupont', site],
    ['Boutique Morel', shop],
  ] as const) {
    const id = services.tasks.add(
      settingsOf(name, server, join(folder, 'sites', name)),
      { rule: { kind: 'interval', everyMinutes: SITE_EVERY_MINUTES }, allowedHours: undefined },
      nowMs,
    );
    services.runner.start(id, 'user', DEMO_ACCOUNT);
  }
  services.scheduler.reload();
  const changing = keepChanging(site);
  const address = `http://127.0.0.1:${service.port}/`;
  return {
    address,
    check: () => checkPages(address, service),
    async stop() {
      clearInterval(changing);
      await service.stop();
      await Promise.all([site.stop(), shop.stop()]);
    },
  };
}

/** Resolves at the first Ctrl-C. */
export async function untilStopped(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

function settingsOf(name: string, server: ScriptedServer, target: string): TaskSettings {
  const { host, port } = server.address;
  const source = { protocol: 'ftp', host, port, user: SCRIPTED_USER, password: SCRIPTED_PASSWORD, folder: '/' };
  const parsed = parseTaskSettings({ name, source, target: { folder: target }, connections: 2 }, NO_SECRETS);
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  return parsed.settings;
}

function fillShop({ tree }: ScriptedServer): void {
  const firstMs = Date.UTC(2026, 8, 1, 8);
  for (let number = 0; number < SHOP_FILES; number++) {
    const group = String(Math.floor(number / SHOP_FILES_PER_FOLDER) + 1).padStart(3, '0');
    const product = String(number + 1).padStart(4, '0');
    const content = { sizeBytes: 4000 + ((number * 7919) % 60_000), seed: number };
    tree.writeFile(`/produits/${group}/photo-${product}.jpg`, content, { mtimeMs: firstMs + number * 60_000 });
  }
}

/** Somebody works on the site: a page changes, a picture comes. */
function keepChanging({ tree }: ScriptedServer): NodeJS.Timeout {
  let edits = 0;
  return setInterval(() => {
    edits++;
    const mtimeMs = Date.now() - 10_000;
    tree.writeFile('/index.html', `<!doctype html><title>Atelier Dupont</title><p>${edits}\n`, { mtimeMs });
    tree.writeFile(`/wp-content/uploads/live/photo-${edits}.jpg`, { sizeBytes: 80_000, seed: edits }, { mtimeMs });
  }, CHANGE_EVERY_MS);
}

/** Signs in as a browser does and looks for both tasks on the list. */
async function checkPages(address: string, { services }: Service): Promise<string[]> {
  const login = await fetch(new URL('/login', address));
  const csrf = /name="_csrf" value="([^"]+)"/.exec(await login.text())?.[1] ?? '';
  const entered = await fetch(new URL('/login', address), {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: cookiesOf(login) },
    body: new URLSearchParams({ _csrf: csrf, name: DEMO_ACCOUNT, password: DEMO_PASSWORD }),
  });
  const list = await fetch(new URL('/tasks', address), { headers: { cookie: cookiesOf(entered) } });
  const html = await list.text();
  const missing = services.tasks.list().filter((task) => !html.includes(task.name));
  const faults = missing.map((task) => `${task.name} is not on the list of tasks`);
  return list.status === 200 ? faults : [`the list of tasks answers ${list.status}`, ...faults];
}

function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0] ?? '')
    .join('; ');
}
