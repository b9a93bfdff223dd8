/** The whole service on a free port, a folder that stands for the NAS, and Debian's Chromium in front of it. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { Clock } from '../../src/clock.ts';
import { DEFAULT_WEB_ACCESS } from '../../src/settings/web-access.ts';
import { MANUAL } from '../../src/settings/schedule.ts';
import type { Schedule } from '../../src/settings/schedule.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { startService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { makePrivateFolder } from '../../src/state/private-folder.ts';
import { SettingsStore } from '../../src/state/settings-store.ts';
import { createText } from '../../src/text.ts';
import type { StoredOutcome } from '../../src/state/run-store.ts';
import type { Services } from '../../src/web/services.ts';
import { hashPassword } from '../../src/web/access/password-hash.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from './scripted-ftp-options.ts';
import { freePort } from './web-app.ts';

const CHROMIUM = '/usr/bin/chromium';
const PAGE_TIMEOUT_MS = 20_000;
const RUN_TIMEOUT_MS = 60_000;

export const OWNER = { name: 'admin', password: 'correct horse battery' } as const;

export const EN = createText('en');
export const FR = createText('fr');

/** Why the browser tests cannot run on this machine, as the reason of a skip; undefined where they can. */
export function whyBrowserIsMissing(): string | undefined {
  return existsSync(CHROMIUM) ? undefined : 'Chromium is missing: apt-get install chromium (Debian)';
}

export interface BrowserFixture {
  /** Without a slash at the end. */
  readonly origin: string;
  /** The shared folder that the folder pickers offer. */
  readonly nas: string;
  readonly services: Services;
  readonly setupCode: string | undefined;
  /** A window of its own. What goes wrong in it is kept for `complaints`. */
  open(options?: BrowserContextOptions): Promise<Page>;
  /** The same, signed in; the account is made at the first call. */
  openSignedIn(options?: BrowserContextOptions): Promise<Page>;
  /** A task with these settings, and a password that opens the scripted server. */
  addTask(name: string, task?: TaskWish): number;
  /** Starts the task and waits for its run's end. */
  runToEnd(taskId: number): Promise<StoredOutcome>;
  /** Ends the service, and runs `meanwhile` while nobody listens; then starts it again at the same port. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  /** Script errors, breaches of the content policy and requests to other hosts in any page so far. */
  readonly complaints: readonly string[];
  stop(): Promise<void>;
}

export interface TaskWish {
  readonly source?: Readonly<Record<string, unknown>>;
  readonly more?: Readonly<Record<string, unknown>>;
  readonly schedule?: Schedule;
}

export interface BrowserFixtureOptions {
  /** No start option settles the address: it is as stored, for all networks as at first, and the page may change it. */
  readonly isAddressFree?: boolean;
  /** The system's where none is given. */
  readonly clock?: Clock;
}

