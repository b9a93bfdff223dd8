/**
 * `npm run demo`: a small site on an FTP server of our own, a first backup, a day's work on the site, a second backup,
 * and a server that lies; then the admin page with two tasks. The backups are those of the command line, nothing else.
 * Ends with 0 only where everything came as it had to.
 *
 *   npm run demo                on a terminal, leaves the page and the servers running at the end, until Ctrl-C
 *   npm run demo -- --keep      does so anywhere
 *   npm run demo -- --page      only the admin page
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/clock.ts';
import type { CommandContext } from '../../src/cli/command-context.ts';
import { readTask } from '../../src/cli/read-task.ts';
import { EXIT_CODES } from '../../src/cli/report-lines.ts';
import { runRun } from '../../src/cli/run-command.ts';
import type { RunCounts } from '../../src/engine/run-report.ts';
import { decodeRemoteName } from '../../src/local/local-name.ts';
import { taskDatabasePath } from '../../src/state/task-database.ts';
import { createText, languageFromEnvironment } from '../../src/text.ts';
import { SCRIPTED_PASSWORD, SCRIPTED_USER } from '../support/scripted-ftp-options.ts';
import { startScriptedServer } from '../support/scripted-ftp-server.ts';
import { changeSampleSite, makeSampleSite } from '../support/sample-site.ts';
import { DEMO_ACCOUNT, DEMO_PASSWORD, startDemoService, untilStopped } from './demo-service.ts';
import { DEMO_TEXTS } from './demo-texts.ts';

/** Slow enough to be watched, at first; then there is less to see. */
const FIRST_REPLY_DELAY_MS = 15;
const REPLY_DELAY_MS = 5;
/** Lines of the listing that the lying server keeps back. */
const LINES_SHOWN = 4;
const TASK_NAME = 'demo';
const UPLOADS = '/wp-content/uploads/2026/03';

const { values } = parseArgs({
  options: { keep: { type: 'boolean', default: process.stdout.isTTY }, page: { type: 'boolean', default: false } },
});
const language = languageFromEnvironment(process.env);
const text = createText(language);
const say = DEMO_TEXTS[language];
const folder = join(import.meta.dirname, '../../demo-data');
const taskFile = join(folder, 'task.json');
const stateDir = join(folder, 'state');
const target = join(folder, 'backup');
const current = join(target, 'current');
const failures: string[] = [];
const cancel = new AbortController();
process.on('SIGINT', () => {
  if (cancel.signal.aborted) process.exit(3);
  cancel.abort();
});

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const server = await startScriptedServer({ delayMs: FIRST_REPLY_DELAY_MS });
try {
  makeSampleSite(server.tree);
  const { host, port } = server.address;
  const source = { protocol: 'ftp', host, port, user: SCRIPTED_USER, password: SCRIPTED_PASSWORD, folder: '/' };
  // Nothing is read again to compare it: what comes in the second run is to be just what has changed.
  const task = { name: TASK_NAME, source, target: { folder: target }, verification: { sampleBytes: 0 } };
  writeFileSync(taskFile, JSON.stringify(task, undefined, 2));

  const parts = [firstBackup, secondBackup, dryRun, lyingServer];
  for (const part of values.page ? [] : parts) {
    if (!cancel.signal.aborted) await part();
  }
  if (!cancel.signal.aborted && !values.page) farewell();
  if (!cancel.signal.aborted) await adminPage();
} finally {
  await server.stop();
}
if (failures.length > 0) print(`\n${say.wrong}`);
for (const failure of failures) print(`  ${failure}`);
process.exitCode = failures.length > 0 ? 1 : cancel.signal.aborted && !values.keep ? 3 : 0;

async function firstBackup(): Promise<void> {
  const files = [...server.tree.files()];
  const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  title(say.firstTitle);
  print(say.site(text.number(files.length), text.bytes(bytes), `${server.address.host}:${server.address.port}`));
  const exitCode = await backUp();
  const { counts } = lastRun();
  expect(exitCode === EXIT_CODES.complete, `first run: exit code ${exitCode}`);
  expect(counts.downloaded === files.length, `first run: ${counts.downloaded} of ${files.length} files came`);
  expectEqual('first run');
}

async function secondBackup(): Promise<void> {
  server.options.delayMs = REPLY_DELAY_MS;
  title(say.secondTitle);
  const { added, edited, editedSameSize, removed, renamed } = changeSampleSite(server.tree);
  for (const path of added) print(`  + ${decodeRemoteName(path)}`);
  for (const path of edited) print(`  ~ ${decodeRemoteName(path)}`);
  for (const path of editedSameSize) print(`  ~ ${decodeRemoteName(path)}  (${say.sameSize})`);
  for (const path of removed) print(`  - ${decodeRemoteName(path)}`);
  for (const { from, to } of renamed) print(`  > ${decodeRemoteName(from)} → ${decodeRemoteName(to)}`);
  print('');
  server.clearLog();
  const exitCode = await backUp();
  const { counts } = lastRun();
  expect(exitCode === EXIT_CODES.complete, `second run: exit code ${exitCode}`);
  const wanted = added.length + edited.length + editedSameSize.length;
  expect(counts.downloaded === wanted, `second run: ${counts.downloaded} files came, ${wanted} were changed`);
  expect(server.count('RETR') === wanted, `second run: ${server.count('RETR')} downloads for ${wanted} files`);
  expect(counts.renamed === renamed.length, `second run: ${counts.renamed} renames were followed`);
  const gone = removed.length;
  expect(counts.vanished === gone, `second run: ${counts.vanished} files vanished, not ${gone}`);
  expectEqual('second run');
  print(say.kept(gone));
}

