/**
 * How long the pages take while a large run is under way: the list of 50 tasks and the page of the running one, 200
 * times each, once while the site is being looked at and once while files arrive. Fails where the service's main thread
 * spends more CPU time on a request than the bound below: that is the same on a machine with other work to do, while
 * the times that a visitor waits are told beside it.
 *
 *   npm run bench:pages                       200,000 files in 5,000 folders
 *   npm run bench:pages -- --files 20000      a quick try
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MANUAL } from '../../src/settings/schedule.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { AccountStore } from '../../src/state/account-store.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { RunStore } from '../../src/state/run-store.ts';
import { SecretBox } from '../../src/state/secret-box.ts';
import { TaskStore } from '../../src/state/task-store.ts';
import { hashPassword } from '../../src/web/access/password-hash.ts';
import { OWNER_PASSWORD, Visitor } from '../support/web-app.ts';
import { ask, startChild } from './child-process.ts';
import type { ManyFilesReady } from './many-files-server.ts';

const REQUESTS = 200;
const WARM_UP_REQUESTS = 20;
const BETWEEN_MS = 20;
/** Of the main thread for one request, on a machine of 2020 or later; the events of a run come on top. */
const CPU_MS_MAX = 12;
const TASKS = 50;
const RUNS_PER_TASK = 60;
const DAY_MS = 86_400_000;

const { values } = parseArgs({ options: { files: { type: 'string', default: '200000' } } });
const files = Number(values.files);
const folders = Math.ceil(files / 40);

const failures: string[] = [];
const workFolder = mkdtempSync(join(tmpdir(), 'site-backup-bench-'));
const server = startChild('many-files-server.ts', [String(files), String(folders)], ['--max-old-space-size=4096']);
let service: ChildProcess | undefined;
try {
  say(`${files} files in ${folders} folders; ${TASKS} tasks with ${RUNS_PER_TASK} runs each`);
  const stateDir = join(workFolder, 'state');
  const taskId = await prepare(stateDir, await ask<ManyFilesReady>(server));
  service = spawn(
    process.execPath,
    ['--import', 'tsx', 'src/main.ts', '--state', stateDir, '--listen', '127.0.0.1', '--port', '0'],
    { cwd: join(import.meta.dirname, '../..'), stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const visitor = new Visitor(await portOf(service));
  await visitor.send('/login', { name: 'admin', password: OWNER_PASSWORD });
  // The first request compiles the views, and the next ones what is asked for often.
  for (let count = 0; count < WARM_UP_REQUESTS; count++) await visitor.ask('/tasks');
  await measure(visitor, '/tasks', 'no run');

  await visitor.send(`/tasks/${taskId}/run`, {}, `/tasks/${taskId}`);
  await reach(visitor, taskId, /Scanning/);
  await measure(visitor, '/tasks', 'scanning');
  await measure(visitor, `/tasks/${taskId}`, 'scanning');
  say(`  ${await headline(visitor, taskId)}`);
  await reach(visitor, taskId, / of /);
  await measure(visitor, '/tasks', 'copying');
  await measure(visitor, `/tasks/${taskId}`, 'copying');
  say(`  ${await headline(visitor, taskId)}`);
} finally {
  if (service !== undefined && service.exitCode === null) {
    service.kill('SIGTERM');
    await once(service, 'exit');
  }
  server.disconnect();
  rmSync(workFolder, { recursive: true, force: true });
}
for (const failure of failures) say(`FAILED: ${failure}`);
if (failures.length > 0) process.exitCode = 1;

/** An account, many tasks with a past, and the one that will run; gives its number. */
async function prepare(stateDir: string, { host, port, user, password }: ManyFilesReady): Promise<number> {
  mkdirSync(stateDir, { mode: 0o700 });
  const db = openAppDatabase(stateDir);
  const nowMs = Date.now();
  new AccountStore(db).addFirst('admin', await hashPassword(OWNER_PASSWORD, { N: 1024, r: 8, p: 1 }), nowMs);
  const tasks = new TaskStore(db, SecretBox.open(stateDir));
  const runs = new RunStore(db);
  let lastId = 0;
  db.transaction(() => {
    for (let index = 0; index < TASKS; index++) {
      const name = `Site ${index + 1}`;
      const parsed = parseTaskSettings(
        {
          name,
          source: { protocol: 'ftp', host, port, user, password, folder: '/' },
          target: { folder: join(workFolder, `target-${index}`) },
        },
        NO_SECRETS,
      );
      if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
      lastId = tasks.add(parsed.settings, MANUAL, nowMs);
      for (let count = RUNS_PER_TASK; count > 0; count--) {
        const atMs = nowMs - count * DAY_MS;
        const id = runs.queue({ taskId: lastId, taskName: name, cause: 'schedule', startedBy: undefined }, atMs);
        runs.setStarted(id, atMs);
        const report = { bytes: count * 1e6, durationMs: 60_000, counts: { listed: files, downloaded: 14 } };
        runs.close(id, count % 7 === 0 ? 'incomplete' : 'complete', JSON.stringify(report), atMs + 60_000);
      }
    }
  })();
  db.close();
  return lastId;
}

/** The port that the service says it listens at. */
async function portOf({ stdout }: ChildProcess): Promise<number> {
  let said = '';
  for await (const part of stdout ?? []) {
    said += String(part);
    const port = /http:\/\/[^\s]+:(\d+)\//.exec(said)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`the service did not start: ${said}`);
}

async function headline(visitor: Visitor, taskId: number): Promise<string> {
  const { text } = await visitor.ask(`/tasks/${taskId}/live.json`);
  const { values: all } = JSON.parse(text) as { values: Record<string, string | number | null> };
  return String(Object.entries(all).find(([key]) => key.endsWith('.headline'))?.[1] ?? '');
}

async function reach(visitor: Visitor, taskId: number, words: RegExp): Promise<void> {
  while (!words.test(await headline(visitor, taskId))) await sleep(100);
}

async function measure(visitor: Visitor, path: string, when: string): Promise<void> {
  const tookMs: number[] = [];
  const cpuBeforeMs = mainThreadCpuMs();
  for (let count = 0; count < REQUESTS; count++) {
    const startedMs = performance.now();
    const { status } = await visitor.ask(path);
    tookMs.push(performance.now() - startedMs);
    if (status !== 200) throw new Error(`${path}: ${status}`);
    await sleep(BETWEEN_MS);
  }
  const cpuMs = (mainThreadCpuMs() - cpuBeforeMs) / REQUESTS;
  tookMs.sort((a, b) => a - b);
  const median = tookMs[Math.floor(REQUESTS / 2)] ?? 0;
  const slowest = tookMs.slice(-3).map((ms) => ms.toFixed(1));
  const line = `${path}, ${when}: CPU ${cpuMs.toFixed(1)} ms a request (at most ${CPU_MS_MAX})`;
  say(`${line}; waited for: median ${median.toFixed(1)} ms, longest ${slowest.join(', ')} ms`);
  if (cpuMs > CPU_MS_MAX) failures.push(line);
}

/** What the thread that answers requests has computed so far; not its worker threads. proc(5), /proc/pid/schedstat. */
function mainThreadCpuMs(): number {
  const pid = String(service?.pid);
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
