/**
 * Runs the test files below the folders that are named (all of them without names), each in a process of its own, and
 * says how long each took. Where CI is set, a skipped test is a failure: there, everything that the tests need has been
 * installed. A file that fails is run once more, alone: one that passes then is named as unsteady, with its failure.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileCli } from './support/compiled-cli.ts';

const FILE_TIMEOUT_MS = 480_000;
/** What a file still may do to end its servers. */
const END_TIMEOUT_MS = 10_000;
const SLOWEST_SHOWN = 15;
/** More failures than this have a common cause, and nothing is gained by trying again. */
const TRIED_AGAIN_MAX = 3;

/** The longest files first, so that no worker is left alone with one at the end. */
const ORDER = ['spk', 'browser', 'integration', 'faults', 'mutants', 'model', 'contract', 'unit'];
/** These compute (Chromium, compilers, emulated processors); the others wait for disks and servers most of the time. */
const COMPUTING = new Set(['spk', 'browser', 'mutants']);
const COMPUTING_AT_ONCE = availableParallelism();
const FILES_AT_ONCE = 2 * COMPUTING_AT_ONCE;

interface Outcome {
  readonly file: string;
  readonly seconds: number;
  readonly isPassed: boolean;
  readonly tests: number;
  readonly skipped: number;
  /** What the runner says of them in the end. */
  readonly failures: string;
}

const root = import.meta.dirname;
const wanted = process.argv.slice(2);

const place = (file: string): number => {
  const found = ORDER.indexOf(folderOf(file));
  return found === -1 ? ORDER.length : found;
};
const queue = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .filter((file) => wanted.length === 0 || wanted.some((name) => file.startsWith(name)))
  .sort((a, b) => place(a) - place(b) || a.localeCompare(b));

if (queue.length === 0) {
  process.stderr.write(`No test file matches: ${wanted.join(' ')}\n`);
  process.exit(1);
}

/** What tests start in threads and processes: each would translate the sources again. */
const compiled = compileCli();
process.once('exit', () => {
  compiled.remove();
});
const startedMs = performance.now();
const running = new Map<string, ChildProcess>();
const outcomes: Outcome[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const child of running.values()) child.kill('SIGTERM');
    process.exit(1);
  });
}
await Promise.all(Array.from({ length: FILES_AT_ONCE }, () => work()));
report(await tryAgain());

async function work(): Promise<void> {
  for (let file = takeNext(); file !== undefined; file = takeNext()) {
    outcomes.push(await runFile(file));
  }
}

function takeNext(): string | undefined {
  const computing = [...running.keys()].filter(isComputing).length;
  const index = queue.findIndex((file) => computing < COMPUTING_AT_ONCE || !isComputing(file));
  // With nothing but computing files left, the workers beyond the processors go home.
  return index === -1 ? undefined : queue.splice(index, 1)[0];
}

/** What failed beside others, each alone: `true` where it passes, so that load is part of its cause. */
async function tryAgain(): Promise<ReadonlyMap<string, boolean>> {
  const failed = outcomes.filter(({ isPassed }) => !isPassed);
  const passes = new Map<string, boolean>();
  if (failed.length > TRIED_AGAIN_MAX) return passes;
  for (const { file, failures } of failed) {
    // What chance has found is a finding, whether or not chance finds it again.
    if (!/\bseed\b/i.test(failures)) passes.set(file, (await runFile(file)).isPassed);
  }
  return passes;
}

async function runFile(file: string): Promise<Outcome> {
  const fileStartedMs = performance.now();
  const child = spawn(process.execPath, ['--import', 'tsx', '--test-reporter=spec', join(root, file)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FORCE_COLOR: '0', SITE_BACKUP_COMPILED: dirname(compiled.cliFile) },
  });
  running.set(file, child);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
    });
  }
  const closed = once(child, 'close');
  const timers = [
    setTimeout(() => {
      printed += `\nnot at its end after ${FILE_TIMEOUT_MS / 1000} s\n`;
      child.kill('SIGTERM');
    }, FILE_TIMEOUT_MS),
    setTimeout(() => child.kill('SIGKILL'), FILE_TIMEOUT_MS + END_TIMEOUT_MS),
  ];
  const [code] = (await once(child, 'exit')) as [number | null];
  for (const timer of timers) clearTimeout(timer);
  // A server that a killed test has left behind may hold the pipe for ever.
  await Promise.race([closed, sleep(END_TIMEOUT_MS, undefined, { ref: false })]);
  child.stdout.destroy();
  child.stderr.destroy();
  running.delete(file);
  const count = (what: string): number => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(printed)?.[1] ?? '0');
  const summary = printed.search(/^ℹ tests \d+$/m);
  const outcome = {
    file,
    seconds: (performance.now() - fileStartedMs) / 1000,
    // Without a test, something has kept the file from declaring any.
    isPassed: code === 0 && count('tests') > 0,
    tests: count('tests'),
    skipped: count('skipped'),
    failures: summary === -1 ? printed : printed.slice(summary).replace(/^ℹ .*\n/gm, ''),
  };
  process.stdout.write(
    `${outcome.isPassed ? '■' : '✖'} ${line(outcome)}\n${summary === -1 ? printed : printed.slice(0, summary)}`,
  );
  return outcome;
}

function report(passesAlone: ReadonlyMap<string, boolean>): void {
  const sum = (value: (outcome: Outcome) => number): number => outcomes.reduce((all, one) => all + value(one), 0);
  const notPassed = outcomes.filter(({ isPassed }) => !isPassed);
  const failed = notPassed.filter(({ file }) => passesAlone.get(file) !== true);
  const skipped = sum((one) => one.skipped);
  const slowest = [...outcomes].sort((a, b) => b.seconds - a.seconds).slice(0, SLOWEST_SHOWN);
  process.stdout.write(`\nThe slowest files:\n${slowest.map((one) => `  ${line(one)}\n`).join('')}`);
  for (const one of notPassed) {
    const unsteady = failed.includes(one) ? '' : ', UNSTEADY: it passes alone, and its cause is still to be found';
    process.stdout.write(`\n✖ ${line(one)}${unsteady}\n${one.failures}\n`);
  }
  const took = Math.round((performance.now() - startedMs) / 1000);
  process.stdout.write(
    `\n${sum((one) => one.tests)} tests in ${outcomes.length} files, ${skipped} skipped, ${failed.length} files failed, ` +
      `${notPassed.length - failed.length} unsteady; ` +
      `${took} s, ${Math.round(sum((one) => one.seconds))} s one after the other\n`,
  );
  if (skipped > 0 && process.env['CI'] !== undefined) process.stderr.write('In CI every test must run.\n');
  process.exit(failed.length > 0 || (skipped > 0 && process.env['CI'] !== undefined) ? 1 : 0);
}

function line(outcome: Outcome): string {
  return `${outcome.file} (${outcome.tests} tests, ${outcome.seconds.toFixed(1)} s)`;
}

function folderOf(file: string): string {
  return file.split(sep)[0] ?? '';
}

function isComputing(file: string): boolean {
  return COMPUTING.has(folderOf(file));
}
