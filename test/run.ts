/**
 * Runs the test files below the folders that are named (all of them without names) with Node's own runner.
 * Where CI is set, a skipped test is a failure: there, everything that the tests need has been installed.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const TEST_TIMEOUT_MS = 300_000;

const root = import.meta.dirname;
const wanted = process.argv.slice(2);

const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => wanted.length === 0 || wanted.some((name) => relative(root, file).startsWith(name)))
  .sort();

if (files.length === 0) {
  process.stderr.write(`No test file matches: ${wanted.join(' ')}\n`);
  process.exit(1);
}

const runner = spawn(
  process.execPath,
  [
    '--import',
    'tsx',
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    '--test-reporter=spec',
    ...files,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, FORCE_COLOR: '0' } },
);

let tail = '';
runner.stdout.on('data', (chunk: Buffer) => {
  process.stdout.write(chunk);
  tail = (tail + chunk.toString()).slice(-100_000);
});
runner.on('close', (code) => {
  const skipped = Number(/^ℹ skipped (\d+)$/m.exec(tail)?.[1] ?? '0');
  if (skipped > 0 && process.env['CI'] !== undefined) {
    process.stderr.write(`${skipped} skipped: in CI every test must run.\n`);
    process.exit(1);
  }
  process.exit(code ?? 1);
});