export async function startBrowserFixture(options: BrowserFixtureOptions = {}): Promise<BrowserFixture> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'site-backup-browser-')));
  const nas = join(folder, 'web-backup');
  mkdirSync(nas);
  const stateDir = join(folder, 'state');
  if (options.isAddressFree === true) storeAddress(stateDir, await freePort());
  const start = (port: number): Promise<Service> =>
    startService({
      stateDir,
      ...(options.isAddressFree === true ? {} : { listen: '127.0.0.1', port, basePath: '/', trustedProxies: [] }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      logLevel: 'info',
      isViewReloaded: false,
      access: 'password',
    });
  let service = await start(0);
  service.services.settings.write({ folderRoots: [nas] });
  const origin = `http://127.0.0.1:${service.port}`;
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  const complaints: string[] = [];
  let session: Awaited<ReturnType<BrowserContext['storageState']>> | undefined;

  const ports = new Set<number>();
  const isOurs = (url: string): boolean => {
    const { current, trial } = service.services.webAccess;
    // A page may still send something to an address that was one until just now.
    for (const access of [current, trial?.access]) ports.add(access?.port ?? service.port);
    return [origin, ...[...ports].map((port) => `http://127.0.0.1:${port}`)].some((one) => url.startsWith(`${one}/`));
  };

  const open = async (options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(PAGE_TIMEOUT_MS);
    watch(context, isOurs, complaints);
    return context.newPage();
  };

  return {
    origin,
    nas,
    get services() {
      return service.services;
    },
    setupCode: service.setupCode,
    complaints,
    open,
    async openSignedIn(options = {}) {
      if (session === undefined) {
        const { accounts, clock } = service.services;
        // A hash that is quick to check.
        if (!accounts.hasAccount()) {
          accounts.addFirst(OWNER.name, await hashPassword(OWNER.password, { N: 1024, r: 8, p: 1 }), clock.nowMs());
        }
        const page = await open();
        await signIn(page, origin);
        session = await page.context().storageState();
        await page.context().close();
      }
      return open({ storageState: session, ...options });
    },
    addTask(name, { source, more, schedule = MANUAL } = {}) {
      const login = {
        protocol: 'ftp',
        host: '127.0.0.1',
        user: SCRIPTED_USER,
        password: SCRIPTED_PASSWORD,
        folder: '/',
      };
      const target = { folder: join(nas, name.toLowerCase().replace(/[^a-z0-9]+/g, '-')) };
      const parsed = parseTaskSettings({ name, source: { ...login, ...source }, target, ...more }, NO_SECRETS);
      if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
      return service.services.tasks.add(parsed.settings, schedule, service.services.clock.nowMs());
    },
    async runToEnd(taskId) {
      const { runner, runs } = service.services;
      const runId = runner.start(taskId, 'schedule', undefined);
      assert.ok(runId !== undefined, 'the run did not start');
      await until(() => runner.activity(taskId) === undefined, RUN_TIMEOUT_MS, 'the end of the run');
      return runs.get(runId)?.outcome ?? 'failed';
    },
    async restart(meanwhile) {
      await service.stop();
      await meanwhile?.();
      service = await start(Number(new URL(origin).port));
    },
    async stop() {
      await browser.close();
      await service.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What an installation holds that answers at this port; the rest is as at first. */
function storeAddress(stateDir: string, port: number): void {
  makePrivateFolder(stateDir);
  const db = openAppDatabase(stateDir);
  new SettingsStore(db).write({ web: { ...DEFAULT_WEB_ACCESS, port } });
  db.close();
}

export async function signIn(page: Page, origin: string): Promise<void> {
  await page.goto(`${origin}/login`);
  await page.locator('#name').fill(OWNER.name);
  await page.locator('#password').fill(OWNER.password);
  await page.locator('.door-form button.primary').click();
  await page.waitForURL(/\/tasks/);
}

/** Waits for what has no event. Throws with `what` after `timeoutMs`. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!(await isSo())) {
    assert.ok(Date.now() < endMs, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The status that the server answers with when `act` leads to another page, or sends a form. */
export async function statusOf(page: Page, act: () => Promise<unknown>): Promise<number> {
  const isDocument = (answer: { request(): { resourceType(): string }; status(): number }): boolean =>
    answer.request().resourceType() === 'document' && (answer.status() < 300 || answer.status() >= 400);
  const [answer] = await Promise.all([page.waitForResponse(isDocument), act()]);
  await page.waitForLoadState('domcontentloaded');
  return answer.status();
}

/** Names of the files below a folder, sorted, without what the task keeps for itself. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('.site-backup/'))
    .sort();
}

function watch(context: BrowserContext, isOurs: (url: string) => boolean, complaints: string[]): void {
  context.on('request', (request) => {
    const url = request.url();
    if (!isOurs(url) && !url.startsWith('data:')) complaints.push(`request to ${url}`);
  });
  context.on('weberror', (error) => complaints.push(`script: ${error.error().stack ?? error.error().message}`));
  context.on('console', (message) => {
    if (/Content.Security.Policy|Refused to/i.test(message.text())) complaints.push(message.text());
  });
  context.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.accept();
  });
}
