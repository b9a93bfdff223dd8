/** Whole runs of the command against real servers: what lies here afterwards is what lies there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RunReport } from '../../src/engine/run-report.ts';
import { compileCli } from '../support/compiled-cli.ts';
import type { CompiledCli } from '../support/compiled-cli.ts';
import { SERVER_SOFTWARE, whyServerIsMissing, type ServerSoftware } from '../support/debian-package-files.ts';
import { startRealServer, type RealServer } from '../support/real-ftp-servers.ts';
import {
  bytesOf,
  compareTrees,
  snapshotFolder,
  TREE_TIME_MS,
  writeTree,
  type FileState,
} from '../support/tree-compare.ts';

const RUN_TIMEOUT_MS = 60_000;
/** Each waits for its server and for its disk most of the time. */
const SERVERS_AT_ONCE = 3;
let cli: CompiledCli;

/** One server, one task, their folders. */
class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'site-backup-runs-'));
  readonly site = join(this.folder, 'site');
  readonly target = join(this.folder, 'target');

  constructor() {
    // Servers read the site as another user.
    writeTree(this.folder, { site: { folder: true } });
  }

  current(): Map<string, FileState> {
    return snapshotFolder(join(this.target, 'current'));
  }

  onServer(): Map<string, FileState> {
    return snapshotFolder(this.site);
  }

  /** `site-backup run … --json`: the report and the exit code. */
  run(server: RealServer): Promise<{ report: RunReport; exitCode: number }> {
    const task = join(this.folder, 'task.json');
    const { host, port, user, password, fingerprint } = server;
    const source = { protocol: fingerprint === undefined ? 'ftp' : 'ftps', host, port, user, password, folder: '/' };
    const tls = fingerprint === undefined ? {} : { tls: { fingerprint } };
    writeFileSync(
      task,
      JSON.stringify({ name: 'site', source: { ...source, ...tls }, target: { folder: this.target } }),
      {
        mode: 0o600,
      },
    );
    const args = [cli.cliFile, 'run', task, '--state', join(this.folder, 'state'), '--json'];
    return new Promise((resolve, reject) => {
      execFile(process.execPath, args, { timeout: RUN_TIMEOUT_MS }, (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : error.code;
        if (typeof exitCode !== 'number') {
          reject(new Error(`the command did not end by itself: ${stderr}${stdout}`));
          return;
        }
        try {
          resolve({ report: JSON.parse(stdout) as RunReport, exitCode });
        } catch {
          reject(new Error(`no report, exit code ${exitCode}: ${stderr}${stdout}${server.output()}`));
        }
      });
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The name here of the one file that is not UTF-8 on the server. */
const pathHere = (path: string): string => (path === 'caf\xe9.txt' ? bytesOf('café.txt') : path);
const sameSecond = { timePrecisionMs: 1000, pathHere };

function writeSite(site: string): void {
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  writeTree(site, {
    'index.html': '<h1>Hello</h1>',
    'style.css': 'h1 { color: red; }',
    '.htaccess': 'Require all granted\n',
    '.well-known/security.txt': 'Contact: mailto:someone@example.org\n',
    'empty.txt': '',
    'video.bin': { content: Buffer.alloc(5_000_011, 'site-backup') },
    'old-year.txt': { content: 'old', mtimeMs: Date.UTC(2019, 5, 7, 8, 9, 11) },
    'odd-second.txt': { content: 'odd', mtimeMs: TREE_TIME_MS + 17_000 },
    'young.txt': { content: 'young 1', mtimeMs: nowMs },
    [bytesOf('Été à Paris/Île.jpg')]: Buffer.alloc(70_000, 1).toString('latin1'),
    'caf\xe9.txt': 'latin-1',
    'app/[slug]/page.tsx': 'export {};',
    ' lead and trail /- a*b?.txt': 'x',
    'old-name.txt': 'renamed later',
    'gone.txt': 'deleted later',
    'touched.txt': 'touched back later',
    'photos/1.jpg': 'one',
    'photos/2.jpg': 'two',
    'photos/deep/3.jpg': 'three',
    'swap-a': 'a file that becomes a folder',
    'swap-b/inner.txt': 'in a folder that becomes a file',
    'nothing-in-it': { folder: true },
    'a-link': { linkTo: 'index.html' },
  });
}

function changeSite(site: string): void {
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  const at = (path: string): string => join(site, path);
  const state = snapshotFolder(site);
  rmSync(at('swap-a'));
  rmSync(at('swap-b'), { recursive: true });
  rmSync(at('gone.txt'));
  renameSync(at('old-name.txt'), at('new-name.txt'));
  renameSync(at('photos'), at('pictures'));
  writeTree(site, {
    'new/added.txt': { content: 'added', mtimeMs: nowMs },
    'index.html': { content: '<h1>Hello, world</h1>', mtimeMs: nowMs },
    'style.css': { content: 'h1 { color: tan; }', mtimeMs: nowMs },
    // Edited within the minute after the first run saw it, same size.
    'young.txt': { content: 'young 2', mtimeMs: (state.get('young.txt')?.mtimeMs ?? 0) + 1000 },
    'swap-a/inner.txt': 'in the folder that was a file',
    'swap-b': 'the file that was a folder',
  });
  const earlier = TREE_TIME_MS / 1000 - 86_400;
  utimesSync(at('touched.txt'), earlier, earlier);
}

const KEPT = ['gone.txt', 'old-name.txt', 'photos/1.jpg', 'photos/2.jpg', 'photos/deep/3.jpg'];
/** added, index, style, young, new-name, touched, pictures × 3, swap-a/inner, swap-b */
const CHANGES = 11;
/** new-name, pictures × 3 */
const RENAMED = 4;

describe('whole runs', { concurrency: SERVERS_AT_ONCE, timeout: 240_000 }, () => {
  before(() => {
    cli = compileCli();
  });
  after(() => {
    cli.remove();
  });

  for (const software of SERVER_SOFTWARE) {
    for (const tls of ['none', 'explicit'] as const) {
      const title = tls === 'none' ? software : `${software} over TLS`;
      const skip = whyServerIsMissing(software) ?? false;
      it(
        `of ${title}: equal after the first, idle in the second, exactly right after all kinds of change`,
        { skip },
        () => wholeRuns(software, tls),
      );
    }
  }

  const skip = whyServerIsMissing('pure-ftpd') ?? false;
  it('of Pure-FTPd with a listing that is cut short: incomplete, said so, and nothing is lost', { skip }, cutListing);
});

async function wholeRuns(software: ServerSoftware, tls: 'none' | 'explicit'): Promise<void> {
  const scene = new Scene();
  writeSite(scene.site);
  const server = await startRealServer({ software, tls, root: scene.site });
  try {
    const fileCount = scene.onServer().size;
    const first = await scene.run(server);
    assertComplete(first);
    assert.deepEqual(compareTrees(scene.onServer(), scene.current(), sameSecond), []);
    const { listed, downloaded } = first.report.counts;
    assert.deepEqual([listed, first.report.counts.new, downloaded], [fileCount, fileCount, fileCount]);
    assert.ok(!existsSync(join(scene.target, 'current/a-link')), 'a link was followed');

    const second = await scene.run(server);
    assertComplete(second);
    assert.deepEqual(transferred(second.report), { downloaded: 0, bytes: 0, vanished: 0, retired: 0 });
    assert.deepEqual(compareTrees(scene.onServer(), scene.current(), sameSecond), []);

    const before = scene.current();
    changeSite(scene.site);
    const third = await scene.run(server);
    assertComplete(third);
    const expected = scene.onServer();
    // Known by their identity where the server tells one: then they are moved and do not come.
    const renamed = third.report.counts.renamed ?? 0;
    assert.equal(renamed, software === 'vsftpd' ? 0 : RENAMED);
    const kept = renamed === 0 ? KEPT : ['gone.txt'];
    for (const path of kept) expected.set(path, stateOf(before, path));
    assert.deepEqual(compareTrees(expected, scene.current(), sameSecond), []);
    assert.equal(third.report.counts.downloaded + renamed, CHANGES);
    assert.ok(third.report.counts.vanished >= kept.length, `vanished: ${third.report.counts.vanished}`);
    assertRetired(scene, before);

    const fourth = await scene.run(server);
    assertComplete(fourth);
    assert.deepEqual(transferred(fourth.report), { downloaded: 0, bytes: 0, vanished: 0, retired: kept.length });
    assert.deepEqual(compareTrees(scene.onServer(), scene.current(), sameSecond), []);

    const fifth = await scene.run(server);
    assertComplete(fifth);
    assert.deepEqual(transferred(fifth.report), { downloaded: 0, bytes: 0, vanished: 0, retired: 0 });
    assert.deepEqual(compareTrees(scene.onServer(), scene.current(), sameSecond), []);
  } finally {
    await server.stop();
    scene.remove();
  }
}

/** What had to make room for something of another kind lies in the versions, as it was. */
function assertRetired(scene: Scene, before: ReadonlyMap<string, FileState>): void {
  const versions = join(scene.target, 'versions');
  const runs = readdirSync(versions);
  assert.equal(runs.length, 1, `versions: ${runs.join(' ')}`);
  const retired = snapshotFolder(join(versions, String(runs[0])));
  for (const path of ['swap-a', 'swap-b/inner.txt']) {
    assert.deepEqual(retired.get(path), stateOf(before, path), path);
  }
}

async function cutListing(): Promise<void> {
  const scene = new Scene();
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`all/file-${index}.txt`, `${index}`]));
  writeTree(scene.site, { ...files, 'index.html': 'hello' });
  const server = await startRealServer({ software: 'pure-ftpd', tls: 'none', root: scene.site });
  try {
    assertComplete(await scene.run(server));
    const before = scene.current();
    assert.equal(before.size, 61);

    await server.restart({ listingEntriesMax: 50 });
    const { report, exitCode } = await scene.run(server);
    assert.deepEqual([report.outcome, exitCode], ['incomplete', 1]);
    assert.deepEqual(
      report.failures.map(({ path, code }) => [path, code]),
      [['/all', 'listing-truncated']],
    );
    assert.equal(report.counts.vanished, 0);
    assert.deepEqual(scene.current(), before);
    assert.equal(readFileSync(join(scene.target, 'current/index.html'), 'utf8'), 'hello');
  } finally {
    await server.stop();
    scene.remove();
  }
}

function assertComplete({ report, exitCode }: { report: RunReport; exitCode: number }): void {
  assert.deepEqual([report.outcome, exitCode, report.failures], ['complete', 0, []]);
  assert.deepEqual([report.counts.failed, report.folders.incomplete], [0, 0]);
}

function transferred({ counts, bytes }: RunReport): Record<string, number> {
  return { downloaded: counts.downloaded, bytes, vanished: counts.vanished, retired: counts.retired };
}

function stateOf(files: ReadonlyMap<string, FileState>, path: string): FileState {
  const state = files.get(path);
  assert.ok(state !== undefined, `${path} is missing`);
  return state;
}
