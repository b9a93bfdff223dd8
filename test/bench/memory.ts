/**
 * Memory and time of a backup of very many small files: the first run, then a run without a change. Fails where memory
 * grows with the number of files, where a file is missing, or where the second run does more than look.
 *
 *   npm run bench:memory                       200,000 files in 5,000 folders
 *   npm run bench:memory -- --files 20000      a quick try
 *   … --folder DIR                             work in DIR: a disk waits for each file, /dev/shm does not
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ask, startChild } from './child-process.ts';
import type { ManyFilesCounts, ManyFilesReady } from './many-files-server.ts';
import type { MeasuredRun } from './measured-run.ts';

/** The second half of a run may hold this many times the memory of the first: the rest is the collector's habit. */
const GROWTH_MAX = 1.25;
/** Rows that a run without a change may write for each folder, and besides. */
const ROWS_PER_FOLDER_MAX = 4;
const ROWS_BESIDES_MAX = 50;
const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '200000' },
    folders: { type: 'string' },
    connections: { type: 'string', default: 'auto' },
    folder: { type: 'string', default: tmpdir() },
    profile: { type: 'boolean', default: false },
  },
});
const files = Number(values.files);
const folders = Number(values.folders ?? Math.ceil(files / 40));
const connections = values.connections === 'auto' ? 'auto' : Number(values.connections);

const failures: string[] = [];
const workFolder = mkdtempSync(join(values.folder, 'site-backup-bench-'));
const server = startChild('many-files-server.ts', [String(files), String(folders)], ['--max-old-space-size=4096']);
try {
  const { host, port, user, password } = await ask<ManyFilesReady>(server);
  const task = {
    name: 'bench',
    source: { protocol: 'ftp', host, port, user, password, folder: '/' },
    target: { folder: join(workFolder, 'target') },
    connections,
  };
  say(`${files} files in ${folders} folders, connections: ${connections}`);
  await ask<ManyFilesCounts>(server, {});

  const first = await run(task);
  const firstCounts = await ask<ManyFilesCounts>(server, {});
  show('first run', first, firstCounts);
  expect(first.report.outcome === 'complete', `the first run is ${first.report.outcome}`);
  expect(first.report.counts.downloaded === files, `${first.report.counts.downloaded} of ${files} files came`);
  expect(firstCounts.downloads === files, `${firstCounts.downloads} downloads for ${files} files`);
  const here = countFiles(join(workFolder, 'target/current'));
  expect(here === files, `${here} of ${files} files are on the disk`);
  const growth = first.rssSecondHalfBytes / first.rssFirstHalfBytes;
  say(`  second half / first half: ${growth.toFixed(2)} (at most ${GROWTH_MAX})`);
  expect(growth <= GROWTH_MAX, `memory grew by ${growth.toFixed(2)} in the second half`);

  const second = await run(task);
  const secondCounts = await ask<ManyFilesCounts>(server, {});
  show('run without a change', second, secondCounts);
  expect(second.report.outcome === 'complete', `the second run is ${second.report.outcome}`);
  expect(second.report.counts.unchanged === files, `${second.report.counts.unchanged} of ${files} files are unchanged`);
  expect(secondCounts.downloads === 0, `${secondCounts.downloads} files came again`);
  expect(
    second.report.folders.complete >= folders,
    `${second.report.folders.complete} of ${folders} folders were listed`,
  );
  const rowsMax = second.report.folders.complete * ROWS_PER_FOLDER_MAX + ROWS_BESIDES_MAX;
  expect(second.rowsWritten <= rowsMax, `the run without a change wrote ${second.rowsWritten} rows`);
} finally {
  server.disconnect();
  rmSync(workFolder, { recursive: true, force: true });
}
for (const failure of failures) say(`FAILED: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

async function run(task: object): Promise<MeasuredRun> {
  const child = startChild(
    'measured-run.ts',
    [],
    values.profile ? ['--cpu-prof', '--cpu-prof-dir=.cache/profiles'] : [],
  );
  return ask<MeasuredRun>(child, { stateDir: join(workFolder, 'state'), task });
}

function show(title: string, measured: MeasuredRun, counts: ManyFilesCounts): void {
  const { report, stageMs } = measured;
  const seconds = report.durationMs / 1000;
  const stages = Object.entries(stageMs).map(([stage, ms]) => `${stage} ${(ms / 1000).toFixed(1)} s`);
  say(`${title}: ${report.outcome}, ${seconds.toFixed(1)} s (${stages.join(', ')})`);
  say(
    `  ${Math.round(report.counts.listed / seconds)} files/s, ${counts.listings} listings, ${counts.downloads} downloads`,
  );
  say(
    `  memory: ${mib(measured.rssAtStartBytes)} before, peak ${mib(measured.rssPeakBytes)}, ` +
      `highest in the first half ${mib(measured.rssFirstHalfBytes)}, in the second ${mib(measured.rssSecondHalfBytes)}, ` +
      `at the end ${mib(measured.rssAtEndBytes)}`,
  );
  say(
    `  ${measured.rowsWritten} rows written, ${mib(measured.writtenBytes)} written to files and sockets, ` +
      `database with its log ${mib(measured.databaseBytes)}`,
  );
}

function countFiles(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}

function expect(isAsExpected: boolean, otherwise: string): void {
  if (!isAsExpected) failures.push(otherwise);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