async function dryRun(): Promise<void> {
  title(say.dryTitle);
  print(say.dry);
  const path = '/blog/demain.html';
  server.tree.writeFile(path, 'Bientôt.\n', { mtimeMs: Date.UTC(2026, 10, 18) });
  const before = countFiles();
  server.clearLog();
  const exitCode = await backUp({ isDryRun: true });
  expect(exitCode === EXIT_CODES.complete, `dry run: exit code ${exitCode}`);
  expect(server.count('RETR') === 0 && countFiles() === before, 'dry run: something came');
  server.tree.remove('/blog');
}

async function lyingServer(): Promise<void> {
  title(say.lieTitle);
  const all = readdirSync(join(current, UPLOADS)).length;
  print(say.lie(UPLOADS, LINES_SHOWN, all));
  const before = countFiles();
  const reply = `226-Output truncated to ${LINES_SHOWN} matches\n226 ${LINES_SHOWN} matches total`;
  const lie = server.addFault(
    { command: ['MLSD', 'LIST'], path: UPLOADS },
    { truncateListing: { lines: LINES_SHOWN, reply } },
  );
  const exitCode = await backUp();
  const run = lastRun();
  expect(exitCode === EXIT_CODES.incomplete, `lying server: exit code ${exitCode}`);
  expect(run.failures.includes(`listing-truncated ${UPLOADS}`), `lying server: told of ${run.failures.join(', ')}`);
  expect(run.counts.vanished === 0 && countFiles() === before, 'lying server: something was lost');
  print(say.nothingLost(text.number(before)));

  server.faults.splice(server.faults.indexOf(lie), 1);
  server.clearLog();
  const honestCode = await backUp();
  expect(honestCode === EXIT_CODES.complete, `honest server: exit code ${honestCode}`);
  expect(server.count('RETR') === 0, `honest server: ${server.count('RETR')} files came`);
  expectEqual('honest server');
}

function farewell(): void {
  title(say.endTitle);
  const [here, task, state] = [current, taskFile, stateDir].map((path) => relative(process.cwd(), path));
  print(say.where(here ?? '', task ?? ''));
  if (values.keep) print(`\n${say.running(task ?? '', state ?? '')}`);
}

async function adminPage(): Promise<void> {
  title(say.pageTitle);
  const demo = await startDemoService(folder);
  try {
    const faults = await demo.check();
    for (const fault of faults) expect(false, `admin page: ${fault}`);
    print(say.page(demo.address, DEMO_ACCOUNT, DEMO_PASSWORD));
    print(values.keep ? say.pageRuns : say.stopped);
    if (values.keep && failures.length === 0) await untilStopped(cancel.signal);
  } finally {
    await demo.stop();
  }
}

/** `site-backup run`, as it is. Gives the exit code. */
async function backUp({ isDryRun = false } = {}): Promise<number> {
  const task = readTask(taskFile, process.env);
  if ('faults' in task) throw new Error(JSON.stringify(task.faults));
  const rest = { isForced: false, isJson: false, connections: undefined, logFile: undefined };
  const { stdout, stderr } = process;
  const context: CommandContext = { text, clock: systemClock, stdout, stderr, signal: cancel.signal };
  const exitCode = await runRun({ name: 'run', taskFile, stateDir, isDryRun, ...rest }, task.settings, context);
  print('');
  return exitCode;
}

/** What the last run wrote down of itself. */
function lastRun(): { counts: RunCounts; failures: string[] } {
  const db = new Database(taskDatabasePath(stateDir, TASK_NAME), { readonly: true });
  try {
    const row = db.prepare('SELECT id, report FROM run ORDER BY id DESC LIMIT 1').get() as {
      id: number;
      report: string;
    };
    const failures = db
      .prepare(`SELECT code || ' ' || path FROM run_event WHERE run_id = ? AND level = 'failure'`)
      .pluck()
      .all(row.id) as string[];
    return { counts: (JSON.parse(row.report) as { counts: RunCounts }).counts, failures };
  } finally {
    db.close();
  }
}

/** Every file of the server lies here with its bytes and its time. What has gone from the server may lie here, too. */
function expectEqual(when: string): void {
  for (const file of server.tree.files()) {
    const place = join(current, decodeRemoteName(file.path));
    const stat = statSync(place, { throwIfNoEntry: false });
    const isEqual =
      stat?.size === file.sizeBytes &&
      Math.floor(stat.mtimeMs / 1000) === Math.floor(file.mtimeMs / 1000) &&
      readFileSync(place).equals(file.read());
    expect(isEqual, `${when}: not as on the server: ${decodeRemoteName(file.path)}`);
  }
}

function countFiles(): number {
  return readdirSync(current, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}

function expect(isAsExpected: boolean, otherwise: string): void {
  if (!isAsExpected && !cancel.signal.aborted) failures.push(otherwise);
}

function title(line: string): void {
  print(`\n${line}\n${'─'.repeat(line.length)}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
